"""A sample app and the whole soloscope stack as plain processes on 127.0.0.1.

tools   gets the real programs and runs the checks, on the standard library alone
stack   starts the programs, waits for them and queries them; tests import it
app     the sample app, and a replacement for its host's journald
"""
