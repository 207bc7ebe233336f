"""What happened, in order of time, from every source.

lines   lines of Loki as moments of a timeline
story   one conversation, user or request, with what happened around it
"""
