"""Servers that misbehave as they are told to, and count who came."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from bot.adapters.gates.hosts import Allowed, Endpoint, Kind, Outside

if TYPE_CHECKING:
    import ssl
    from pathlib import Path
    from types import TracebackType

Behaviour = Callable[[socket.socket, threading.Event], None]


def answer(body: Any, status: int = 200, **headers: str) -> Behaviour:
    """Answer with JSON, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {
        "Content-Length": str(len(content)),
        **{key.replace("_", "-"): value for key, value in headers.items()},
    }
    head = f"HTTP/1.1 {status} Told\r\n" + "".join(f"{key}: {value}\r\n" for key, value in fields.items())
    return lambda to, _over: to.sendall(head.encode() + b"\r\n" + content)


def raw(content: bytes) -> Behaviour:
    return lambda to, _over: to.sendall(content)


def silence(_to: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def drip(to: socket.socket, over: threading.Event) -> None:
    """Never pause for as long as a read may take, and never finish."""
    to.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.05):
        to.sendall(b"a")


def reset(to: socket.socket, _over: threading.Event) -> None:
    to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class StandIn:
    """Serves each connection with the next behaviour, the last one for ever; ``None`` only listens."""

    def __init__(
        self, *behaviours: Behaviour, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._host = f"[{host}]" if ":" in host else host
        self._context = context
        self._behaviours = list(behaviours) or [answer({})]
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.heads: list[str] = []
        self.bodies: list[str] = []

    def url(self, path: str = "", *, scheme: str = "http", host: str = "") -> str:
        return f"{scheme}://{host or self._host}:{self.port}{path}"

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
            thread = threading.Thread(target=self._serve, args=(connection, behaviour), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, behaviour: Behaviour) -> None:
        with connection:
            connection.settimeout(10)
            try:
                if self._context is not None:
                    with self._context.wrap_socket(connection, server_side=True) as secure:
                        self._talk(secure, behaviour)
                else:
                    self._talk(connection, behaviour)
            except OSError:
                return  # the other side has had enough

    def _talk(self, connection: socket.socket, behaviour: Behaviour) -> None:
        heard = b""
        while b"\r\n\r\n" not in heard:
            more = connection.recv(65536)
            if not more:
                return
            heard += more
        head, _, body = heard.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        length = next((int(v) for k, _, v in (x.partition(": ") for x in lines) if k == "Content-Length"), 0)
        while len(body) < length:
            body += connection.recv(65536)
        self.heads.append(head.decode("latin-1"))
        self.bodies.append(body.decode())
        behaviour(connection, self._over)


def resolver(**hosts: str | Sequence[str]) -> Callable[[str, int], Sequence[str]]:
    """Resolve from a table; what is not there has no address. An underscore stands for a dot."""

    def resolve(host: str, _port: int) -> Sequence[str]:
        found = hosts.get(host.replace(".", "_"), ())
        return (found,) if isinstance(found, str) else found

    return resolve


def outside(  # one endpoint called main, and its host allowed
    kind: Kind,
    url: str,
    *,
    internal: bool = True,
    timeout: float = 2.0,
    longest: float = 4.0,
    largest: int = 1024 * 1024,
    token: str = "",
    token_file: Path | None = None,
    ca_file: Path | None = None,
) -> Outside:
    host = url.partition("://")[2].partition("/")[0].partition("?")[0]
    name = host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return Outside(
        (Endpoint(kind, "main", url, token, token_file, ca_file),),
        (Allowed(name, internal=internal),),
        timeout,
        longest,
        largest,
    )
