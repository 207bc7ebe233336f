"""One app's counts: which keys, which days, which windows.

model     days, windows, values, and the Snapshot that is shown
request   the keys of a day, its commands, and what the replies mean
store     reads Redis and remembers the closed days
windows   sums over days
uniques   unions of different ones over days
expiries  which keys have no expiry
jobs      when a job last succeeded, and whether it is late
"""
