"""Keeps Loki's folder under its budget."""
