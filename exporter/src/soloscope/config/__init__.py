"""The configuration file, read into frozen dataclasses.

The file is JSON with the names and the structure of the NixOS options (camelCase).
Durations are written as Prometheus writes them ("30s", "1h30m").

options   the options, and the values that each accepts
values    parsers of single values
reading   parses the file by the options; `load` and `parse`
"""

from soloscope.config.options import (
    App,
    Budget,
    Canary,
    Channel,
    Check,
    Config,
    Counter,
    EventCheck,
    GapCheck,
    Gauge,
    Job,
    LimitCheck,
    Listener,
    MovesCheck,
    Notify,
    Postgres,
    RecordCheck,
    Redis,
    Shipper,
    Stream,
    Unique,
    UserRecord,
    Validator,
    WhatsApp,
)
from soloscope.config.reading import load, parse
from soloscope.config.values import RedisUrl, duration, redis_url

__all__ = [
    "App",
    "Budget",
    "Canary",
    "Channel",
    "Check",
    "Config",
    "Counter",
    "EventCheck",
    "GapCheck",
    "Gauge",
    "Job",
    "LimitCheck",
    "Listener",
    "MovesCheck",
    "Notify",
    "Postgres",
    "RecordCheck",
    "Redis",
    "RedisUrl",
    "Shipper",
    "Stream",
    "Unique",
    "UserRecord",
    "Validator",
    "WhatsApp",
    "duration",
    "load",
    "parse",
    "redis_url",
]
