"""Whether a declared feature works: a verdict with evidence for each of its checks.

verdict   what a check found
sources   what the checks ask: lines of Loki, records and counts of Redis
checks    the kinds of checks
"""
