"""Secrets: read from files when they are needed, never stored, never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from soloscope.errors import SecretUnavailable

__all__ = ["SERVICE_CREDENTIALS", "Secret"]

SERVICE_CREDENTIALS = (
    Path("/run/credentials/soloscope-exporter.service"),
    Path("/run/credentials/soloscope-notify.service"),
)
"""Where systemd keeps the credentials of `soloscope serve` and `soloscope notify` while
they run. Root may read them, so that a command at the terminal needs no secret of its
own."""


@dataclass(frozen=True, slots=True)
class Secret:
    """The source of a secret: a systemd credential's name, or a file.

    Exactly one of the two is set. The secret itself is read at each use, so that a
    changed file takes effect and no copy stays in this object.
    """

    credential: str | None = field(default=None, repr=False)
    file: str | None = field(default=None, repr=False)

    def path(self) -> Path:
        """The path of the secret's file.

        Raises SecretUnavailable outside a service, except to root beside a service of
        ours that has it.
        """
        if self.file is not None:
            return Path(self.file)
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder is not None:
            return Path(folder) / str(self.credential)
        for beside in SERVICE_CREDENTIALS:
            if os.access(beside / str(self.credential), os.R_OK):
                return beside / str(self.credential)
        folders = " and ".join(map(str, SERVICE_CREDENTIALS))
        raise SecretUnavailable(
            f"credential `{self.credential}`: $CREDENTIALS_DIRECTORY is not set and "
            f"{folders} do not have it for this user; run this as root on a host where "
            "the services run"
        )

    def in_reach(self) -> bool:
        """Whether this process can read it."""
        try:
            self.path()
        except SecretUnavailable:
            return False
        return True

    def read(self) -> str:
        """The secret without its final line break. Raises SecretUnavailable."""
        path = self.path()
        try:
            text = path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SecretUnavailable(f"{path}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise SecretUnavailable(f"{path}: must be UTF-8 text") from None
        if not text:
            raise SecretUnavailable(f"{path}: the file is empty")
        return text
