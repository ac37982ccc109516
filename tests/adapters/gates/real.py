"""A real Prometheus that scrapes a real small service every second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

BOUNDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds
WEIRD = 'a"b\\c\'d`e{f}=~g\nh,i=""j\u00fc'
OLD = 100  # seconds


def until(done: Callable[[], bool], what: str, *, within: float = 20.0) -> None:
    """Wait until something is true, and no longer."""
    end = time.monotonic() + within
    pause = threading.Event()
    while not done():
        if time.monotonic() > end:
            pytest.fail(f"not within {within} s: {what}")
        pause.wait(0.1)


class Shop:
    """A service with revisions, whose errors and latency can be turned up while it runs.

    Each revision in ``rate`` serves so many requests a second. ``errors`` is the share of them that fails,
    ``latency`` how long they take, in seconds. What is in ``hidden`` is no longer shown.
    """

    def __init__(self) -> None:
        self.rate: dict[str, int] = {}
        self.errors: dict[str, float] = defaultdict(float)
        self.latency: dict[str, float] = defaultdict(lambda: 0.06)
        self.hidden: set[str] = set()
        self.began = time.time()
        self._codes: dict[tuple[str, str], int] = defaultdict(int)
        self._buckets: dict[tuple[str, float], int] = defaultdict(int)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._customers, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(5)

    def serve(self, revision: str, times: int = 1) -> None:
        """Serve requests, and count them as a client library would."""
        with self._lock:
            for code in ("200", "500"):
                self._codes[revision, code] += 0
            failed = round(times * self.errors[revision])
            self._codes[revision, "500"] += failed
            self._codes[revision, "200"] += times - failed
            for bound in BOUNDS:
                self._buckets[revision, bound] += times if self.latency[revision] <= bound else 0

    def page(self) -> str:
        """What is scraped, in Prometheus' text format."""
        with self._lock:
            codes = {key: n for key, n in self._codes.items() if key[0] not in self.hidden}
            buckets = {key: n for key, n in self._buckets.items() if key[0] not in self.hidden}
        lines = [
            f'http_requests_total{{revision="{_label(revision)}",code="{code}"}} {count}'
            for (revision, code), count in codes.items()
        ]
        lines += [
            f'http_duration_seconds_bucket{{revision="{_label(revision)}",le="{bound}"}} {count}'
            for (revision, bound), count in buckets.items()
        ]
        for revision in {key[0] for key in codes}:
            total = sum(count for key, count in codes.items() if key[0] == revision)
            lines.append(f'http_duration_seconds_bucket{{revision="{_label(revision)}",le="+Inf"}} {total}')
        lines.append('odd_number{revision="nan"} NaN')
        lines.append('odd_number{revision="inf"} +Inf')
        # A batch job's last word, with its own time.
        lines.append(f'batch_errors{{revision="checkout-v2"}} 0 {int((self.began - OLD) * 1000)}')
        return "\n".join(lines) + "\n"

    def _customers(self) -> None:
        while not self._over.wait(0.1):
            for revision, rate in list(self.rate.items()):
                self.serve(revision, rate // 10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # http.server's name
                content = shop.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
                pass

        return Handler


class Prometheus:
    """The server, on a free port of loopback, with a folder of its own; stopped by its process."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        binary = shutil.which("prometheus")
        if binary is None:
            pytest.skip("prometheus is not installed (apt-get install prometheus)")
        target = {"targets": [f"127.0.0.1:{shop.port}"]}
        job = {"job_name": "shop", "static_configs": [target], "scrape_timeout": "900ms"}
        config = folder / "prometheus.yml"  # JSON is YAML
        config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        until(self._is_ready, "Prometheus is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            pytest.fail(f"Prometheus ended with {self._process.returncode}")
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False, timeout=1).status_code == 200
        except httpx.HTTPError:
            return False


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
