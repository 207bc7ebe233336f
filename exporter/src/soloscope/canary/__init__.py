"""`soloscope canary`: a line, a count and an alert, each looked for at its end.

legs     what each of them does, and what it proves
run      one run: the legs side by side, the heartbeat, the results
results  the file of results, which `soloscope serve` shows as metrics

The count is one that the canary makes in its file of results; `soloscope serve` shows
it to Prometheus with the same answer in which it says whether each app's Redis could be
read. So the leg proves the path of the apps' counts, from the login at Redis on,
without a right to write there: a key of the canary's own would need one in every app's
Redis, for a process that is otherwise only a reader.
"""
