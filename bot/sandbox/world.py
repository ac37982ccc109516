"""The sandbox's state of the world, changed by persons (here) and by programs (over HTTP).

Everything a visitor of GitHub could do is a method of ``World``; repositories are named
``owner/name``, people by login. A refusal is an ``ApiError`` with GitHub's status and words.

The methods are spread over parts, one on top of the other: ``base`` (records, roles,
deliveries), ``people`` (accounts, repositories, Apps), ``tokens`` (of workflows), ``code`` (files,
branches, commits), ``reading`` and ``pulls`` (pull requests, merging, labels), ``talk`` (comments,
reviews, reactions), ``statuses``, ``checks`` (runs, suites, buttons), ``teams``, ``rules``,
``merging`` (auto-merge) and ``queue``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bot.sandbox.clock import SandboxClock
from bot.sandbox.queue import Queues

if TYPE_CHECKING:
    from types import TracebackType


class World(Queues):
    """Accounts, repositories and everything on them. Safe to share between threads."""

    _temporary = False

    @classmethod
    def create(cls, clock: SandboxClock | None = None, root: Path | None = None) -> Self:
        """Make an empty world.

        Args:
            clock: The time; the machine's by default.
            root: An existing folder for the git repositories; a temporary one, removed by
                ``close``, by default.
        """
        folder = Path(tempfile.mkdtemp(prefix="canary-sandbox-")) if root is None else root
        world = cls(clock or SandboxClock(), folder)
        world._temporary = root is None
        return world

    def close(self) -> None:
        """Stop the webhooks and remove a temporary folder."""
        self.hooks.close()
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> Self:
        """Give the world itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
