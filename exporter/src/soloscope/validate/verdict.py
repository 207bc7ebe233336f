"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ok` is None when nothing could be looked at; `evidence` is one sentence."""

    ok: bool | None
    evidence: str
