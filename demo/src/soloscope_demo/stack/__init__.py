"""The live stack: starts its programs, waits for them, queries and stops them.

options    the settings of a run: ports, options merged over the declaration
clock      a chosen time of day
render     the configuration of each program, from the modules' Nix
commands   the programs of a stack, and when each is ready
child      one started program
stack      start order, waiting, stop
clients    free ports, waiting, and queries to Prometheus and Loki
panels     a dashboard's queries and their results
prove      an event and a count, followed through the whole path
run        `just demo`
"""

from .clients import Loki, Prometheus, free_ports, until
from .options import APP, Options
from .stack import Stack, running

__all__ = [
    "APP",
    "Loki",
    "Options",
    "Prometheus",
    "Stack",
    "free_ports",
    "running",
    "until",
]
