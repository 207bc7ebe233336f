"""The days that Redis still has, given to Prometheus."""
