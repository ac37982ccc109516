"""What GitHub does about merging beside the merge itself; first of all: a merge that is not what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.base import locked
from bot.sandbox.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Account, MergeMethod, Pull, Repository


class Merging(Rules):
    """Rules, and what follows from them at a merge."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._lies: dict[int, Mapping[str, bytes | None]] = {}

    @locked
    def lie_about_next_merge(self, repo: str, changes: Mapping[str, bytes | None]) -> None:
        """Let the next merge succeed and bring something else: these files, ``None`` where one is missing.

        As in the incident of 23 April 2026, when merge queues squashed from a wrong base.
        """
        self._lies[self.repository(repo).id] = dict(changes)

    def _merge_commit(
        self,
        repository: Repository,
        pull: Pull,
        base: str,
        who: Account,
        wanted: tuple[MergeMethod, str | None, str | None],
    ) -> str | None:
        made = super()._merge_commit(repository, pull, base, who, wanted)
        lie = self._lies.pop(repository.id, None) if made is not None else None
        if made is None or lie is None:
            return made
        git = repository.git
        commit = git.commit(made)
        lines = [
            (path, "100644", None if content is None else git.write_blob(content))
            for path, content in lie.items()
        ]
        tree = git.write_tree(commit.tree, lines)
        return git.write_commit(tree, list(commit.parents), commit.message, self.signed(who))
