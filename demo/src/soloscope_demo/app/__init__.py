"""The sample app, and a replacement for its host's journald."""
