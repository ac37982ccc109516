"""A server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from types import TracebackType

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
APP_ID = 4711
BOT = {"id": 9001, "login": "canary-bot[bot]", "type": "Bot"}
MONA = {"id": 1, "login": "mona", "type": "User"}
TOKENS = "/app/installations/7/access_tokens"


class StillClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Say:
    """One answer. ``fault`` is ``reset`` or ``silence`` instead of an answer."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


class Scripted:
    """Answers by method and path: the told answers in turn, the last one for ever; else 404.

    Tokens of installation 7 are given out as ``ghs_4711_token<n>`` unless told otherwise.
    """

    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._told: dict[tuple[str, str], deque[Say]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._minted = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def tell(self, method: str, path: str, *answers: Say | Any) -> None:
        """Answer so; what is no ``Say`` is the body of a 200."""
        said = (a if isinstance(a, Say) else Say(body=a) for a in answers)
        self._told[method, path].extend(said)

    def asked_for(self, method: str, path: str) -> list[Asked]:
        return [a for a in self.asked if (a.method, a.path) == (method, path)]

    @property
    def lines(self) -> list[str]:
        """What was asked, without the tokens."""
        return [f"{a.method} {a.path}" for a in self.asked if a.path != TOKENS]

    def claims(self, index: int = 0) -> dict[str, Any]:
        """The claims of the JWT that asked for a token, its signature checked."""
        token = self.asked_for("POST", TOKENS)[index].token
        options: Any = {"verify_exp": False, "verify_iat": False}
        return jwt.decode(token, KEY.public_key(), algorithms=["RS256"], options=options)

    def _answer(self, asked: Asked) -> Say:
        with self._lock:
            self.asked.append(asked)
            told = self._told.get((asked.method, asked.path))
            if told:
                return told.popleft() if len(told) > 1 else told[0]
            if asked.path == TOKENS and asked.method == "POST":
                self._minted += 1
                ends = (self.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
                return Say(201, {"token": f"ghs_{APP_ID}_token{self._minted}", "expires_at": ends})
        return Say(404, {"message": "Not Found", "status": "404"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(body) if body else None,
                )
                say = scripted._answer(asked)
                if say.fault == "reset":
                    # Zero linger: the kernel sends RST instead of FIN.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    return
                if say.fault == "silence":
                    scripted.over.wait(20)
                    return
                content = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
                self.send_response_only(say.status)
                for name, value in {"Content-Type": "application/json", **say.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
                pass

        return Handler
