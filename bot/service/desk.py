"""What one look has at hand: a repository, the time, the rules.

A look is at one pull request or one service. Everything in it happens in one thread, and
no other look works on the same repository at that time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bot.core.problems import Declined, Problem
from bot.core.rules import CONFIG_PATH, Config, RuleSet, read_config
from bot.core.text import code
from bot.core.validate import is_namespace, problems_of
from bot.manifests.knative import edit_service
from bot.service.reading import Historian, Service, Standing, read_file, standing

if TYPE_CHECKING:
    from datetime import datetime

    from bot.core.traffic import Split
    from bot.ports import Clock, Repository
    from bot.service.reading import Held


class Rulebook(Protocol):
    """The rule sets at hand."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rule sets, the default first."""
        ...

    def get(self, rules_id: str) -> RuleSet:
        """Give a rule set; an id of a rollout that began under another version gives the default."""
        ...


@dataclass(slots=True)
class Desk:
    """A look's tools.

    ``tips`` remembers a branch for the length of one look, until it is written to. ``answering`` is the comment
    that is being worked off: its reply is not written yet. In a ``rehearsal`` nothing leaves the repository
    port: texts say what would be done.
    """

    repo: Repository
    clock: Clock
    rulebook: Rulebook
    historian: Historian
    tips: dict[str, str | None] = field(default_factory=dict)
    answering: str = ""
    rehearsal: bool = False

    def now(self) -> datetime:
        """Give the time."""
        return self.clock.now()

    def tip(self, branch: str) -> str | None:
        """Give the sha of a branch, read once in a look."""
        if branch not in self.tips:
            self.tips[branch] = self.repo.tip(branch)
        return self.tips[branch]

    def forget(self, branch: str) -> None:
        """Read a branch again the next time: it was written to."""
        self.tips.pop(branch, None)

    def base(self, branch: str) -> str:
        """Give the sha of a base branch.

        Raises:
            Declined: ``file-missing``, the branch is gone.
        """
        tip = self.tip(branch)
        if tip is None:
            raise Declined(Problem("file-missing", f"The base branch {code(branch)} is gone."))
        return tip

    def standing(self, service: Service) -> Standing:
        """Read a service on its base branch. Raises ``Declined``."""
        return standing(self.repo, self.historian, service, self.base(service.base))

    def config(self) -> Config:
        """Read the repository's configuration from its default branch, never from anywhere else.

        Raises:
            Declined: ``config-invalid``.
        """
        tip = self.tip(self.repo.default_branch)
        file = read_file_at(self.repo, tip)
        return Config() if file is None else read_config(file, self.rulebook.ids)

    def rules_of(self, service: Service) -> RuleSet:
        """Give the rule set that a new rollout of a service follows. Raises ``Declined``."""
        return self.rulebook.get(self.config().rules_for(service.name))


def read_file_at(repo: Repository, tip: str | None) -> str | None:
    """Give the text of the configuration at a commit, ``None`` when there is none.

    Raises:
        Declined: ``config-invalid``.
    """
    file = None if tip is None else read_file(repo, CONFIG_PATH, tip)
    if file is None:
        return None
    try:
        return file.content.decode()
    except UnicodeDecodeError:
        raise Declined(Problem("config-invalid", f"`{CONFIG_PATH}` is not UTF-8.")) from None


def edited(held: Held, split: Split, template_name: str | None = None) -> bytes:
    """Give the file with another split, and with a revision name where one is to be written.

    Raises:
        Declined: The platform would refuse the split, or the file cannot be edited exactly.
    """
    m = held.manifest
    problems = problems_of(
        split, service=m.name, template_name=template_name or m.template_name, place=held.place
    )
    if m.namespace is not None and not is_namespace(m.namespace):
        # It goes into the trailers of the commit, where a line feed would begin another one.
        problems += (Problem("split-invalid", f"{code(m.namespace)} is no namespace.", place=held.place),)
    if problems:
        raise Declined(*problems)
    return edit_service(held.file.content, m.path, m, targets=split.targets, template_name=template_name)
