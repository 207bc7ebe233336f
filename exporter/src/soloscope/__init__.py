"""Soloscope: observability for one host and one developer.

`version()` is the one way to ask for the version; its home is pyproject.toml.
"""

from __future__ import annotations

__all__ = ["version"]


def version() -> str:
    """Return the installed version, or `"unknown"` when run from a bare checkout."""
    # importlib.metadata costs 20 ms, which most commands never need.
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("soloscope")
    except PackageNotFoundError:
        return "unknown"
