from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from bot.sandbox.clock import SandboxClock
from bot.sandbox.server import SandboxServer
from bot.sandbox.world import World
from tests.action.runner import EARS, Runner, Shop, Site, populate
from tests.contract.lane import tally, verdict
from tests.contract.recorder import Recorder
from tests.in_memory import in_memory
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.entry.rehearsal import Rehearsal
    from bot.sandbox.model import App

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Town:
    """One sandbox for all tests of a process; each has a repository of its own."""

    world: World
    server: SandboxServer
    clock: SandboxClock
    ears: App
    canary: App

    def shop(
        self, folder: Path, *, app: App | None = None, content: bytes = CUSTOMER, path: str = PATH
    ) -> Shop:
        """Open a repository whose workflows have the token of ``app``, or their own."""
        repo = f"acme/shop-{next(_numbers)}"
        self.world.create_repository(repo, {path: content, "README.md": b"Shop\n"}, by="ada")
        for login, role in PEOPLE.items():
            self.world.set_role(repo, login, role)
        for one in (self.ears, self.canary):
            self.world.install(one, repo)
        runner = Runner(self.world, self.server, self.clock, repo, folder, app)
        site = Site(self.world, app or self.world.actions_app(), self.server, self.clock, runner)
        return Shop(cast("Rehearsal", site), repo, runner=runner)


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    """Hears the sandbox."""
    return Recorder()


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """All is on loopback, and looking for a proxy in the environment is a third of a small request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})
        yield


@pytest.fixture(autouse=True)
def refereed(recorder: Recorder, town: Town, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every request, answer and webhook is as GitHub documents it."""
    assert town.server.errors == []
    recorder.take()
    with recorder.listening():
        yield
    assert verdict(recorder, tally(request.config)) == []


@contextmanager
def founded(clock: SandboxClock, recorder: Recorder) -> Iterator[Town]:
    with ExitStack() as stack:
        with in_memory():
            world = stack.enter_context(World.create(clock))
        populate(world)
        ears = next(app for app in world.apps.values() if app.slug == EARS)
        with recorder.listening():
            server = stack.enter_context(SandboxServer(world))
        yield Town(world, server, clock, ears, world.create_app("canary-bot", "s" * 32))


@pytest.fixture(scope="session")
def town(recorder: Recorder) -> Iterator[Town]:
    with founded(SandboxClock(BEGIN), recorder) as town:
        yield town


@pytest.fixture(scope="session")
def live_town(recorder: Recorder) -> Iterator[Town]:
    """A sandbox on the machine's clock, for the Action as a process, which knows no other."""
    with founded(SandboxClock(), recorder) as town:
        yield town


@pytest.fixture
def opened(town: Town, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Opens repositories; at the end the sandbox has made no mistake of its own."""
    yield lambda **more: town.shop(tmp_path, **more)
    town.server.faults.clear()
    assert town.server.errors == []


@pytest.fixture
def shop(opened: Callable[..., Shop]) -> Shop:
    """A repository whose workflows use ``GITHUB_TOKEN``."""
    return opened()


@pytest.fixture
def with_app(opened: Callable[..., Shop], town: Town) -> Shop:
    """A repository whose workflows use an App's token."""
    return opened(app=town.canary)
