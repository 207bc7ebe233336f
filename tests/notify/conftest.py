"""A notifier and the provider it sends to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from graph_api import GraphApi
from notifier import Notifier
from notifier_templates import TEMPLATES
from twilio_api import TwilioApi


@pytest.fixture
def graph() -> Iterator[GraphApi]:
    api = GraphApi(templates=dict(TEMPLATES))
    with api.served():
        yield api


@pytest.fixture
def notifier(tmp_path: Path, graph: GraphApi) -> Iterator[Notifier]:
    """Not started yet; it sends to `graph`."""
    made = Notifier(tmp_path, graph.port)
    graph.webhook = f"{made.url}/whatsapp"
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def twilio() -> Iterator[TwilioApi]:
    contents = {"HX" + "a" * 32: 4, "HX" + "b" * 32: 10}
    api = TwilioApi(contents=contents)
    with api.served():
        yield api


@pytest.fixture
def by_twilio(tmp_path: Path, twilio: TwilioApi) -> Iterator[Notifier]:
    """Not started yet; it sends to `twilio`."""
    made = Notifier(tmp_path, twilio.port, "twilio")
    twilio.webhook = f"{made.url}/whatsapp"
    twilio.public_url = "https://example.org/soloscope/whatsapp"
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
