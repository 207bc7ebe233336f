"""Soloscope: observability for one host and one developer.

`version()` is the one way to ask for the version; its home is pyproject.toml.
"""

from __future__ import annotations

__all__ = ["version"]


def version() -> str:
    """Return the installed version, or `"unknown"` when run from a bare checkout."""
    import os
    import sys

    # The folder that says it is called NAME-VERSION.dist-info (packaging.python.org,
    # "Recording installed projects"). importlib.metadata finds the same and much
    # else, for 20 ms, which would be a tenth of the time until the first scrape.
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 (pathlib is slower)
        except OSError:
            continue
        for name in names:
            if name.startswith("soloscope-") and name.endswith(".dist-info"):
                return name.removeprefix("soloscope-").removesuffix(".dist-info")
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("soloscope")
    except PackageNotFoundError:
        return "unknown"
