"""`soloscope serve`: a scrape, and the metrics that answer it.

service     the paths
scraper     reads each app's Redis in a thread of its own
exposition  the large families as text
families    all others, as prometheus_client's metrics
events      the same numbers as log events, without Prometheus
"""
