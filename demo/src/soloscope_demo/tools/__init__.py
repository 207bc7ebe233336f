"""The tools for developers: real programs, environments, checks.

On the standard library alone: `justw` runs them before any package is installed.
"""
