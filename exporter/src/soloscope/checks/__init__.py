"""The registry of health checks, used by the command, the paths and the metrics.

model     checks and their results
kinds     how each kind of check works
database  the postgres exporter's metrics, read for the health paths
declared  the checks of a configuration
registry  runs them in the background and keeps the last result of each
report    pure: results -> bodies, status codes, metric lines
routes    the paths and metrics of `soloscope serve`
probe     checks outside APIs with their keys
results   the file that `soloscope probe` writes for `soloscope serve`
collect   the current health, for the terminal
"""
