"""The days that Redis still has, given to Prometheus.

plan    pure: the ramps of the days, as OpenMetrics
known   what Prometheus says about itself, and which days it has
days    which days are written
blocks  the text, or the blocks that `promtool` makes of it
"""
