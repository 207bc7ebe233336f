"""The exceptions that soloscope raises on purpose.

SoloscopeError
├── ConfigError          the configuration file is wrong; has every problem
├── SecretUnavailable    a file with a secret cannot be read
└── BackendUnavailable   Redis, Loki, Prometheus … did not answer
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from soloscope.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "OTHER_SHAPE",
    "BackendUnavailable",
    "ConfigError",
    "Problem",
    "SecretUnavailable",
    "SoloscopeError",
]


OTHER_SHAPE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What Python raises while JSON is read that is not of the expected shape."""


class SoloscopeError(Exception):
    """Base of the errors that the user sees without a traceback, as one line."""

    exit_code = 1

    def __str__(self) -> str:
        # It may quote a server's answer or an argument.
        return printable(super().__str__(), 2000)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: the option, its value, what is accepted."""

    path: str
    value: str
    accepted: str

    def __str__(self) -> str:
        path = printable(self.path, 100)
        value = f"{printable(self.value, 100)} is not accepted; " if self.value else ""
        return f"{path}: {value}{printable(self.accepted)}"


class ConfigError(SoloscopeError):
    """The configuration cannot be used; `problems` lists everything found."""

    exit_code = 2

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        return f"{printable(self.source)}: {count} {noun}{lines}"


class SecretUnavailable(SoloscopeError):  # noqa: N818 (reads as a state)
    """A secret's file is missing, unreadable or empty. Never contains the secret."""


class BackendUnavailable(SoloscopeError):  # noqa: N818 (reads as a state)
    """A server did not give a usable answer.

    `cause` is the client's exception, if its class has more information.
    """

    def __init__(self, message: str, cause: Exception | None = None) -> None:
        super().__init__(message)
        self.cause = cause
