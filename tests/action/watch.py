"""Sees what a thread asks of the system: programs that it starts, hosts that it talks to.

Source: Python's documentation, "Audit events table". A hook can never be taken away again, so there is one.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
        *("os.startfile", "pty.spawn", "ctypes.dlopen", "os.putenv", "os.chmod", "os.remove", "os.rename"),
    }
)
HOSTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind"})
LOOPBACK = "127.0.0.1"
_watched: dict[int, list[str]] = {}


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    heard = _watched.get(threading.get_ident()) if _watched else None
    if heard is None:
        return
    if event in PROGRAMS:
        heard.append(f"{event} {arguments!r}"[:200])
    elif event in HOSTS:
        where = arguments[1] if event in {"socket.connect", "socket.bind"} else arguments
        host = where[0] if isinstance(where, tuple) and where else where
        if host != LOOPBACK:
            heard.append(f"{event} {host!r}")


sys.addaudithook(_hook)


@contextmanager
def watching() -> Iterator[list[str]]:
    """Give what this thread did meanwhile that the Action has no reason to do."""
    heard: list[str] = []
    _watched[threading.get_ident()] = heard
    try:
        yield heard
    finally:
        del _watched[threading.get_ident()]
