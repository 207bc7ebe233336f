"""The one client of Loki, Prometheus and Alertmanager."""
