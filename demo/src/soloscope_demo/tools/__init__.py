"""The tools for developers: programs, environments, checks."""
