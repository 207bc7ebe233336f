"""The HTTP server of our processes.

application  a table of routes as one WSGI callable
server       waitress, with a cap on connections
"""
