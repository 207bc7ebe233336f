"""`soloscope digest`: the report of a day, as one message.

words    numbers, money, dates and plurals as people read them
lines    the placeholders of `apps.<name>.digest.lines`
values   one app's numbers of a day, from a Snapshot
report   the text, and the parameters of a message template; pure
collect  reads Redis, Loki, Prometheus and the disk budget
sending  once a day to `soloscope notify`, and when that was
"""
