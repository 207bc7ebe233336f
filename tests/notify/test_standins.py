"""Each check of the stand-ins refuses what violates it, with the real one's code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from graph_api import GraphApi, Template
from notifier_templates import TEMPLATES
from provider_server import Pair
from twilio_api import TwilioApi

Change = Callable[[Any], None]

TO = "+4915123456789"


def text(body: str = "hello") -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": TO,
        "type": "text",
        "text": {"preview_url": False, "body": body},
    }


def template(*parameters: str, name: str = "soloscope_alert") -> dict[str, Any]:
    return {
        **{k: v for k, v in text().items() if k != "text"},
        "type": "template",
        "template": {
            "name": name,
            "language": {"code": "en"},
            "components": [
                {
                    "type": "body",
                    "parameters": [{"type": "text", "text": p} for p in parameters],
                }
            ],
        },
    }


BARE = {key: value for key, value in text().items() if key != "text"}
FOUR = ("a", "b", "c", "d")
GRAPH: dict[str, tuple[int, dict[str, Any]]] = {
    "not JSON's product": (100, {**text(), "messaging_product": "sms"}),
    "recipient_type": (100, {**text(), "recipient_type": "group"}),
    "unknown field": (100, {**text(), "preview": True}),
    "to": (131009, {**text(), "to": "0171-123"}),
    "to missing": (131009, {k: v for k, v in text().items() if k != "to"}),
    "type": (131009, {**BARE, "type": "sticker", "sticker": {}}),
    "empty body": (131008, text(" ")),
    "no text": (131008, {**text(), "text": None}),
    "4097 characters": (100, text("x" * 4097)),
    "4096 emoji": (100, text("🚨" * 4096)),
    "preview": (100, {**text(), "text": {"body": "x", "preview_url": "no"}}),
    "field of text": (100, {**text(), "text": {"body": "x", "bold": True}}),
    "no template": (131008, {**template(*FOUR), "template": None}),
    "its name": (100, template(*FOUR, name="Soloscope Alert")),
    "unknown template": (132001, template(*FOUR, name="other")),
    "three parameters": (132000, template(*FOUR[:3])),
    "five parameters": (132000, template(*FOUR, "e")),
    "newline": (100, template("a\nb", *FOUR[1:])),
    "tab": (100, template("a\tb", *FOUR[1:])),
    "five spaces": (100, template("a     b", *FOUR[1:])),
    "empty parameter": (131008, template("", *FOUR[1:])),
    "too long": (132005, template("x" * 1000, *FOUR[1:])),
    "paused": (132015, template(name="paused")),
    "disabled": (132016, template(name="disabled")),
}


@pytest.fixture
def api() -> GraphApi:
    templates = {
        **TEMPLATES,
        ("paused", "en"): Template("x", "PAUSED"),
        ("disabled", "en"): Template("x", "DISABLED"),
    }
    return GraphApi(templates=templates, window_until=1e12)


def ask(
    api: GraphApi, body: object, path: str = "", token: str = "EAAtoken", **more: str
) -> Any:
    """The answer; `more` are headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    usual = f"/v25.0/{api.phone_number_id}/messages"
    return api.answer(path or usual, headers, data)


def code(reply: Any) -> int:
    return int(reply.body["error"]["code"]) if "error" in reply.body else 0


@pytest.mark.parametrize("name", GRAPH)
def test_what_graph_refuses(api: GraphApi, name: str) -> None:
    expected, body = GRAPH[name]
    reply = ask(api, body)
    assert (code(reply), reply.status >= 400) == (expected, True)
    assert not api.taken


def test_graph_refuses_the_request_around_it(api: GraphApi) -> None:
    assert code(ask(api, text(), path="/v25.0/messages")) == 2500
    assert code(ask(api, text(), path="/v25.0/1/messages")) == 100
    assert code(ask(api, text(), token="other")) == 190
    assert code(ask(api, text(), content_type="text/plain")) == 100
    assert code(ask(api, b"{")) == 100
    bad: dict[str, Any] = template(*FOUR)
    bad["template"]["components"][0]["parameters"][0] = {"type": "currency"}
    assert code(ask(api, bad)) == 132012
    bad["template"]["components"] = {}
    assert code(ask(api, bad)) == 100
    bad["template"]["components"] = [{"type": "header"}]
    assert code(ask(api, bad)) == 132000
    bad["template"]["language"] = "en"
    assert code(ask(api, bad)) == 131008
    assert not api.taken
    for right in (text("x" * 4096), text("🚨" * 2048), template(*FOUR)):
        reply = ask(api, right)
        assert reply.body["messages"][0]["id"].startswith("wamid.")
    assert len(api.taken) == 3


def test_graph_keeps_the_window_and_the_pairs_limit(api: GraphApi) -> None:
    api.window_until = 0
    api.late_window = False
    assert code(ask(api, text())) == 131047
    assert code(ask(api, template(*FOUR))) == 0
    api.late_window = True
    api.registered = frozenset()
    # Accepted, and told later: nothing is taken.
    assert [code(ask(api, body)) for body in (text(), template(*FOUR))] == [0, 0]
    assert len(api.taken) == 1
    api.pair = Pair(45, 6.0)
    codes = [code(ask(api, template(*FOUR))) for _ in range(46)]
    assert codes == [0] * 45 + [131056]


def form(**change: str | None) -> dict[str, str]:
    whole = {
        "From": "whatsapp:+14155238886",
        "To": f"whatsapp:{TO}",
        "ContentSid": "HX" + "a" * 32,
        "ContentVariables": json.dumps({"1": "a", "2": "b"}),
        **change,
    }
    return {key: value for key, value in whole.items() if value is not None}


def variables(**values: object) -> str:
    return json.dumps({name.removeprefix("n"): value for name, value in values.items()})


TWILIO: dict[str, tuple[int, dict[str, str]]] = {
    "no From": (21603, form(From=None)),
    "another From": (63007, form(From="whatsapp:+1999")),
    "no To": (21604, form(To=None)),
    "a To without whatsapp": (21211, form(To=TO)),
    "callback": (21609, form(StatusCallback="example")),
    "a SID": (21655, form(ContentSid="soloscope_alert")),
    "an unknown SID": (20404, form(ContentSid="HX" + "f" * 32)),
    "variables": (21656, form(ContentVariables="a=b")),
    "numbers": (21656, form(ContentVariables=variables(n1="a", n2=5))),
    "too few": (63028, form(ContentVariables=variables(n1="a"))),
    "newline": (21656, form(ContentVariables=variables(n1="a\nb", n2="b"))),
    "empty variable": (21656, form(ContentVariables=variables(n1="", n2="b"))),
    "no body": (21602, form(ContentSid=None)),
    "1601 characters": (21617, form(ContentSid=None, Body="x" * 1601)),
}


@pytest.mark.parametrize("name", [*TWILIO, "right"])
def test_what_twilio_refuses(name: str) -> None:
    api = TwilioApi(contents={"HX" + "a" * 32: 2}, window_until=1e12)
    expected, body = TWILIO.get(name, (0, form()))
    path = f"/2010-04-01/Accounts/{api.sid}/Messages.json"
    import base64

    login = base64.b64encode(f"{api.sid}:{api.token}".encode()).decode()
    headers = {
        "authorization": f"Basic {login}",
        "content-type": "application/x-www-form-urlencoded",
    }
    data = urlencode(body).encode()
    assert api.answer(path, headers, data).body.get("code", 0) == expected
    assert len(api.taken) == (expected == 0)
    assert api.answer("/x", headers, data).body["code"] == 20404
    wrong = {**headers, "authorization": "Basic eA=="}
    assert api.answer(path, wrong, data).body["code"] == 20003
    wrong = {**headers, "content-type": "application/json"}
    assert api.answer(path, wrong, data).body["code"] == 20422
    api.window_until = 0
    free = urlencode(form(ContentSid=None, Body="x")).encode()
    before = len(api.taken)
    assert api.answer(path, headers, free).status == 201  # refused by the callback
    assert len(api.taken) == before
