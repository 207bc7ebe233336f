"""`python -m soloscope`."""

from __future__ import annotations

import sys

from soloscope.cli import main

if __name__ == "__main__":
    sys.exit(main())
