"""What is wrong between what was declared and what is there.

finding  one thing that was found, with its fix
keys     what Redis holds, against what the app declares
rights   what the exporter's Redis user may do
lines    what the app logs, against what an event must have
backends Loki, the log shipper and Prometheus, by what they say about themselves
machine  systemd's units and the clock
"""

from __future__ import annotations
