"""`soloscope serve`: scrapes and their responses."""
