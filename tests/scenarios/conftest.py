from __future__ import annotations

import itertools
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bot.entry.rehearsal import Rehearsal, rehearsal
from bot.sandbox.clock import SandboxClock
from tests.contract.lane import tally, verdict
from tests.contract.recorder import Recorder
from tests.in_memory import in_memory
from tests.scenarios.answers import Answers
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, Stage
from tests.scenarios.written import schema_judged

__all__ = ["schema_judged"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

_numbers = itertools.count(1)


class WakingClock(SandboxClock):
    """A clock that tells when it was moved, so that nobody waits until that is noticed."""

    def __init__(self) -> None:
        super().__init__()
        self.wake: Callable[[], None] = lambda: None

    def advance(self, by: timedelta) -> datetime:
        now = super().advance(by)
        self.wake()
        return now


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    """Hears all sandboxes of the scenarios."""
    return Recorder()


@pytest.fixture(autouse=True)
def refereed(recorder: Recorder, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every request, answer and webhook of a scenario is as GitHub documents it."""
    recorder.take()
    with recorder.listening():
        yield
    assert verdict(recorder, tally(request.config)) == []


@pytest.fixture(scope="session")
def running_bot(recorder: Recorder) -> Iterator[Rehearsal]:
    """One sandbox with the bot for all scenarios of a process; each has a repository of its own."""
    clock = WakingClock()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # All is on loopback. Looking for a proxy in the environment is a third of a small request.
        patch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})
        # Every commit of the engine waits for the disk otherwise, and no power is cut here.
        with recorder.listening(), in_memory():
            run = stack.enter_context(rehearsal(clock=clock, gates=Answers()))
        clock.wake = run.bot.parts.engine._notify
        for login in PEOPLE:
            run.world.add_user(login)
        yield run


@pytest.fixture
def stage(running_bot: Rehearsal) -> Iterator[Stage]:
    """A fresh repository with the customer service at 100 %; fails when a reply was left unread."""
    repo = f"acme/shop-{next(_numbers)}"
    running_bot.world.create_repository(repo, {PATH: CUSTOMER, "README.md": b"Shop\n"}, by="ada")
    for login, role in PEOPLE.items():
        running_bot.world.set_role(repo, login, role)
    running_bot.install(repo)
    running_bot.settle()
    stage = Stage(running_bot, repo)
    yield stage
    running_bot.settle()
    unread = stage.unread()
    # What waits for its time here shall not be due in the next scenario.
    folder = running_bot.world.repository(repo).git.path
    running_bot.world.delete_repository(repo)
    running_bot.settle()
    shutil.rmtree(folder)
    assert unread == []
