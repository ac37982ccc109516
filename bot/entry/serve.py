"""Where the service is put together: settings in, a running bot out.

``serve`` is the process of ``canary serve``; ``running`` is the same bot inside another
program (the demo, the sandbox, a test), behind a real socket on loopback.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import uvicorn

from bot.adapters.clock import SystemClock
from bot.adapters.engine import SqliteEngine
from bot.entry import logs
from bot.entry.web import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from fastapi import FastAPI

    from bot.entry.settings import Settings
    from bot.ports import Clock, Forge, Gates, Subject

    Look = Callable[[Subject, str], datetime | None]

logger = logging.getLogger(__name__)

# Seconds that looks under way have at the end; with the door's ten it stays under Kubernetes's thirty.
GRACE = 15.0
CONNECTIONS = 500  # more get 503 at once, which GitHub records as a failed delivery


class LookFactory(Protocol):
    """Makes the look of a bot; ``marks`` is the engine's ``look``, by which it asks for further ones."""

    def __call__(self, forge: Forge, clock: Clock, engine: SqliteEngine, settings: Settings) -> Look:
        """Make it."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The bot, put together and not running yet."""

    app: FastAPI
    engine: SqliteEngine
    forge: Forge
    look: Look
    sweep_every: float | None = 600.0  # seconds; None: nothing is swept, not even at the start

    def work(self, stop: threading.Event, *, grace: float = GRACE) -> None:
        """Work until ``stop`` is set; see ``SqliteEngine.run``."""
        if self.sweep_every is None:
            self.engine.run(self.look, stop, grace=grace)
        else:
            self.engine.run(
                self.look,
                stop,
                repositories=self.forge.repositories,
                sweep_every=self.sweep_every,
                grace=grace,
            )


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    forge: Forge | None = None,
    make_look: LookFactory | None = None,
    gates: Gates | None = None,
    sweep: bool = True,
) -> Parts:
    """Put the bot together; nothing is sent and nothing runs yet.

    Args:
        settings: As ``settings.load`` gives them.
        clock: The machine's, unless a rehearsal brings its own.
        forge: GitHub by the settings, unless a test brings another.
        make_look: The bot's own, unless a test brings another.
        gates: What asks gates: by the settings, unless a test brings another.
        sweep: Whether all repositories are looked at, at the start and every now and then.

    Raises:
        StoreUnusable: The SQLite file cannot be used; in words.
    """
    clock = clock or SystemClock()
    forge = forge or _github(settings, clock)
    engine = SqliteEngine(settings.database, clock, app_id=settings.app_id, threads=settings.threads)
    return Parts(
        app=create_app(engine, secrets=settings.webhook_secrets, clock=clock),
        engine=engine,
        forge=forge,
        look=(make_look or (_bot if gates is None else partial(_bot, gates=gates)))(
            forge, clock, engine, settings
        ),
        sweep_every=settings.sweep_every if sweep else None,
    )


def _github(settings: Settings, clock: Clock) -> Forge:
    from bot.adapters.github import GitHubForge  # noqa: PLC0415 - half a second that a test need not wait

    return GitHubForge(
        settings.app_id,
        settings.private_key,
        base_url=settings.github_api_url,
        clock=clock,
        # github.com signs what an App commits, so an address written into a commit by hand is not enough
        # there to pass for the bot; an Enterprise Server may not sign.
        signed_commits_only=urlsplit(settings.github_api_url).hostname == "api.github.com",
    )


def _bot(
    forge: Forge, clock: Clock, engine: SqliteEngine, settings: Settings, *, gates: Gates | None = None
) -> Look:
    from bot.adapters.gates.judges import Judges  # noqa: PLC0415 - as above
    from bot.adapters.rulebook import built_in  # noqa: PLC0415 - as above
    from bot.service import Bot, Historian  # noqa: PLC0415 - as above

    bot = Bot(
        forge=forge,
        clock=clock,
        rulebook=built_in(),
        marks=engine.look,
        historian=Historian(),
        gates=gates or Judges(settings.outside),
        max_command_age=timedelta(seconds=settings.max_command_age),
    )
    return bot.look


def _server(app: FastAPI) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,  # its lines come through ours
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing is decided on an address
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=10,
        )
    )


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way.

    Raises:
        StoreUnusable: The SQLite file cannot be used; in words.
        OSError: The address cannot be listened on.
    """
    logs.configure(settings.log_level, secrets=settings.secret_values)
    with _listen(settings.host, settings.port) as listener:
        parts = build(settings)
        try:
            _serve(parts, listener)
        finally:
            parts.engine.close()


def _serve(parts: Parts, listener: socket.socket) -> None:
    stop = threading.Event()
    server = _server(parts.app)

    def work() -> None:
        try:
            parts.work(stop)
        except Exception:
            # Without the work the door would only collect; a process that ends is started again.
            logger.critical("work-ended", exc_info=True)
            server.should_exit = True

    worker = threading.Thread(target=work, name="engine")

    def end(*_: object) -> None:
        stop.set()
        server.should_exit = True

    # While it serves, uvicorn handles both signals itself, and then sends them again to these.
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    worker.start()
    host, port = listener.getsockname()[:2]
    logger.info("serving", extra={"host": host, "port": port})
    try:
        server.run(sockets=[listener])
    finally:
        stop.set()
        worker.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    logger.info("stopped")


@dataclass(frozen=True, slots=True)
class Running:
    """A bot at work in this process. ``url`` is where it listens, without a slash at its end."""

    url: str
    parts: Parts

    @property
    def webhook_url(self) -> str:
        """Where deliveries go."""
        return f"{self.url}/webhook"

    def idle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing waits, is due or is under way; say whether it is so after ``timeout`` seconds."""
        return self.parts.engine.idle(timeout)


@contextmanager
def running(
    what: Settings | Parts,
    *,
    clock: Clock | None = None,
    forge: Forge | None = None,
    make_look: LookFactory | None = None,
    gates: Gates | None = None,
    sweep: bool = True,
    port: int = 0,
    grace: float = GRACE,
) -> Iterator[Running]:
    """Run a bot in this process, on loopback, until the block ends.

    Args:
        what: Settings (``host`` and ``port`` of them are not used), or what ``build`` made.
        clock: As for ``build``.
        forge: As for ``build``.
        make_look: As for ``build``.
        gates: As for ``build``.
        sweep: As for ``build``.
        port: 0 for any that is free.
        grace: Seconds that looks under way have when the block ends.

    Raises:
        StoreUnusable: The SQLite file cannot be used; in words.
        OSError: The port is taken.
        RuntimeError: The server did not start.
    """
    with _listen("127.0.0.1", port) as listener:
        if isinstance(what, Parts):
            parts = what
        else:
            parts = build(what, clock=clock, forge=forge, make_look=make_look, gates=gates, sweep=sweep)
        server = _server(parts.app)
        stop = threading.Event()
        worker = threading.Thread(target=parts.work, args=(stop,), kwargs={"grace": grace}, name="engine")
        door = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="webhook", daemon=True
        )
        try:
            worker.start()
            door.start()
            if not _is_up(server, door):
                raise RuntimeError("the webhook's server did not start")
            yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}", parts)
        finally:
            server.should_exit = True
            stop.set()
            if door.is_alive():
                door.join(10.0)
            if worker.is_alive():
                worker.join()
            parts.engine.close()


def _is_up(server: uvicorn.Server, door: threading.Thread) -> bool:
    """Wait until the server listens, at most ten seconds; uvicorn has no event for it."""
    for _ in range(2000):
        if server.started or not door.is_alive():
            break
        door.join(0.005)
    return server.started


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only where the protocol is named; it costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
