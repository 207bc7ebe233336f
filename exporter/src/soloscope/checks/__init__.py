"""The one registry of health checks, behind the command, the paths and the metrics.

model     what a check is and what it answers
kinds     how each kind of check asks
database  the postgres exporter's metrics, read for the health paths
declared  the checks that a configuration asks for
registry  runs them in the background and keeps the last answer of each
report    pure: results -> bodies, status codes, metric lines
web       the paths and metrics of `soloscope serve`
probe     asks outside APIs with their keys
results   the file that `soloscope probe` leaves for `soloscope serve`
collect   the health of this moment, for the terminal
"""
