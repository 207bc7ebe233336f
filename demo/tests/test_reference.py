"""What is made from the commands, and what they need."""

from __future__ import annotations

import subprocess

from soloscope_demo.tools import venvs
from soloscope_demo.tools.reference import PAGE, page


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "old: run `./justw commands`"


def test_the_justfile_of_the_template_is_read_by_just() -> None:
    file = venvs.checkout() / "templates/default/justfile"
    done = subprocess.run(
        [str(venvs.just()), "--justfile", str(file), "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    for recipe in ("deploy-prod", "health-check", "debug-user", "validate", "logs"):
        assert f"\n    {recipe}" in done.stdout
