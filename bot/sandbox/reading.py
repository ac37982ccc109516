"""Pull requests as git and the records have them: look-ups, conflicts, differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.base import locked
from bot.sandbox.code import HEADS, Code
from bot.sandbox.diffs import differences
from bot.sandbox.errors import not_found
from bot.sandbox.model import Pull

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Commit, FileDiff, Issue, Repository


@dataclass(frozen=True, slots=True)
class PullFacts:
    """What git says about a pull request now.

    ``test_merge`` is the commit that GitHub makes to try the merge (open and mergeable only).
    """

    mergeable: bool | None
    test_merge: str | None
    commits: int
    files: tuple[FileDiff, ...]


class Reading(Code):
    """Looking at issues and pull requests.

    With ``slow_mergeable`` GitHub does not know at the first look whether a change can be merged.
    """

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._facts: dict[tuple[str, str, str, int], PullFacts] = {}
        self.slow_mergeable = False
        self._asked: set[tuple[str, str, int]] = set()

    # finding -------------------------------------------------------------------------------------

    @locked
    def issue(self, repo: str, number: int) -> Issue:
        """Find a pull request or issue. Raises ``ApiError`` 404."""
        try:
            return self.repository(repo).issues[number]
        except KeyError:
            raise not_found() from None

    @locked
    def pull(self, repo: str, number: int) -> Pull:
        """Find a pull request. Raises ``ApiError`` 404."""
        found = self.issue(repo, number)
        if not isinstance(found, Pull):
            raise not_found()
        return found

    @locked
    def pulls(self, repo: str, *, state: str = "all") -> list[Pull]:
        """Give pull requests of a state (``open``, ``closed``, ``all``), newest first."""
        found = self.repository(repo).pulls
        return [pull for pull in reversed(found) if state in {"all", pull.state}]

    # what git says -------------------------------------------------------------------------------

    @locked
    def facts(self, repo: str, number: int) -> PullFacts:
        """Give what git says about a pull request."""
        repository, pull = self.repository(repo), self.pull(repo, number)
        base = self._base_of(repository, pull)
        key = (base, pull.head_sha, pull.state, pull.id)
        if key not in self._facts:
            self._facts[key] = self._work_out(repository, pull, base)
        return self._facts[key]

    def _base_of(self, repository: Repository, pull: Pull) -> str:
        """Give the commit to compare with: the base branch's tip while open, as it was afterwards."""
        tip = repository.git.ref(HEADS + pull.base_ref) if pull.state == "open" else None
        return tip or pull.compared_with or pull.base_sha

    def _work_out(self, repository: Repository, pull: Pull, base: str) -> PullFacts:
        git = repository.git
        fork_point = git.merge_base(base, pull.head_sha)
        tree = git.merge_tree(base, pull.head_sha) if pull.state == "open" else None
        merge = None
        if tree is not None:
            text = f"Merge {pull.head_sha} into {base}"
            merge = git.write_commit(tree, [base, pull.head_sha], text, self.signed(pull.author))
        return PullFacts(
            mergeable=None if pull.state == "closed" else tree is not None,
            test_merge=merge,
            commits=len(git.log(pull.head_sha, f"^{base}")),
            files=tuple(differences(git, fork_point, pull.head_sha)),
        )

    @locked
    def mergeable(self, repo: str, number: int) -> bool | None:
        """Tell whether head and base merge without a conflict; ``None`` when closed."""
        return self.facts(repo, number).mergeable

    @locked
    def shown_facts(self, repo: str, number: int) -> PullFacts:
        """Give the facts as the API shows them.

        With ``slow_mergeable`` the first look after a change says that GitHub does not know yet
        whether the pull request can be merged.
        """
        facts = self.facts(repo, number)
        pull = self.pull(repo, number)
        key = (self._base_of(self.repository(repo), pull), pull.head_sha, pull.id)
        if self.slow_mergeable and key not in self._asked and facts.mergeable is not None:
            self._asked.add(key)
            return PullFacts(None, None, facts.commits, facts.files)
        return facts

    @locked
    def diff(self, repo: str, number: int) -> list[FileDiff]:
        """Give what the pull request changes, file by file."""
        return list(self.facts(repo, number).files)

    @locked
    def commits_of(self, repo: str, number: int) -> list[Commit]:
        """Give the commits of the pull request, oldest first."""
        repository, pull = self.repository(repo), self.pull(repo, number)
        base = self._base_of(repository, pull)
        return list(reversed(repository.git.log(pull.head_sha, f"^{base}")))
