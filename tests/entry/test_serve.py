"""The service as a process and inside another program, over real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from pydantic import SecretStr

from bot.core import events
from bot.entry.serve import build, running
from bot.entry.settings import Settings
from bot.ports import Subject
from tests.entry.door import SECRET, comment_body, headers
from tests.entry.test_settings import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bot.entry.serve import LookFactory, Running
    from bot.ports import Forge

    Look = Callable[[Subject, str], datetime | None]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0  # seconds of the machine
PULL = Subject(9, "shop/customer", "pull/3")


class NoForge:
    """A forge with two repositories that cannot be opened."""

    def repositories(self) -> list[tuple[int, str]]:
        return [(9, "shop/customer"), (9, "shop/basket")]


def settings(folder: Path) -> Settings:
    return Settings(
        app_id=4711,
        private_key=SecretStr(KEY),
        webhook_secret=SecretStr(SECRET.decode()),
        github_api_url="http://127.0.0.1:9",  # nobody listens there
        database=folder / "canary.sqlite3",
    )


def looking(look: Look) -> LookFactory:
    return cast("LookFactory", lambda *_: look)


def post(url: str, body: bytes, **more: Any) -> httpx.Response:
    return httpx.post(url, content=body, headers=headers(body, **more), timeout=PATIENCE)


@pytest.fixture
def seen() -> list[tuple[Subject, str]]:
    return []


@pytest.fixture
def bot(tmp_path: Path, seen: list[tuple[Subject, str]]) -> Iterator[Running]:
    def look(subject: Subject, why: str) -> None:
        seen.append((subject, why))
        if "\0" in subject.repository:
            raise AssertionError

    forge = cast("Forge", NoForge())
    with running(settings(tmp_path), forge=forge, make_look=looking(look), sweep=False) as bot:
        yield bot


class TestRunning:
    """A bot inside this process: what is posted is looked at."""

    def test_from_a_comment_to_a_look(self, bot: Running, seen: list[tuple[Subject, str]]) -> None:
        assert post(bot.webhook_url, comment_body()).status_code == 202
        assert bot.idle()
        assert seen == [(PULL, "comment")]

    def test_swept_at_the_start(self, tmp_path: Path) -> None:
        seen: list[tuple[Subject, str]] = []
        look = looking(lambda subject, why: seen.append((subject, why)))
        with running(settings(tmp_path), forge=cast("Forge", NoForge()), make_look=look) as bot:
            assert bot.idle()
        assert {subject.repository for subject, _ in seen} == {"shop/customer", "shop/basket"}
        assert {subject.what for subject, _ in seen} == {"repository"}

    def test_health(self, bot: Running) -> None:
        answer = httpx.get(f"{bot.url}/healthz")
        assert (answer.status_code, answer.text) == (200, "ok\n")
        assert "server" not in answer.headers  # names no software and no version

    def test_the_same_body_with_a_new_guid(self, bot: Running, seen: list[tuple[Subject, str]]) -> None:
        """Row 59: 202, and no second effect: a delivery only says where to look."""
        for _ in range(3):
            assert post(bot.webhook_url, comment_body()).status_code == 202
            assert bot.idle()
        assert set(seen) == {(PULL, "comment")}

    @pytest.mark.parametrize("event", ["pull_request", "pull_request_review", "check_run", "installation"])
    def test_the_same_body_as_another_event(
        self, bot: Running, seen: list[tuple[Subject, str]], event: str
    ) -> None:
        """Row 60: 202, no effect."""
        assert post(bot.webhook_url, comment_body(), event=event).status_code == 202
        assert bot.idle()
        assert seen == []

    def test_nul_and_surrogates_leave_the_worker_healthy(
        self, bot: Running, seen: list[tuple[Subject, str]]
    ) -> None:
        """Row 61: 202, no effect of the characters, and the next command is worked on."""
        for text in ("/canary 25\0", "\ud800"):
            assert post(bot.webhook_url, comment_body(text)).status_code == 202
        broken = {"full_name": "shop/cust\0omer", "id": 77}
        assert post(bot.webhook_url, comment_body(repository=broken)).status_code == 202
        assert post(bot.webhook_url, comment_body(number=4)).status_code == 202
        assert bot.idle()
        assert {subject.what for subject, _ in seen} == {"pull/3", "pull/4"}
        assert bot.parts.engine.dead() == ()

    def test_addresses_of_a_payload(self, bot: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        """Row 62: 202, and no request leaves; the payload is full of attacker.invalid."""
        asked: list[object] = []
        real = socket.getaddrinfo

        def watched(host: Any, *rest: Any, **more: Any) -> Any:
            asked.append(host)
            return real(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", watched)
        assert b"attacker.invalid" in comment_body()
        assert post(bot.webhook_url, comment_body()).status_code == 202
        assert bot.idle()
        assert set(asked) <= {"127.0.0.1"}

    def test_endless_chunks(self, bot: Running) -> None:
        """Row 57 over a socket: the answer comes while the sender is still sending."""
        host, port = bot.url.removeprefix("http://").split(":")
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers(b""))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as wire:
            wire.sendall(
                b"POST /webhook HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"
            )
            sent = 0
            answer = b""
            with contextlib.suppress(OSError):  # the bot hangs up, perhaps before its answer is read
                while sent < 100 * events.LARGEST:
                    sent += wire.send(chunk)
            with contextlib.suppress(OSError):
                answer = wire.recv(4096)
        assert sent < 100 * events.LARGEST
        assert answer.startswith(b"HTTP/1.1 413") or answer == b""
        assert httpx.get(f"{bot.url}/healthz").status_code == 200

    def test_broken_http_is_no_server_error(self, bot: Running) -> None:
        host, port = bot.url.removeprefix("http://").split(":")
        for request in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"POST /webhook HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
        ):
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as wire:
                wire.sendall(request)
                wire.shutdown(socket.SHUT_WR)
                answer = wire.recv(4096)
            assert not answer.startswith(b"HTTP/1.1 5"), request
        assert httpx.get(f"{bot.url}/healthz").status_code == 200

    def test_many_at_once(self, bot: Running, seen: list[tuple[Subject, str]]) -> None:
        """20 sockets, each delivery twice: all are answered, each is kept once."""
        bodies = [(f"00000000-0000-0000-0000-{n:012d}", comment_body(number=n)) for n in range(1, 101)]
        statuses: list[int] = []

        def send(part: list[tuple[str, bytes]]) -> None:
            with httpx.Client(timeout=PATIENCE) as client:
                for guid, body in part:
                    answer = client.post(bot.webhook_url, content=body, headers=headers(body, guid=guid))
                    statuses.append(answer.status_code)

        threads = [threading.Thread(target=send, args=(bodies[n % 10 :: 10],)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [202] * 200
        assert bot.idle()
        assert {subject.what for subject, _ in seen} == {f"pull/{n}" for n in range(1, 101)}
        assert len(seen) == 100

    def test_ends_while_a_look_is_under_way(self, tmp_path: Path) -> None:
        release, begun = threading.Event(), threading.Event()

        def look(_subject: Subject, _why: str) -> None:
            begun.set()
            release.wait(PATIENCE)

        began = time.monotonic()
        made = running(
            settings(tmp_path),
            forge=cast("Forge", NoForge()),
            make_look=looking(look),
            sweep=False,
            grace=0.05,
        )
        with made as bot:
            post(bot.webhook_url, comment_body())
            assert begun.wait(PATIENCE)
        release.set()
        assert time.monotonic() - began < PATIENCE

    def test_the_real_parts_fit_together(self, tmp_path: Path) -> None:
        parts = build(settings(tmp_path))
        assert parts.look.__name__ == "look"
        parts.engine.close()


class TestProcess:
    """``canary serve`` ends well on SIGTERM, and tells in words why it does not start."""

    CODE = """
import sys, bot.entry.serve as s, bot.entry.settings as t
from tests.entry.test_serve import NoForge
s._github = lambda *_: NoForge()
s._bot = lambda *_: lambda subject, why: None
try:
    s.serve(t.load())
except Exception as error:
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(1)
"""

    @contextlib.contextmanager
    def start(self, folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
        given = {
            "PATH": os.environ["PATH"],
            "CANARY_APP_ID": "4711",
            "CANARY_PRIVATE_KEY": KEY,
            "CANARY_WEBHOOK_SECRET": SECRET.decode(),
            "CANARY_DATABASE": str(folder / "canary.sqlite3"),
            "PORT": "0",
            **environment,
        }
        arguments = [sys.executable, "-c", self.CODE]
        with subprocess.Popen(arguments, cwd=ROOT, env=given, stderr=subprocess.PIPE, text=True) as process:
            too_late = threading.Timer(PATIENCE, process.kill)
            too_late.start()
            try:
                yield process
            finally:
                too_late.cancel()
                process.kill()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_stops_on_a_signal(self, tmp_path: Path, number: signal.Signals) -> None:
        with self.start(tmp_path) as process:
            assert process.stderr is not None
            first = json.loads(process.stderr.readline())
            assert first["event"] == "serving"
            url = f"http://127.0.0.1:{first['port']}"
            assert post(f"{url}/webhook", comment_body()).status_code == 202
            assert post(f"{url}/webhook", comment_body(), secret=b"wrong").status_code == 401
            process.send_signal(number)
            _, rest = process.communicate()
        lines = [json.loads(line) for line in rest.splitlines()]
        assert process.returncode == 0
        assert lines[-1]["event"] == "stopped"
        assert [line["status"] for line in lines if line["event"] == "webhook"] == [202, 401]
        assert SECRET.decode() not in rest

    def test_stops_on_a_signal_that_comes_at_once(self, tmp_path: Path) -> None:
        with self.start(tmp_path) as process:
            assert process.stderr is not None
            assert json.loads(process.stderr.readline())["event"] == "serving"
            process.send_signal(signal.SIGTERM)
            process.communicate()
        assert process.returncode == 0

    def test_a_port_that_is_taken(self, tmp_path: Path) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            self.start(tmp_path, PORT=str(taken.getsockname()[1])) as process,
        ):
            _, words = process.communicate()
        assert process.returncode == 1
        assert "OSError" in words

    def test_no_secret_no_start(self, tmp_path: Path) -> None:
        with self.start(tmp_path, CANARY_WEBHOOK_SECRET="") as process:
            _, words = process.communicate()
        assert process.returncode == 1
        assert words.startswith("SettingsUnusable CANARY_WEBHOOK_SECRET is missing.")
