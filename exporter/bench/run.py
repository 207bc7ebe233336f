"""All measurements, one after the other, against programs that this starts."""

from __future__ import annotations

import os
import platform
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import redis

from bench import processes, stalls
from bench.client import PLAIN, load
from bench.data import (
    FOREIGN,
    LARGE,
    SMALL,
    DataSet,
    Touch,
    add_foreign,
    configuration,
)
from bench.processes import Process, free_port, running
from bench.results import Load, Results, Stall, Start, median, quantile
from bench.scrapes import Candidate, Effort, measure

__all__ = ["Plan", "run"]

# The candidates, by the names that goals.py and page.py know them by.
TODAY = "soloscope, today"
TODAY_PURE = "soloscope, today, without hiredis"
MONTH = "soloscope, 30 days"
REX_TODAY = "rex min, today"
REX_STOCK = "rex stock, today"
REX_MONTH = "rex min, 30 days"
MILLION = "soloscope, today, 1M foreign keys"
MILLION_NONE = "soloscope, today, no foreign keys"
REX_MILLION = "rex min by pattern, today, 1M foreign keys"
REX_MILLION_SINGLE = "rex min, today, 1M foreign keys"
LARGE_MONTH = "soloscope, LARGE, 30 days"
REX_LARGE = "rex min by pattern, LARGE, 30 days"
BARE = "Python's http.server and nothing else"
IDLE = "nobody scrapes"

CLIENTS = 8


@dataclass(frozen=True)
class Plan:
    """How much is measured. `quick` shows that it works, not how fast it is."""

    scrapes: Effort = field(default_factory=lambda: Effort(rounds=20, block=0.08))
    heavy: Effort = field(default_factory=lambda: Effort(rounds=7, block=0.08))
    growth: Effort = field(default_factory=lambda: Effort(rounds=5, block=0.05))
    foreign: int = FOREIGN
    large: DataSet = LARGE
    load_rounds: int = 4
    load_seconds: float = 2
    starts: int = 21
    stall_rounds: int = 4
    stall_seconds: float = 5
    days: Sequence[int] = (1, 7, 15, 30, 45, 60, 90)
    names: Sequence[int] = (10, 30, 100, 300, 1000)
    apps: Sequence[int] = (1, 2, 5, 10, 20)
    foreigns: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)

    @classmethod
    def quick(cls) -> Plan:
        """Seconds instead of minutes."""
        effort = Effort(rounds=2, block=0.01)
        return cls(
            scrapes=effort,
            heavy=effort,
            growth=effort,
            foreign=20_000,
            large=replace(LARGE, counters=33, breakdowns=3, days=30),
            load_rounds=1,
            load_seconds=0.3,
            starts=2,
            stall_rounds=1,
            stall_seconds=0.5,
            days=(1, 30),
            names=(10, 100),
            apps=(1, 3),
            foreigns=(1_000, 10_000),
        )


@dataclass
class _Server:
    """A Redis, what is in it, and what changes it between scrapes."""

    process: Process
    client: redis.Redis
    today: date
    data: DataSet = SMALL
    _touch: Touch | None = None

    def fill(self, data: DataSet) -> None:
        """Replace all keys by those of `data`."""
        self.close()
        self.client.flushall()
        data.fill(self.client, self.today)
        self.data = data
        self._touch = Touch(self.client, data, self.today)

    def close(self) -> None:
        """Close the connection that changes keys."""
        if self._touch is not None:
            self._touch.close()

    @property
    def touch(self) -> Touch:
        """What changes every key of today."""
        if self._touch is None:
            raise ValueError("this Redis is empty")
        return self._touch


@dataclass
class _Bench:
    """What all measurements share."""

    plan: Plan
    folder: Path
    rex: Path
    order: random.Random
    zone: str
    today: date
    say: Callable[[str], None]
    without_hiredis: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.without_hiredis = processes.without_hiredis(self.folder)

    @contextmanager
    def redis(self, data: DataSet | None = None, foreign: int = 0) -> Iterator[_Server]:
        """A Redis with these keys."""
        with (
            processes.redis_server(self.folder) as process,
            redis.Redis(port=process.port, protocol=2) as client,
        ):
            server = _Server(process, client, self.today)
            if data is not None:
                server.fill(data)
            add_foreign(client, foreign)
            yield server
            server.close()

    def soloscope(
        self,
        stack: ExitStack,
        key: str,
        server: _Server,
        history: int | None,
        environment: dict[str, str] | None = None,
    ) -> Candidate:
        """A running `soloscope serve`."""
        port, data = free_port(), server.data
        config = configuration(data, server.process.port, port, self.zone, history)
        command = processes.soloscope_command(self.folder, config)
        process = stack.enter_context(running(command, port, environment))
        parts = data.apps * data.breakdowns * data.fields
        expect = {
            b"soloscope_count_total{": data.apps * data.counters,
            b"soloscope_breakdown_total{": parts,
            b"soloscope_up": data.apps,
        }
        if history != 0:
            # Every day of every counter; windows on top.
            days = 30 if history is None else history
            expect[b"soloscope_day{"] = days * data.apps * data.counters
        return Candidate(
            key,
            process,
            server.process,
            server.touch,
            expect,
            at_least=history != 0,
        )

    def redis_exporter(
        self,
        stack: ExitStack,
        key: str,
        server: _Server,
        keys: str,
        expect: int,
        *,
        stock: bool = False,
    ) -> Candidate:
        """A running redis_exporter that must show `expect` keys."""
        port = free_port()
        command = processes.redis_exporter_command(
            self.rex, server.process.port, port, [keys], stock=stock
        )
        process = stack.enter_context(running(command, port))
        return Candidate(
            key,
            process,
            server.process,
            server.touch,
            {b"redis_key_size{": expect},
            at_least=True,
        )

    # --- the measurements -----------------------------------------------------------

    def small(self, results: Results) -> None:
        """SMALL: scrapes, eight clients, other clients of Redis, starts."""
        keys_today = processes.single_keys(SMALL.keys(self.today))
        keys_month = processes.single_keys(SMALL.all_keys(self.today))
        per_day, all_days = SMALL.per_day, SMALL.per_day * SMALL.days
        with self.redis(SMALL) as server, ExitStack() as stack:
            today = self.soloscope(stack, TODAY, server, 0)
            pure = self.soloscope(stack, TODAY_PURE, server, 0, self.without_hiredis)
            month = self.soloscope(stack, MONTH, server, None)
            rex = self.redis_exporter(stack, REX_TODAY, server, keys_today, per_day)
            rex_month = self.redis_exporter(
                stack, REX_MONTH, server, keys_month, all_days
            )
            rex_stock = self.redis_exporter(
                stack, REX_STOCK, server, keys_today, per_day, stock=True
            )
            everyone = [today, pure, month, rex, rex_month, rex_stock]
            self.say("SMALL: scrapes")
            results.answers.update(measure(everyone, self.plan.scrapes, self.order))
            self.say(f"SMALL: {CLIENTS} clients at once")
            results.loads.update(self._loads([today, month, rex, rex_month]))
            self.say("SMALL: delays of another client of Redis")
            results.stalls.update(self._stalls([today, month, rex, rex_month]))
            self.say("SMALL: starts")
            results.starts.update(self._starts(server, keys_today))

    def _loads(self, candidates: Sequence[Candidate]) -> dict[str, Load]:
        rates: dict[str, list[float]] = {c.key: [] for c in candidates}
        seconds: dict[str, list[float]] = {c.key: [] for c in candidates}
        turns = list(candidates)
        for _ in range(self.plan.load_rounds):
            self.order.shuffle(turns)
            for turn in turns:
                got = load(
                    turn.exporter.port,
                    PLAIN,
                    CLIENTS,
                    self.plan.load_seconds,
                    turn.touch.send,
                )
                turn.touch.wait(len(got.seconds))
                rates[turn.key].append(got.rate)
                seconds[turn.key] += got.seconds
        return {
            c.key: Load(
                rate=median(rates[c.key]),
                p99=quantile(seconds[c.key], 0.99) * 1000,
                memory=processes.memory(c.exporter.pid),
            )
            for c in candidates
        }

    def _stalls(self, candidates: Sequence[Candidate]) -> dict[str, Stall]:
        samples: dict[str, list[float]] = {IDLE: []}
        samples |= {candidate.key: [] for candidate in candidates}
        turns: list[Candidate | None] = [None, *candidates]
        for _ in range(self.plan.stall_rounds):
            self.order.shuffle(turns)
            for turn in turns:
                seconds = self.plan.stall_seconds
                if turn is None:
                    samples[IDLE] += stalls.idle(candidates[0].redis.port, seconds)
                else:
                    samples[turn.key] += stalls.during_scrapes(
                        turn.redis.port, turn.exporter.port, seconds, turn.touch
                    )
        return {key: stalls.stall(pings) for key, pings in samples.items()}

    def _starts(self, server: _Server, keys: str) -> dict[str, Start]:
        def ours(history: int | None) -> tuple[list[str], int]:
            port = free_port()
            config = configuration(SMALL, server.process.port, port, self.zone, history)
            return processes.soloscope_command(self.folder, config), port

        port = free_port()
        rex = processes.redis_exporter_command(
            self.rex, server.process.port, port, [keys]
        )
        commands = {TODAY: ours(0), MONTH: ours(None), REX_TODAY: (rex, port)}
        port = free_port()
        commands[BARE] = processes.bare_server_command(port), port
        times: dict[str, list[tuple[float, float, float]]] = {k: [] for k in commands}
        turns = list(commands)
        for _ in range(self.plan.starts):
            self.order.shuffle(turns)
            for key in turns:
                times[key].append(processes.start(*commands[key]))
        return {
            key: Start(
                listens=median([listens for listens, _, _ in got]) * 1000,
                answers=median([answers for _, answers, _ in got]) * 1000,
                cpu=median([cpu for _, _, cpu in got]) * 1000,
                starts=len(got),
            )
            for key, got in times.items()
        }

    def million(self, results: Results) -> None:
        """SMALL+1M: what keys that are nobody's counts cost."""
        pattern = f"-check-keys=db0={SMALL.prefix(0)}{self.today}:*"
        keys = processes.single_keys(SMALL.keys(self.today))
        foreign = self.plan.foreign
        with (
            self.redis(SMALL) as server,
            self.redis(SMALL, foreign) as full,
            ExitStack() as stack,
        ):
            none = self.soloscope(stack, MILLION_NONE, server, 0)
            ours = self.soloscope(stack, MILLION, full, 0)
            rex = self.redis_exporter(stack, REX_MILLION, full, pattern, SMALL.per_day)
            single = self.redis_exporter(
                stack, REX_MILLION_SINGLE, full, keys, SMALL.per_day
            )
            self.say("SMALL+1M: scrapes")
            results.answers.update(
                measure([none, ours, rex, single], self.plan.heavy, self.order)
            )
            self.say("SMALL+1M: delays of another client of Redis")
            results.stalls.update(
                {
                    key: value
                    for key, value in self._stalls([ours, rex]).items()
                    if key != IDLE
                }
            )

    def large(self, results: Results) -> None:
        """LARGE: many names, many parts, a million foreign keys."""
        data = self.plan.large
        pattern = f"-check-keys=db0={data.prefix(0)}*"
        with (
            self.redis(data, self.plan.foreign) as server,
            ExitStack() as stack,
        ):
            ours = self.soloscope(stack, LARGE_MONTH, server, None)
            rex = self.redis_exporter(
                stack, REX_LARGE, server, pattern, data.per_day * data.days
            )
            self.say("LARGE: scrapes")
            results.answers.update(measure([ours, rex], self.plan.heavy, self.order))

    def growth(self, results: Results) -> None:
        """How the time of a plain scrape grows, in four directions."""
        with self.redis() as server:
            self.say("growth: days")
            server.fill(SMALL.with_days(max(self.plan.days)))
            for days in self.plan.days:
                keys = SMALL.with_days(days).all_keys(self.today)
                fits = len(processes.single_keys(keys)) < processes.LONGEST_ARGUMENT
                rex = {"rex min": keys} if fits else {}
                self._point(results, "days", days, server, rex, history=days)
            self.say("growth: names")
            for names in self.plan.names:
                data = DataSet(counters=names, breakdowns=0, fields=0, days=1)
                server.fill(data)
                rex = {"rex min": data.keys(self.today)}
                self._point(results, "names", names, server, rex)
            self.say("growth: apps")
            for apps in self.plan.apps:
                data = replace(SMALL, apps=apps, days=1)
                server.fill(data)
                rex = {"rex min": data.keys(self.today)}
                self._point(results, "apps", apps, server, rex)
            self.say("growth: foreign keys")
            data = SMALL.with_days(1)
            server.fill(data)
            for foreign in self.plan.foreigns:
                # Those of the point before are among them.
                add_foreign(server.client, foreign)
                by_pattern = f"{data.prefix(0)}{self.today}:*"
                self._point(
                    results,
                    "foreign keys",
                    foreign,
                    server,
                    {
                        "rex min": data.keys(self.today),
                        "rex min by pattern": by_pattern,
                    },
                )

    def _point(
        self,
        results: Results,
        dimension: str,
        x: int,
        server: _Server,
        rex: Mapping[str, Sequence[str]],
        *,
        history: int = 1,
    ) -> None:
        """Measure at `x`: soloscope, and each redis_exporter with keys or a pattern.

        A history of one day is today alone, which the option calls 0.
        """
        lines = results.growth.setdefault(dimension, {})
        with ExitStack() as stack:
            ours = self.soloscope(
                stack, "soloscope", server, 0 if history == 1 else history
            )
            candidates = [ours]
            for line, wanted in rex.items():
                if isinstance(wanted, str):
                    option, expect = f"-check-keys=db0={wanted}", server.data.per_day
                else:
                    option, expect = processes.single_keys(wanted), len(wanted)
                candidates.append(
                    self.redis_exporter(stack, line, server, option, expect)
                )
            answers = measure(candidates, self.plan.growth, self.order)
        for key, answer in answers.items():
            lines.setdefault(key, []).append((x, answer.plain.low))


def _first(pattern: str, path: str) -> str:
    match = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else "unknown"


def _load_average() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _checkout() -> str:
    """The commit that was measured, and whether the package differs from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--", "src")
    return commit + (" with changes in exporter/src" if changed else "")


def _machine(rex: str, client: redis.Redis) -> dict[str, str]:
    info = client.info("server")
    memory = int(_first(r"^MemTotal:\s+(\d+)", "/proc/meminfo")) / 2**20
    hiredis = version("hiredis")
    processor = _first(r"^model name\s*: (.*)$", "/proc/cpuinfo")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{processor}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"Linux {platform.release()}",
        "soloscope": f"{version('soloscope')}, commit {_checkout()}",
        "redis_exporter": rex,
        "Redis": str(info["redis_version"]),
        "Python": platform.python_version(),
        "libraries": f"redis {version('redis')}, hiredis {hiredis}, "
        f"prometheus-client {version('prometheus-client')}",
    }


PARTS = ("small", "million", "large", "growth")


def run(
    plan: Plan,
    parts: Sequence[str],
    folder: Path,
    rex: Path | None,
    seed: int,
    zone: str,
    today: date,
) -> Results:
    """Measure `parts`. Progress goes to stderr.

    Raises ValueError when an exporter does not show the keys that it was given.
    """

    def say(what: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)

    program, rex_version = processes.redis_exporter_program(rex)
    say(f"redis_exporter {rex_version}: {program}")
    if processes.too_old(rex_version):
        needed = ".".join(map(str, processes.NEEDED))
        say(f"redis_exporter before {needed} is slow: the ratios will flatter us")
    bench = _Bench(plan, folder, program, random.Random(seed), zone, today, say)
    with bench.redis() as server:
        machine = _machine(rex_version, server.client)
    if priority := os.nice(0):
        machine["priority"] = f"all of it ran at nice {priority}"
    machine["load average"] = f"{_load_average()} before"
    if os.getloadavg()[0] > 0.5:
        machine["note"] = (
            "other programs ran as well. Waiting for a core is in every time, so only "
            "the ratios mean something, and delays and starts are too long"
        )
    results = Results(machine, {}, {}, {}, {}, {})
    for part in parts:
        getattr(bench, part)(results)
    machine["load average"] += f", {_load_average()} after (this run included)"
    return results
