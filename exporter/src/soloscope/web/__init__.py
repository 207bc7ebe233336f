"""The HTTP server of our processes."""
