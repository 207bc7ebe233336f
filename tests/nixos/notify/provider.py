# ruff: noqa: INP001
"""The stand-in of the Graph API; what it took is in $STATE_DIRECTORY/messages."""

import json
import os
import threading
from pathlib import Path

from graph_api import GraphApi
from notifier_templates import TEMPLATES

token = Path(os.environ["CREDENTIALS_DIRECTORY"], "token").read_text().strip()
messages = Path(os.environ["STATE_DIRECTORY"], "messages")
api = GraphApi(port=8099, token=token, templates=dict(TEMPLATES))


def note(step: str) -> None:
    """Write down what was taken."""
    if step == "taken":
        found = [message.parameters for message in api.taken]
        messages.write_text(json.dumps(found))


api.at_step = note
with api.served():
    threading.Event().wait()
