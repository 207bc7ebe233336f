"""The live stack: what starts, awaits, asks and stops the programs."""

from .stack import APP, Options, Stack, running

__all__ = ["APP", "Options", "Stack", "running"]
