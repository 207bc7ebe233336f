# Questions that the test scripts put to the host's programs, over HTTP as any
# client does. A test script begins with this text; `machine`, `retry` and `t`
# come from the test driver.
# ruff: noqa: F821, INP001, S101
import json
import shlex
from typing import Any
from urllib.parse import urlencode

LOKI = "http://127.0.0.1:3100"
PROMETHEUS = "http://127.0.0.1:9090"
SECRETS = "/var/lib/soloscope-secrets"


def get(url: str, *options: str, **parameters: str) -> str:
    """The body of a successful answer. Fails with curl's words otherwise."""
    if parameters:
        url += "?" + urlencode(parameters)
    words = ["curl", "-sS", "--fail-with-body", "--max-time", "10", *options, url]
    return machine.succeed(shlex.join(words))


def jobs_up() -> set[str]:
    """Prometheus' jobs whose targets all answer."""
    answer = json.loads(
        get(f"{PROMETHEUS}/api/v1/query", query="min by (job) (up) == 1")
    )
    return {row["metric"]["job"] for row in answer["data"]["result"]}


def prometheus(query: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The answer of an instant query: labels (without the scrape's own) -> value."""
    own = {"__name__", "instance", "job"}
    answer = json.loads(get(f"{PROMETHEUS}/api/v1/query", query=query))
    return {
        tuple(sorted((k, v) for k, v in row["metric"].items() if k not in own)): float(
            row["value"][1]
        )
        for row in answer["data"]["result"]
    }


def labels(**pairs: str) -> tuple[tuple[str, str], ...]:
    """Labels as `prometheus` returns them."""
    return tuple(sorted(pairs.items()))


def loki(query: str, minutes: int = 60) -> list[dict[str, Any]]:
    """Each line that a LogQL query finds, with its labels and structured metadata."""
    answer = json.loads(
        get(
            f"{LOKI}/loki/api/v1/query_range",
            "--header",
            "X-Loki-Response-Encoding-Flags: categorize-labels",
            query=query,
            since=f"{minutes}m",
            limit="1000",
        )
    )
    return [
        {"labels": stream["stream"], "time": entry[0], "line": entry[1], **entry[2]}
        for stream in answer["data"]["result"]
        for entry in stream["values"]
    ]


def eventually(what: str, ask: Any, expected: Any = True, seconds: int = 60) -> None:
    """Waits until `ask()` is `expected` (true: anything that is not empty).

    Otherwise fails with what was asked and the last answer.
    """
    last: list[Any] = [None]

    def attempt(_last: bool) -> bool:
        try:
            last[0] = ask()
        except Exception as error:  # noqa: BLE001 (the last one is shown below)
            last[0] = str(error)
            return False
        return bool(last[0]) if expected is True else bool(last[0] == expected)

    try:
        retry(attempt, timeout_seconds=seconds)
    except Exception as error:
        raise AssertionError(
            f"{what}: after {seconds} s it is {last[0]!r}, not {expected!r}"
        ) from error


def beyond_loopback() -> list[str]:
    """The sockets that listen elsewhere than on 127.0.0.1 or ::1."""
    sockets = machine.succeed("ss --no-header -l --tcp --udp --numeric --processes")
    return [
        line
        for line in sockets.splitlines()
        if not line.split()[4].startswith(("127.", "[::1]"))
        # The virtual machine's own: its address comes by DHCP.
        and '"dhcpcd"' not in line
    ]


def secrets_are_kept(names: list[str], *others: str) -> None:
    """The generated secrets are `names`, root's alone, and stand nowhere else.

    `others` are files with further secrets that must not be found either.
    """
    t.assertEqual(machine.succeed(f"ls {SECRETS}").split(), names)
    modes = machine.succeed(f"stat -c '%a %U:%G' {SECRETS} {SECRETS}/*").splitlines()
    t.assertEqual(modes, ["700 root:root", *["400 root:root"] * len(names)])
    machine.succeed(
        f"umask 077; cat {SECRETS}/* {shlex.join(others)} > /var/tmp/known-secrets"
    )
    found = machine.succeed("sort -u /var/tmp/known-secrets").split()
    t.assertEqual(len(found), len(names) + len(others))
    assert min(map(len, found)) >= 20, "a secret is too short"
    # Where they are kept they are found: the searches below can find.
    machine.succeed(f"grep -qsF -f /var/tmp/known-secrets -r {SECRETS}")
    machine.fail("grep -qsF -f /var/tmp/known-secrets -r /nix/store")
    machine.fail("grep -qsF -f /var/tmp/known-secrets -R /etc")
    machine.fail(
        "cat /proc/*/cmdline | tr '\\0' '\\n' | grep -qsF -f /var/tmp/known-secrets"
    )
    machine.fail(
        "journalctl --no-pager -o export | grep -qsF -f /var/tmp/known-secrets"
    )
