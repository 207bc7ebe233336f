"""Loki, Promtail, logcli and Alertmanager, built from their Go modules into the cache.

Debian's Alertmanager reads its templates from the folder where its package would
be installed; the module embeds them. Loki's go.mod determines its version.

Promtail reads the journal only with the tag `promtail_journal_enabled`, cgo and
systemd's headers. Where this machine lacks a C compiler or the headers, Debian's
are unpacked for the build. Modules and the build cache are also in the cache
folder while building, and are removed afterwards.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from ..errors import DemoError, say
from .cache import atomic_folder, cache_home, remove
from .debian import Apt, certificates, link_libraries, write_script
from .process import run, stop_group

#: The first Go that builds Loki 3.6 (its go.mod says so).
GO_NEEDED = (1, 24)

#: Modules, build cache and programs together take about 6 GB while building (bytes).
DISK_NEEDED = 7 * 10**9

#: What comes from Loki's module, and what else is built with it.
LOKI = ("loki", "promtail", "logcli")
BINARIES = (*LOKI, "alertmanager")


def programs_folder() -> Path:
    """The folder of go.mod and go.sum: `demo/programs` of this checkout."""
    return Path(__file__).resolve().parents[3] / "programs"


def loki_version() -> str:
    """The version of Loki that go.mod asks for, without the `v`."""
    text = (programs_folder() / "go.mod").read_text()
    match = re.search(r"^\s*github\.com/grafana/loki/v3 v(\S+)", text, re.MULTILINE)
    if match is None:
        raise DemoError(f"{programs_folder() / 'go.mod'} does not require loki/v3")
    return match[1]


def go_environment(settings: Path) -> dict[str, str]:
    """The user's environment for Go, but with telemetry in `settings`.

    Go writes its telemetry to the user's settings folder, which must not change;
    settings from `go env -w` still apply.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return {
        **os.environ,
        "GOENV": os.environ.get("GOENV") or str(Path(home) / "go/env"),
        "XDG_CONFIG_HOME": str(settings),
        "GOTOOLCHAIN": "local",
    }


def check_go() -> str:
    """The path of a Go that is new enough, or a `DemoError` that says what to do."""
    needed = ".".join(map(str, GO_NEEDED))
    go = shutil.which("go")
    if go is None:
        raise DemoError(
            f"Go {needed} or later is needed to build Loki, and there is no `go` on "
            "PATH: install Go (Debian bookworm's own is too old), or put loki, "
            "promtail and logcli on PATH"
        )
    with tempfile.TemporaryDirectory() as settings:
        environment = go_environment(Path(settings))
        done = run([go, "env", "GOVERSION"], cwd=Path("/"), env=environment)
    match = re.match(r"go(\d+)\.(\d+)", done.stdout)
    if match is None:
        raise DemoError(f"`{go} env GOVERSION` failed: {done.stderr.strip()}")
    if (int(match[1]), int(match[2])) < GO_NEEDED:
        raise DemoError(
            f"Go {needed} or later is needed to build Loki; {go} is {match[0][2:]}"
        )
    return go


def _compiles_here() -> bool:
    """Whether the machine's own compiler can build Promtail with the journal."""
    if shutil.which("gcc") is None or shutil.which("pkg-config") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(
            "#include <stdlib.h>\n#include <systemd/sd-journal.h>\n"
            "int main(void) { return EXIT_SUCCESS; }\n"
        )
        found = run(["pkg-config", "--exists", "libsystemd"])
        compiled = run(["gcc", str(source), "-o", str(Path(folder) / "probe")])
    return found.returncode == 0 and compiled.returncode == 0


def _unpack_toolchain(folder: Path) -> dict[str, str]:
    """Debian's compiler and systemd's headers below `folder`: variables for Go."""
    say("no C compiler with systemd's headers here: unpacking Debian's (about 20 s)")
    apt = Apt(blank=True)
    # Resolved as if nothing were installed: a sysroot needs libc's files as well.
    wanted = ("gcc", "libc6-dev", "libsystemd-dev", "pkg-config")
    root = folder / "toolchain"
    apt.unpack(apt.closure(wanted), root)
    libraries = link_libraries(root, folder / "lib")
    tools = root / "usr/bin"
    compiler = next(tools.glob("*-linux-gnu*-gcc-[0-9]*"))
    headers = ":".join(str(path) for path in root.glob("usr/lib/*/pkgconfig"))
    (folder / "bin").mkdir()
    gcc = write_script(
        folder / "bin/gcc",
        {"PATH": f"{tools}:/usr/bin:/bin", "LD_LIBRARY_PATH": str(libraries)},
        [str(compiler), f"--sysroot={root}", f"-B{tools}/"],
    )
    pkg_config = write_script(
        folder / "bin/pkg-config",
        {
            "LD_LIBRARY_PATH": str(libraries),
            "PKG_CONFIG_SYSROOT_DIR": str(root),
            "PKG_CONFIG_LIBDIR": headers,
        },
        [str((tools / "pkgconf").resolve())],
    )
    return {"CC": str(gcc), "PKG_CONFIG": str(pkg_config)}


def install_loki(target: Path) -> None:
    """Build the programs of BINARIES into `target`/bin.

    Raises `DemoError` with the compiler's last lines when the build fails.
    """
    go = check_go()
    free = shutil.disk_usage(cache_home()).free
    if free < DISK_NEEDED:
        raise DemoError(
            f"building Loki needs {DISK_NEEDED / 1e9:.0f} GB for a while, and "
            f"{cache_home()} has {free / 1e9:.1f} GB left"
        )
    cores = len(os.sched_getaffinity(0))
    say(
        f"building Loki, Promtail and logcli {loki_version()}, and Alertmanager, from "
        f"their Go modules, once: about {max(5, 24 // cores)} minutes on {cores} cores"
    )
    for left in cache_home().glob(".go-build.*"):
        remove(left)  # of a build that was killed; the lock says none is running
    folder = Path(tempfile.mkdtemp(prefix=".go-build.", dir=cache_home()))
    try:
        variables = {} if _compiles_here() else _unpack_toolchain(folder)
        with atomic_folder(target) as temporary:
            _go_install(go, folder, temporary / "bin", variables)
    finally:
        remove(folder)


def _go_install(
    go: str, folder: Path, bin_folder: Path, variables: Mapping[str, str]
) -> None:
    module = folder / "module"
    module.mkdir()
    for name in ("go.mod", "go.sum"):
        shutil.copy(programs_folder() / name, module / name)
    environment = {
        **go_environment(folder / "settings"),
        "GOBIN": str(bin_folder),
        "GOPATH": str(folder / "gopath"),
        "GOMODCACHE": str(folder / "gopath/pkg/mod"),
        "GOCACHE": str(folder / "gocache"),
        "GOTMPDIR": str(folder),
        "CGO_ENABLED": "1",
        **certificates(),
        **variables,
    }
    bin_folder.mkdir()
    log = folder / "install.log"
    argv = [go, "install", "-tags", "promtail_journal_enabled", "tool"]
    started = time.monotonic()
    with log.open("w") as output:
        build = subprocess.Popen(
            argv,
            cwd=module,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    code = build.wait(timeout=60)
                    break
                except subprocess.TimeoutExpired:
                    minutes = (time.monotonic() - started) / 60
                    say(f"… still building Loki ({minutes:.0f} min)")
        except BaseException:
            stop_group(build)
            raise
    if code:
        last = log.read_text().strip().splitlines()[-12:]
        raise DemoError("building Loki failed:\n  " + "\n  ".join(last))
    for name in BINARIES:
        if not (bin_folder / name).is_file():
            raise DemoError(f"building Loki brought no {name}")
    say(f"Loki is built ({(time.monotonic() - started) / 60:.1f} min)")
