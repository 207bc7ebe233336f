"""The connection to a Redis server."""
