from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bot.entry.rehearsal import Rehearsal, rehearsal
from tests.contract.lane import tally, verdict
from tests.contract.recorder import Recorder
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)


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
    with ExitStack() as stack:
        with recorder.listening():
            run = stack.enter_context(rehearsal())
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
    running_bot.world.delete_repository(repo)
    running_bot.settle()
    assert unread == []
