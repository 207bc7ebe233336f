"""`soloscope serve`: a scrape and what answers it."""
