from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from bot.adapters.github import GitHubForge
from tests.adapters.scripted import APP_ID, PEM, Scripted, StillClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.adapters.github.writing import GitHubRepository
    from tests.adapters.stage import Stage


@dataclass
class Talk:
    """A forge that talks with a scripted server, and what was heard on the way."""

    server: Scripted
    clock: StillClock
    heard: list[tuple[str, str, int]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def forge(self, *, app_id: int | str = APP_ID, timeout: int = 15) -> GitHubForge:
        return GitHubForge(
            app_id,
            PEM,
            self.server.url,
            clock=self.clock,
            on_request=lambda *heard: self.heard.append(heard),
            timeout=timeout,
            sleep=self.slept.append,
        )

    def repository(self) -> GitHubRepository:
        return cast("GitHubRepository", self.forge().repository(7, "acme/shop"))


@pytest.fixture
def talk() -> Iterator[Talk]:
    clock = StillClock()
    with Scripted(clock) as server:
        yield Talk(server, clock)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    from tests.adapters.stage import staged

    with staged(tmp_path) as ready:
        yield ready
