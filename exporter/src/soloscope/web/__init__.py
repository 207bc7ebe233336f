"""HTTP for our processes: a table of routes, and the server that answers by it."""
