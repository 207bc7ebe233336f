"""One app's counts: days, windows, and reading them from Redis."""
