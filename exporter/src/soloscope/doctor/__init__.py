"""What is wrong between what was declared and what is there.

examination  all of it, in turn
finding      one thing that was found, with its fix
app_redis    one app's Redis: does it answer, and what does it say instead
rights       what the exporter's Redis user may do
scan, keys   the keys of an app's prefix, against what the app declares
values       what they hold, against what `serve` can show
lines        what the app logs, against what an event must have
servers      Loki, the log shipper, Prometheus and `serve`, by their own words
machine      systemd's units and the clock
"""
