"""The kit for Node apps (kits/node), built in the cache."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from ..errors import DemoError, say
from .cache import atomic_folder, cache_home, lock
from .process import run
from .venvs import checkout

#: The oldest Node that the kit supports.
NODE = 20


def kit() -> Path:
    """The folder of the built kit, with its packages beside it.

    Raises `DemoError` when Node is missing or old, or its packages cannot be had.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise DemoError("no node and npm on PATH")
    version = run(["node", "--version"]).stdout.strip()
    found = re.match(r"v(\d+)", version)
    if found is None or int(found[1]) < NODE:
        raise DemoError(f"node is {version}, and the kit needs {NODE} or later")
    source = checkout() / "kits/node"
    files = [
        *(source / name for name in ("package.json", "package-lock.json")),
        *(source / name for name in ("tsconfig.json", ".npmrc")),
        *sorted((source / "src").iterdir()),
    ]
    content = b"".join(path.read_bytes() for path in files) + version.encode()
    target = cache_home() / f"node-kit-{hashlib.sha256(content).hexdigest()[:12]}"
    with lock("node-kit"):
        if not target.exists():
            say("building the kit for Node (about 20 s)")
            with atomic_folder(target) as folder:
                for path in files:
                    copy = folder / path.relative_to(source)
                    copy.parent.mkdir(exist_ok=True)
                    shutil.copyfile(path, copy)
                for argv in (
                    ["npm", "ci", "--no-audit", "--no-fund"],
                    ["npm", "run", "build"],
                ):
                    done = run(argv, cwd=folder, together=True)
                    if done.returncode:
                        last = " ".join(done.stdout.split())[-300:]
                        raise DemoError(f"`{' '.join(argv)}` failed: {last}")
    return target
