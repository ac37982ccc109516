"""Two go-betweens on loopback: one before the emulator, that records; one behind it, that hands over webhooks.

Both are plain. What they change on the way is not theirs to decide: it is in ``emulate_mends``, each
change an entry of ``emulate_deviations``.
"""

from __future__ import annotations

import http.client
import json
import threading
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol, Self

from bot.entry.web import signature
from tests.contract.emulate_process import SECRET
from tests.contract.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

TIMEOUT = 20.0  # seconds for one exchange on loopback
_OF_THE_LINE = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``headers`` have small names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The JSON of the body, ``None`` when there is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def send(
    port: int, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    """Send one request to a port of loopback; ``target`` is the path with its query."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        line.request(method, target, body=body or None, headers=dict(headers or {}))
        got = line.getresponse()
        kept = {k.lower(): v for k, v in got.getheaders() if k.lower() not in _OF_THE_LINE}
        return Answer(got.status, kept, got.read())
    finally:
        line.close()


class Server:
    """A server that hands each request to ``handle`` in a thread of its own."""

    def __init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body leave together
            disable_nagle_algorithm = True

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {k.lower(): v for k, v in self.headers.items()}
                try:
                    answer = server.handle(self.command, self.path, headers, body)
                except Exception as error:  # noqa: BLE001 - a test asks for it at the end
                    server.failures.append(error)
                    answer = Answer(502, {}, b"")
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != http.client.NO_CONTENT:
                    self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.failures: list[Exception] = []
        self._server.daemon_threads = True  # a kept connection holds nothing up
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Mend(Protocol):
    """Makes another answer of one that GitHub would not give; ``None`` where there is nothing to mend."""

    name: str

    def __call__(self, ask: Callable[[str], Any], exchange: Exchange) -> Any | None:
        """Mend; ``ask`` gets the JSON of another path of the emulator, as the bot would be answered."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exchange as the emulator had it, and the names of the mends that changed its answer on the way."""

    exchange: Exchange
    mended: tuple[str, ...] = ()


class Proxy(Server):
    """Stands before the emulator, records what passes, and mends what it is told to."""

    def __init__(self, mends: Iterable[Mend] = ()) -> None:
        super().__init__()
        self.target = 0
        self.recorded: list[Recorded] = []
        self.mends = tuple(mends)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        passed = {k: v for k, v in headers.items() if k not in _OF_THE_LINE | {"accept-encoding"}}
        answer = send(self.target, method, target, headers=passed, body=body)
        path, _, query = target.partition("?")
        media = answer.headers.get("content-type", "")
        exchange = Exchange(method, path, query, answer.status, body, answer.body, media)

        def ask(other: str) -> Any:
            return send(self.target, "GET", other, headers=passed).data

        mended = []
        shown = exchange
        for mend in self.mends:
            better = mend(ask, shown)
            if better is not None:
                mended.append(mend.name)
                data = json.dumps(better).encode()
                shown = Exchange(method, path, query, 200, body, data, "application/json")
        self.recorded.append(Recorded(exchange, tuple(mended)))
        return Answer(
            shown.status, {**answer.headers, "content-type": shown.content_type}, shown.response_body
        )


@dataclass(frozen=True, slots=True)
class Delivered:
    """A webhook as the emulator sent it, and what the bot said to it.

    ``as_sent`` is the bot's status for the very request, ``passed`` for what was handed over in its
    place, and ``mended`` says what was another in that.
    """

    event: str
    headers: Mapping[str, str]
    body: bytes
    as_sent: int
    passed: int
    mended: tuple[str, ...]

    @property
    def payload(self) -> Any:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        """``event/action``, as the referee has it."""
        action = self.payload.get("action")
        return f"{self.event}/{action}" if action else self.event


class Post(Server):
    """Takes the emulator's webhooks and hands them to the bot.

    First as they came. Where the bot rightly refuses that, once more with what GitHub would have sent:
    a GUID in the header, and in the payload what ``mend`` adds, signed anew.
    """

    def __init__(self, mend: Callable[[str, Any], tuple[str, ...]]) -> None:
        super().__init__()
        self.target = 0
        self.delivered: list[Delivered] = []
        self.news = threading.Condition()
        self._mend = mend
        self._held: list[tuple[Mapping[str, str], bytes]] | None = None

    def hold(self) -> None:
        """Keep what comes in from now on."""
        with self.news:
            self._held = []

    def release(self) -> None:
        """Hand over what was kept, and keep nothing any more."""
        with self.news:
            held, self._held = self._held, None
        for headers, body in held or ():
            self._pass(headers, body)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        del method, target
        with self.news:
            if self._held is not None:
                self._held.append((headers, body))
                self.news.notify_all()
                return Answer(200, {}, b"")
        self._pass(headers, body)
        return Answer(200, {}, b"")

    def lose(self) -> None:
        """Forget what was kept, as if it had been lost on the way, and keep nothing any more."""
        with self.news:
            for headers, body in self._held or ():
                lost = Delivered(headers.get("x-github-event", ""), headers, body, 0, 0, ("lost",))
                self.delivered.append(lost)
            self._held = None

    def waiting(self) -> int:
        """Give how many deliveries are kept; for one who holds ``news``."""
        return len(self._held or ())

    def _pass(self, headers: Mapping[str, str], body: bytes) -> None:
        event = headers.get("x-github-event", "")
        own = {k: v for k, v in headers.items() if k not in _OF_THE_LINE}
        as_sent = self.give(own, body)
        payload = json.loads(body)
        mended = self._mend(event, payload)
        passed = as_sent
        if mended or as_sent >= 400:
            better = json.dumps(payload).encode() if mended else body
            signed = {"x-hub-signature-256": signature(SECRET.encode(), better)} if mended else {}
            passed = self.give({**own, "x-github-delivery": str(uuid.uuid4()), **signed}, better)
        with self.news:
            self.delivered.append(Delivered(event, own, body, as_sent, passed, mended))
            self.news.notify_all()

    def give(self, headers: Mapping[str, str], body: bytes) -> int:
        """Deliver to the bot and give its status."""
        return send(self.target, "POST", "/webhook", headers=headers, body=body).status
