"""One app's counts: days, windows, and how they are read from Redis."""
