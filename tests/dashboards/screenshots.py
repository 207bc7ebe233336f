"""Pictures of every dashboard with the demo's data, and how long each takes to paint.

    python tests/dashboards/screenshots.py docs/images

Starts a stack of its own with Grafana, and needs `grafana` on PATH, Chromium, and the
Python packages playwright and pillow, which nothing else here needs. It writes small
PNG files: UID.png (dark, 1440 wide), UID-light.png and UID-phone.png. With
`--time` it writes none, and prints the seconds from opening to the last answer
of a query, beside those of an empty dashboard.
"""

from __future__ import annotations

import argparse
import base64
import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
from dashboard_files import UIDS
from soloscope_demo.stack import Options, Stack, running

#: Name of a picture's end -> theme and size.
FORMS = {
    "": ("dark", 1440, 900),
    "-light": ("light", 1440, 900),
    "-phone": ("dark", 390, 844),
}
#: What a dashboard is opened with.
VARIABLES = "&var-who=u_000"
EMPTY = {"uid": "empty", "title": "empty", "panels": [], "schemaVersion": 39}


def opened(page: Any, url: str) -> float:
    """Open a page; the seconds until the last answer of a query, or of the page."""
    started = time.monotonic()
    last = started
    waiting: set[Any] = set()

    def begin(request: Any) -> None:
        if not request.url.endswith("/live/ws"):
            waiting.add(request)

    def end(request: Any) -> None:
        nonlocal last
        waiting.discard(request)
        last = time.monotonic()

    handlers = {"request": begin, "requestfinished": end, "requestfailed": end}
    for name, handler in handlers.items():
        page.on(name, handler)
    page.goto(url, wait_until="load")
    # Painted: nothing was asked for a second.
    while waiting or time.monotonic() - last < 1:
        page.wait_for_timeout(50)
        if time.monotonic() - started > 60:
            break
    for name, handler in handlers.items():
        page.remove_listener(name, handler)
    return last - started


def small(picture: bytes) -> bytes:
    """The picture with 256 colours: with fewer those of graphs become one."""
    from PIL import Image  # type: ignore[import-not-found]

    with Image.open(io.BytesIO(picture)) as image:
        reduced = image.convert("RGB").quantize(256)
        out = io.BytesIO()
        reduced.save(out, "PNG", optimize=True)
        return out.getvalue()


def pictures(browser: Any, stack: Stack, folder: Path, only: list[str]) -> None:
    """Write a picture of each dashboard in each form."""
    folder.mkdir(parents=True, exist_ok=True)
    for end, (theme, width, height) in FORMS.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            extra_http_headers=login(stack),
        )
        page = context.new_page()
        for uid in only:
            url = f"{stack.url('grafana')}/d/{uid}?kiosk&theme={theme}{VARIABLES}"
            opened(page, url)
            path = folder / f"{uid}{end}.png"
            path.write_bytes(small(page.screenshot()))
            print(path, path.stat().st_size)
        context.close()


def times(browser: Any, stack: Stack, only: list[str], rounds: int) -> None:
    """Print how long each dashboard takes, beside an empty one."""
    requests.post(
        f"{stack.url('grafana')}/api/dashboards/db",
        json={"dashboard": EMPTY, "overwrite": True},
        headers=login(stack),
        timeout=30,
    ).raise_for_status()
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, extra_http_headers=login(stack)
    )
    page = context.new_page()
    for uid in ["empty", *only]:
        url = f"{stack.url('grafana')}/d/{uid}?kiosk&from=now-7d&to=now{VARIABLES}"
        found = [opened(page, url) for _ in range(rounds)]
        print(f"{uid:32} {statistics.median(found):5.2f} s  of {rounds}")
    context.close()


def login(stack: Stack) -> dict[str, str]:
    """The header that logs the first account of Grafana in."""
    pair = f"admin:{stack.secret('grafana-admin-password')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    parser.add_argument("--time", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--hours", type=float, default=25, help="of the app's metrics")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--only", nargs="*", default=sorted(UIDS), metavar="UID")
    given = parser.parse_args()
    from playwright.sync_api import (  # type: ignore[import-not-found]
        sync_playwright,
    )

    with tempfile.TemporaryDirectory() as root:
        options = Options(
            Path(root), free_ports=True, visit_every=0, metrics_history=given.hours
        )
        with running(options) as stack, sync_playwright() as playwright:
            stack.loki.flush()
            stack.until(
                "recorded series",
                lambda: stack.prometheus.values("app:http_requests:rate3d"),
                180,
            )
            time.sleep(60 if not given.time else 5)  # a few points for the graphs
            browser = playwright.chromium.launch(
                executable_path=given.chromium,
                args=["--no-sandbox", "--disable-gpu"],
            )
            if given.time:
                times(browser, stack, given.only, given.time)
            else:
                pictures(browser, stack, given.folder, given.only)
            browser.close()


if __name__ == "__main__":
    main()
