"""The whole bot against the sandbox in one thread: for tests that play thousands of stories.

Webhook, engine, PyGithub and sandbox are the real ones; what is left out are sockets and threads. A story comes out
the same each time it is played: the clock stands still between two moves, ids begin anew with each repository, and
the engine takes up one subject after the other.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import random
import tempfile
import threading
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import pytest
import structlog
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from bot.adapters import agenda
from bot.adapters.engine import SWEEP
from bot.adapters.rulebook import built_in
from bot.core.gates import Outcome, Verdict
from bot.core.subject import Subject
from bot.entry.serve import build
from bot.entry.settings import Settings
from bot.sandbox import server
from bot.sandbox.base import Urls
from bot.sandbox.clock import SandboxClock
from bot.sandbox.server import Api, create_app
from bot.sandbox.world import World
from bot.service import Bot, Historian
from tests.in_memory import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests import PreparedRequest
    from starlette.types import ASGIApp, Message

    from bot.adapters.engine import SqliteEngine
    from bot.core.gates import Gate
    from bot.entry.serve import Look, Parts
    from bot.ports import About, Clock, Forge, Signals
    from bot.sandbox.model import App
    from bot.sandbox.webhooks import Sent
    from bot.service.journal import Entry

HOST = "127.0.0.1:9"  # nothing listens there, and nothing is sent there
SECRET = "a webhook secret for tests only!!"
FIRST_DAY = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
MOST_LOOKS = 400  # of one settling; more is a bot that goes round in circles


class Restless(AssertionError):  # noqa: N818 - what the bot is
    """The bot does not come to rest."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A request of the bot, before or after it was carried out. ``status`` is 0 before."""

    method: str
    path: str
    body: bytes
    status: int = 0
    answer: bytes = b""


@dataclass(slots=True)
class Closed:
    """A world, the bot's App in it, and the bot.

    ``before`` and ``after`` hear each request of the bot, ``journal`` what it records, with the number of the look.
    ``gate`` is what all gates answer.
    """

    world: World
    app: App
    clock: SandboxClock
    api: Api
    sandbox: ASGIApp
    folder: Path
    before: Callable[[Heard], None] = lambda _: None
    after: Callable[[Heard], None] = lambda _: None
    journal: list[tuple[int, Entry]] = field(default_factory=list)
    gate: Outcome = Outcome.PASS
    looks: int = 0
    requests: int = 0
    _parts: Parts | None = None
    _handed: int = 0
    _databases: Iterator[int] = field(default_factory=itertools.count)
    _database: Path = Path()
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    # the bot's process ------------------------------------------------------------------------

    @property
    def parts(self) -> Parts:
        """The bot as it runs now."""
        if self._parts is None:
            raise RuntimeError("no bot runs")
        return self._parts

    def start(self, *, keep: bool = True) -> None:
        """Start the bot's process; without ``keep`` on an empty database."""
        if not keep or self._database == Path():
            self._database = self.folder / f"{next(self._databases)}.sqlite3"
        settings = Settings(
            app_id=self.app.id,
            private_key=SecretStr(self.app.private_key_pem),
            webhook_secret=SecretStr(SECRET),
            github_api_url=f"http://{HOST}",
            database=self._database,
        )
        self._parts = build(settings, clock=self.clock, make_look=self._make_look)
        engine: Any = self._parts.engine
        engine._working.set()

    def _make_look(self, forge: Forge, clock: Clock, engine: SqliteEngine, settings: Settings) -> Look:  # noqa: ARG002 - the factory's
        bot = Bot(
            forge=forge,
            clock=clock,
            rulebook=built_in(),
            marks=engine.look,
            historian=Historian(),
            gates=self,
            journal=lambda entry: self.journal.append((self.looks, entry)),
        )
        return bot.look

    def judge(self, gate: Gate, about: About, at: datetime, signals: Signals) -> Verdict:  # noqa: ARG002 - the port's
        """Answer for all gates; see ``bot.ports.Gates``."""
        return Verdict(gate.name, self.gate, f"It is {self.gate}.", at)

    def stop(self) -> None:
        """End the bot's process."""
        if self._parts is not None:
            self._parts.engine.close()
        self._parts = None

    def sweep(self) -> None:
        """Ask for what the bot does at its start and every ten minutes: look for what no webhook told."""
        for installation, name in self.parts.forge.repositories():
            where = Subject(installation, name, "repository")
            self.parts.engine.look(where, at=self.clock.now(), why="sweep")

    # the wire ---------------------------------------------------------------------------------

    def send(self, request: PreparedRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        """Answer a request of the bot as the sandbox does."""
        url = urlsplit(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        heard = Heard(request.method or "", unquote(url.path), cast("bytes", body))
        self.requests += 1
        self.before(heard)
        headers = [(str(k).lower().encode(), _bytes(v)) for k, v in request.headers.items()]
        message = (request.method or "", url.path, url.query, [*headers, (b"host", HOST.encode())], body)
        status, head, answer = _finished(_ask(self.sandbox, *message))
        self.after(Heard(heard.method, heard.path, heard.body, status, answer))
        return status, head, answer

    # deliveries -------------------------------------------------------------------------------

    def waiting(self) -> list[Sent]:
        """Give the deliveries that nobody has handed over."""
        return [sent for sent in self.world.hooks.deliveries[self._handed :] if sent.app is self.app]

    def lose(self) -> int:
        """Lose the deliveries that wait; give their number."""
        lost = len(self.waiting())
        self._handed = len(self.world.hooks.deliveries)
        return lost

    def deliver(self, *, copies: int = 1, shuffle: int | None = None) -> int:
        """Hand over what waits, ``copies`` times, in another order where ``shuffle`` is given."""
        batch = [sent for sent in self.waiting() for _ in range(copies)]
        self._handed = len(self.world.hooks.deliveries)
        if shuffle is not None:
            random.Random(shuffle).shuffle(batch)
        for sent in batch:
            headers = [(k.lower().encode(), v.encode()) for k, v in sent.headers().items()]
            headers.append((b"content-length", str(len(sent.body)).encode()))
            asked = _ask(self.parts.app, "POST", "/webhook", "", headers, sent.body)
            status, _, answer = self._loop.run_until_complete(asked)
            assert status == 202, (sent.event, status, answer)
        return len(batch)

    # work -------------------------------------------------------------------------------------

    def work(self) -> int:
        """Do what is due, one look after the other; give their number."""
        engine: Any = self.parts.engine
        done = 0
        never = threading.Event()
        while True:
            engine._route_some()
            take = partial(agenda.take, now=self.clock.now(), limit=1, served={})
            taken = engine._do(take)
            if not taken:
                return done
            for one in taken:
                done += 1
                self.looks += 1
                if one.subject != SWEEP:
                    engine._record(one, engine._look_at(self.parts.look, one), never)
            if done > MOST_LOOKS:
                raise Restless([t.subject.what for t in taken])

    def settle(self) -> None:
        """Hand over and do whatever comes, until nothing is left to do now."""
        for _ in range(MOST_LOOKS):
            if not self.deliver() + self.work():
                return
        raise Restless("deliveries without end")

    def due(self) -> datetime | None:
        """Tell when the next look is due."""
        engine: Any = self.parts.engine
        sql = "SELECT min(max(due, not_before)) FROM agenda WHERE due IS NOT NULL AND taken_at IS NULL"
        (micros,) = engine._do(lambda connection: connection.execute(sql).fetchone())
        return None if micros is None else agenda.moment(micros)

    def dead(self) -> list[str]:
        """Give the subjects that were given up after errors of the bot's own."""
        return [f"{d.subject.what}: {d.error}" for d in self.parts.engine.dead()]

    # a story ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin anew in an empty world, on the first day."""
        self.stop()
        self.world.close()
        self.clock = SandboxClock(FIRST_DAY)
        self.world = _empty_world(self.clock)
        self.app = self.world.create_app("canary-bot", SECRET, private_key_pem=self.app.private_key_pem)
        self.api.world = self.world
        self.api.requests.clear()
        self.api.faults.clear()
        self._handed = 0
        self.journal.clear()
        self.gate = Outcome.PASS
        self.start(keep=False)


@contextmanager
def closed() -> Iterator[Closed]:
    """Make a world with a bot that nothing leaves."""
    clock = SandboxClock(FIRST_DAY)
    with ExitStack() as stack:
        stack.enter_context(in_memory())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-closed-")))
        # Reading a key is slow, since it is checked, and it is the same for all stories.
        for module in ("bot.entry.settings", "bot.adapters.github.credentials"):
            patch.setattr(f"{module}.load_pem_private_key", _read_once)
        patch.setattr("bot.sandbox.people.serialization.load_pem_private_key", _read_once)
        world = _empty_world(clock)
        app = world.create_app("canary-bot", SECRET)
        api = Api(world)
        run = Closed(world, app, clock, api, create_app(world, api=api), folder)

        async def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
            return work(*arguments)

        def send(self: HTTPAdapter, request: PreparedRequest, **_: Any) -> Any:
            status, head, answer = run.send(request)
            raw = HTTPResponse(io.BytesIO(answer), dict(head), status, preload_content=False)
            return self.build_response(request, raw)

        patch.setattr(server, "run_in_threadpool", at_once)
        patch.setattr(HTTPAdapter, "send", send)
        patch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})
        patch.setattr("bot.adapters.engine.random.uniform", lambda _, most: most)
        patch.setattr("time.sleep", lambda _: None)
        patch.setattr("bot.entry.web.ThreadPoolExecutor", _Here)
        before = structlog.get_config()
        structlog.configure(logger_factory=lambda *_: _Quiet())
        try:
            yield run
        finally:
            structlog.configure(**before)
            run.stop()
            run.world.close()


def _empty_world(clock: SandboxClock) -> World:
    world = World.create(clock)
    world.urls = Urls(f"http://{HOST}", f"http://{HOST}")
    return world


_KEYS: dict[bytes, Any] = {}


def _read_once(pem: bytes, password: bytes | None = None) -> Any:
    if pem not in _KEYS:
        _KEYS[pem] = load_pem_private_key(pem, password)
    return _KEYS[pem]


class _Here(Executor):
    """Works in the caller's thread."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
        """Do it now."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **more))
        except Exception as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done


class _Quiet:
    """A logger that says nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


async def _ask(  # noqa: PLR0917 - one request
    app: ASGIApp, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]], body: Any
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Ask an ASGI application, and give status, headers and body of its answer."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9),
        "state": {},
    }
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(body or b""), "more_body": False}

    async def say(message: Message) -> None:
        said.append(message)

    await app(scope, receive, say)
    head: Mapping[str, Any] = said[0]
    found = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in head["headers"]]
    return head["status"], found, b"".join(m.get("body", b"") for m in said[1:])


def _finished(asked: Any) -> Any:
    """Run what never has to wait to its end, without a loop."""
    try:
        asked.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the sandbox waits for something")
