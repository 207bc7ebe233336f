"""Which unit and app a line of the journal belongs to, by the declaration."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Entry, Factory, LogPath

WORD = {"word": {"expression": "word=(\\w+)"}}
DECLARED: dict[str, Any] = {
    "apps": {
        "shop": {"containers": ["silly_turing", "shop-web-1"]},
        "jobs": {"units": ["worker@.service", "podman-mail.service"]},
    },
    "logs": {
        "attachedContainers": ["db"],
        "redact": {
            "units": {
                "docker-db.service": WORD,
                "docker-shop-web-1.service": WORD,
                "worker@*.service": WORD,
            }
        },
    },
}


@pytest.fixture(scope="module")
def declared(engine: str, paths: Factory) -> LogPath:
    """A log path with apps in containers and a template of units."""
    path = paths(DECLARED, shipper=engine)
    path.start()
    return path


def say(path: LogPath, line: str, unit: str, **fields: str) -> Entry:
    """Print a line, and the entry that becomes of it."""
    path.journal.say(unit, line, **fields)
    (entry,) = path.wait_for(f'{{unit=~".+"}} |= "{line.partition(" word=")[0]}"', 1)
    return entry


def test_a_container_belongs_to_an_app_by_its_name(declared: LogPath) -> None:
    """Whatever the name looks like, and whichever program runs it."""
    docker = say(declared, "c1", "docker.service", CONTAINER_NAME="silly_turing")
    assert docker.labels["app"] == "shop"
    assert docker.labels["unit"] == "docker-silly_turing.service"
    scope = "libpod-conmon-0123456789abcdef.scope"
    podman = say(declared, "c2", scope, CONTAINER_NAME="shop-web-1")
    assert podman.labels["app"] == "shop"
    other = say(declared, "c3", "docker.service", CONTAINER_NAME="shop-web-2")
    assert "app" not in other.labels


def test_a_container_belongs_to_an_app_by_its_unit(declared: LogPath) -> None:
    """As virtualisation.oci-containers names it."""
    entry = say(declared, "u1", "podman-mail.service", CONTAINER_NAME="mail")
    assert entry.labels["app"] == "jobs"
    assert entry.labels["unit"] == "podman-mail.service"


def test_what_docker_prints_twice_is_there_once(declared: LogPath) -> None:
    """Once by Docker's driver, once by the client that the unit runs."""
    declared.journal.say("docker.service", "t1 word=dog", CONTAINER_NAME="db")
    entry = say(declared, "t1 word=dog", "docker-db.service")
    assert entry.labels["unit"] == "docker-db.service"
    assert entry.line == "t1 word=***"
    # A later line has passed, so the other one would be there by now.
    say(declared, "t2", "docker-db.service")
    assert len(declared.everything('{unit=~".+"} |= "t1"')) == 1


@pytest.mark.parametrize("unit", ["worker@1.service", "worker@blue.service"])
def test_a_template_is_all_of_its_instances(declared: LogPath, unit: str) -> None:
    """For the app of a line and for what is masked in it."""
    entry = say(declared, f"of {unit} word=dog", unit)
    assert entry.labels["app"] == "jobs"
    assert entry.labels["unit"] == unit
    assert entry.line == f"of {unit} word=***"


def test_a_mask_of_a_containers_unit(declared: LogPath) -> None:
    """It is applied to what the container prints."""
    entry = say(declared, "m1 word=dog", "docker.service", CONTAINER_NAME="shop-web-1")
    assert entry.line == "m1 word=***"
