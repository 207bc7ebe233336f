"""Writes the days that Redis still has into Prometheus.

plan    pure: the ramps of the days, as OpenMetrics
days    which days are written: those in Redis that Prometheus does not have
blocks  the text, or the blocks that `promtool` makes of it
"""
