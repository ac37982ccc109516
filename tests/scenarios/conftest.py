from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from bot.entry.rehearsal import Rehearsal, rehearsal
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running_bot() -> Iterator[Rehearsal]:
    """One sandbox with the bot for all scenarios of a process; each has a repository of its own."""
    with rehearsal() as run:
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
