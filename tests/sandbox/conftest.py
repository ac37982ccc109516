"""A served sandbox for a whole file of read-only questions, and a fresh one for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.clock import SandboxClock
from bot.sandbox.world import World
from tests.sandbox.peer import START, Peer, populate, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with serving(tmp_path) as peer:
        yield peer


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.create(SandboxClock(START), tmp_path) as world:
        populate(world)
        yield world
