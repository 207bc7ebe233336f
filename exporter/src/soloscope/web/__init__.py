"""The HTTP server of our processes.

application  a table of routes as one WSGI callable
server       waitress, with a cap on connections
process      a server that runs until a signal
bearer       the token that a request must have
"""
