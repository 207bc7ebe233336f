"""The days that Redis still has, given to Prometheus.

plan    pure: the ramps of the days, as OpenMetrics
days    which days are written: what Redis has, and Prometheus has not
blocks  the text, or the blocks that `promtool` makes of it
"""
