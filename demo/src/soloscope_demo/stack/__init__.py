"""The live stack: its programs are started, awaited, asked and stopped.

options    how a stack is run: its ports, the options laid over the declaration
clock      a chosen time of day
render     what each program is told, from the modules' Nix
commands   which programs there are, and when each is ready
child      one started program
stack      the order of the start, what is waited for, the end
clients    free ports, waiting, and questions to Prometheus and Loki
panels     a dashboard's queries and their answers
prove      an event and a count, followed all the way
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
