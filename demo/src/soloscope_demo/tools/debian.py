"""Debian packages without root and without installing any of them.

apt runs with private state in the cache: its own lists, its own archive
folder, its own list of sources. The mirrors are those of the system. Packages
are unpacked (`dpkg -x`) into a folder of the cache and used from there, so
nothing else on the machine changes.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DemoError, say
from .cache import atomic_folder, cache_home, remove
from .process import run

#: The source of programs that are too old in the system's own release. Their
#: packages are Go programs that need only libc.
NEWER_SUITE = "forky"

#: A list of packages younger than this is not fetched again (seconds).
LISTS_FRESH_FOR = 3600

#: The libraries of the package libc6.
_LIBC = re.compile(
    r"(ld-linux.*|lib(c|m|mvec|pthread|dl|rt|resolv|util|anl|nsl|BrokenLocale|"
    r"thread_db|c_malloc_debug|memusage|pcprofile|nss_\w+))\.so"
)

_NEEDED = ("apt-get", "apt-config", "dpkg", "dpkg-deb")


@dataclass(frozen=True)
class Source:
    """One line of a `sources.list`, without its components (always `main`)."""

    uri: str
    suite: str
    options: str = ""

    def line(self, suite: str | None = None) -> str:
        """The line for this mirror, for `suite` when given."""
        options = f"[{self.options}] " if self.options else ""
        return f"deb {options}{self.uri} {suite or self.suite} main"


def parse_list(text: str) -> Iterator[Source]:
    """The `deb` lines of a one-line-style sources.list(5)."""
    pattern = re.compile(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$")
    for line in text.splitlines():
        match = pattern.match(line.split("#")[0].strip())
        if match and "main" in match[4].split():
            yield Source(match[2], match[3], _signed_by(match[1] or ""))


def parse_deb822(text: str) -> Iterator[Source]:
    """The `deb` stanzas of a deb822-style sources.list(5)."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            if line.startswith("#") or line[:1].isspace():
                continue
            key, found, value = line.partition(":")
            if found:
                fields[key.strip().lower()] = value.strip()
        if fields.get("enabled", "yes") == "no":
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        if "main" not in fields.get("components", "").split():
            continue
        keyring = fields.get("signed-by", "")
        options = f"signed-by={keyring}" if keyring.startswith("/") else ""
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, options)


def _signed_by(options: str) -> str:
    """The option `signed-by` of a line; the others are not needed."""
    return " ".join(o for o in options.split() if o.startswith("signed-by="))


def system_sources(codename: str, etc: Path = Path("/etc/apt")) -> list[Source]:
    """The system's own sources for its release, its updates and its security.

    Third-party repositories are left out.
    """
    found: list[Source] = []
    single = etc / "sources.list"
    parts = sorted((etc / "sources.list.d").glob("*"))
    for path in [single, *parts]:
        if not path.is_file():
            continue
        text = path.read_text()
        if path.suffix == ".sources":
            found.extend(parse_deb822(text))
        elif path.suffix == ".list":
            found.extend(parse_list(text))
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    return [source for source in dict.fromkeys(found) if source.suite in suites]


class Apt:
    """apt on a private state; `newer` adds the suite of newer packages.

    `blank` resolves as if nothing were installed, so that a closure is whole.
    The lists of packages are fetched when they are old.
    """

    def __init__(self, *, newer: bool = False, blank: bool = False) -> None:
        missing = [name for name in _NEEDED if shutil.which(name) is None]
        release = {}
        with contextlib.suppress(OSError):
            release = platform.freedesktop_os_release()
        codename = release.get("VERSION_CODENAME", "")
        if missing or release.get("ID") != "debian" or not codename:
            raise DemoError(
                "programs can be fetched only on a Debian system (this one is "
                f"{release.get('PRETTY_NAME', 'unknown')}): put the missing ones on "
                "PATH, or use `nix run .#demo`"
            )
        sources = system_sources(codename)
        main = next((s for s in sources if s.suite == codename), None)
        if main is None:
            raise DemoError(
                f"no source for {codename} main in /etc/apt/sources.list or "
                "/etc/apt/sources.list.d: add the system's own mirror there"
            )
        self._suite = NEWER_SUITE if newer else codename
        self._folder = cache_home() / "apt" / self._suite
        lines = [main.line(NEWER_SUITE)] if newer else [s.line() for s in sources]
        self._config = self._configure(lines, blank=blank)
        self._update()

    def _configure(self, lines: Sequence[str], *, blank: bool) -> Path:
        folder = self._folder
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text("".join(f"{line}\n" for line in lines))
        status = Path("/var/lib/dpkg/status")
        if blank:
            status = folder / "status"
            status.touch()
        # The system's settings for its mirrors (proxies, certificates) apply here
        # as well; its hooks do not.
        reached = [
            line
            for line in run(["apt-config", "dump"]).stdout.splitlines()
            if line.startswith(("Acquire::http", "Acquire::https", "APT::Arch"))
        ]
        config = folder / ("blank.conf" if blank else "apt.conf")
        own = {
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": status,
            "Dir::State::extended_states": folder / "extended_states",
            "Dir::Cache": folder,
            "Dir::Cache::archives": folder / "archives",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Log": folder,
            "APT::Sandbox::User": "",
            "APT::Get::Assume-Yes": "true",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        text = "".join(f"{line}\n" for line in reached)
        text += "".join(f'{key} "{value}";\n' for key, value in own.items())
        config.write_text(text)
        return config

    def _run(self, *argv: str, cwd: Path | None = None) -> str:
        done = run(argv, cwd=cwd, env={"APT_CONFIG": str(self._config), "LC_ALL": "C"})
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("E:")] or lines[-1:]
            raise DemoError(f"`{' '.join(argv[:2])}` failed: {' '.join(errors)}")
        return done.stdout

    def _update(self) -> None:
        """Fetch the lists of packages, unless that was done in this hour."""
        stamp = self._folder / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_FRESH_FOR:
            return
        say(f"fetching Debian's list of packages for {self._suite} (about 5 s)")
        update = ("apt-get", "update", "-q", "--error-on=any")
        try:
            self._run(*update)
        except DemoError as error:
            # A mirror that is not updated (a snapshot, a local copy) serves lists
            # past their date. Their signatures are still checked.
            if "is expired" not in str(error):
                raise
            say(f"the mirror's list for {self._suite} is past its date: using it")
            self._run(*update, "-o", "Acquire::Check-Valid-Until=false")
        stamp.touch()

    def closure(self, packages: Iterable[str]) -> dict[str, str]:
        """`packages` and what they need that is not installed, with versions."""
        plan = self._run("apt-get", "install", "-s", "--reinstall", *packages)
        pattern = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ")
        return {m[1]: m[2] for m in map(pattern.match, plan.splitlines()) if m}

    def candidate(self, package: str) -> str:
        """The version of `package` that would be fetched."""
        shown = self._run("apt-cache", "show", "--no-all-versions", package)
        match = re.search(r"^Version: (\S+)$", shown, re.MULTILINE)
        if match is None:
            raise DemoError(f"{self._suite} has no package {package}")
        return match[1]

    def unpack(self, packages: dict[str, str], root: Path) -> None:
        """Fetch each package at its version and unpack it below `root`."""
        folder = root.parent / f"{root.name}.debs"
        folder.mkdir()
        wanted = [f"{name}={version}" for name, version in packages.items()]
        self._run("apt-get", "download", "-q", *wanted, cwd=folder)
        root.mkdir(exist_ok=True)
        for archive in sorted(folder.glob("*.deb")):
            self._run("dpkg", "-x", str(archive), str(root))
        remove(folder)
        for name in ("doc", "man", "locale", "info", "lintian", "bash-completion"):
            remove(root / "usr/share" / name)

    def unpack_newest(self, package: str, root: Path) -> None:
        """Fetch a package, without what it needs, and unpack it below `root`."""
        self.unpack({package: self.candidate(package)}, root)


def forget_lists() -> None:
    """Remove apt's private state, which is unused once the programs are unpacked."""
    remove(cache_home() / "apt")


def link_libraries(root: Path, folder: Path) -> Path:
    """A folder with a link to each shared library of an unpacked tree.

    libc's own are left out: they must have the same version as the loader, which
    is the system's.
    """
    folder.mkdir()
    for path in sorted(root.rglob("*.so*")):
        link = folder / path.name
        if path.is_dir() or _LIBC.match(path.name) or link.is_symlink():
            continue
        if "gconv" not in path.parts:
            link.symlink_to(path)
    return folder


def write_script(path: Path, variables: Mapping[str, str], argv: Sequence[str]) -> Path:
    """A script that becomes the program `argv` with `variables` set."""
    lines = [f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()]
    path.write_text(f'#!/bin/sh\n{"".join(lines)}exec {shlex.join(argv)} "$@"\n')
    path.chmod(0o755)
    return path


def certificates() -> dict[str, str]:
    """Variables that name a CA bundle, where the system itself has none.

    A minimal Debian has no `ca-certificates`; without them neither pip nor Go
    reaches anything over TLS. Its package is then unpacked into the cache.
    """
    import ssl

    paths = ssl.get_default_verify_paths()
    known = (paths.cafile, "/etc/ssl/certs/ca-certificates.crt")
    if any(path and Path(path).is_file() for path in known):
        return {}
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT"):
        return {}
    target = cache_home() / "ca-certificates"
    bundle = target / "bundle.crt"
    if not bundle.exists():
        say("no CA certificates on this machine: fetching Debian's (about 5 s)")
        with atomic_folder(target) as folder:
            Apt().unpack_newest("ca-certificates", folder / "root")
            found = folder.glob("root/usr/share/ca-certificates/mozilla/*.crt")
            text = "\n".join(path.read_text() for path in sorted(found))
            (folder / bundle.name).write_text(text)
    return {"SSL_CERT_FILE": str(bundle), "PIP_CERT": str(bundle)}
