"""For an app in Python that takes part: events, counts, health, and its own metrics.

    from soloscope import app

    app.set_up_logging()
    counts = app.Counts("unix:///run/redis-shop/redis.sock")

    with app.context(conversation_id="c_1", user="u_7"):
        app.event("order_placed", "Order placed", total=12)
        counts.counter("orders")

logs    events as JSON lines on standard output
counts  counts in Redis, sent by a thread of their own
http    a health endpoint, and requests as Prometheus metrics, for WSGI and ASGI

Nothing here raises into the app, or waits for a server.
"""

from soloscope.app.counts import Counts
from soloscope.app.http import Requests, health, health_app
from soloscope.app.logs import context, event, set_up_logging

__all__ = [
    "Counts",
    "Requests",
    "context",
    "event",
    "health",
    "health_app",
    "set_up_logging",
]
