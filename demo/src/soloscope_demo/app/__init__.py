"""The sample app, and what stands for its host's journald."""
