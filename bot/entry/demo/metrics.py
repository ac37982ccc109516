"""A stand-in for Prometheus on loopback, whose one service fails as often as the story says.

It answers the questions of a gate, ``/api/v1/query``, and nothing else; the bot asks it as it would ask a real one.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bot.adapters.gates.hosts import Allowed, Endpoint, Outside

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
REQUESTS = 812  # that are counted in every window


class Metrics:
    """What is measured: ``errors`` is the share of requests that fails, ``asked`` counts the questions."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.errors = 0.0
        self.asked = 0

    @property
    def outside(self) -> Outside:
        """The operator's settings for it: one server, on this machine."""
        endpoint = Endpoint("prometheus", "main", f"http://{HOST}:{self.port}")
        return Outside((endpoint,), (Allowed(HOST, self.port, internal=True),))

    def answer(self, target: str) -> object:
        """Give the value that a query asks for: a time, a count, or the share of errors."""
        given = parse_qs(urlsplit(target).query)
        query, at = given.get("query", [""])[0], float(given.get("time", ["0"])[0])
        self.asked += 1
        value = at if "timestamp(" in query else REQUESTS if "increase(" in query else self.errors
        result = [{"metric": {}, "value": [at, repr(float(value))]}]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


@contextmanager
def metrics() -> Iterator[Metrics]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer a query."""
            body = json.dumps(found.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the demo's output is the story."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    found = Metrics(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="metrics", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
