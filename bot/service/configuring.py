"""The configuration at a commit: the repository's file, the rule sets that it names, and the organisation's file.

Always of the default branch: what a pull request holds has no effect before it is merged. A rollout follows the
commits that its records name, so that a later change of the rules is for later rollouts only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from bot.core.problems import Declined, OutsideFailure, Place, Problem
from bot.core.rules import CONFIG_PATH, Checked, Config, adjusted, check, merge, named_files
from bot.core.text import code
from bot.core.trailers import Pin
from bot.ports import Missing, Refused
from bot.service.reading import read_file

if TYPE_CHECKING:
    from bot.core.rules import RuleSet
    from bot.ports import OrganisationFile, Repository

UNREADABLE = "config-unreadable"
ORGANISATION = ".github"  # the name of the repository that holds an organisation's file
_SHORT = 7  # digits of a sha that a reader is shown


class Rulebook(Protocol):
    """The rule sets at hand."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rule sets, the default first."""
        ...

    def get(self, rules_id: str) -> RuleSet:
        """Give a rule set; an id of a rollout that began under another version gives the default."""
        ...


@dataclass(frozen=True, slots=True)
class Configured:
    """A configuration without problems, the commits that it was read at, and the rule sets that it names by path."""

    checked: Checked
    pin: Pin
    named: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """What both files say together."""
        return self.checked.config or Config()

    def rules(self, name: str, service: str) -> RuleSet:
        """Give a rule set by its id or path, with what the configuration changes of it for a service.

        Raises:
            Declined: ``config-unreadable``: no such rule set is known.
        """
        held = self.checked.sets.get(name)
        if held is None:
            raise Declined(Problem(UNREADABLE, f"There is no rule set {code(name)} (any more).", _REMEDY))
        return adjusted(held, self.config, service)


_REMEDY = (
    "Nothing is promoted. `/rollback` turns back; `/canary cancel` leaves the traffic as it is, and `/canary` then "
    "begins a rollout under the present rules."
)


def is_of_configuration(problems: tuple[Problem, ...]) -> bool:
    """Whether problems are those of the configuration, and not of a manifest."""
    return any(problem.code in {UNREADABLE, "config-invalid"} for problem in problems)


def present(
    repo: Repository, rulebook: Rulebook, tip: str | None, theirs: OrganisationFile | None
) -> Configured:
    """Read the configuration that holds for new rollouts.

    Args:
        repo: The repository.
        rulebook: The rule sets that come with the bot.
        tip: The commit of the default branch, ``None`` where there is no such branch.
        theirs: The organisation's file as it is now.

    Raises:
        Declined: ``config-invalid``, ``path-refused``.
    """
    text = text_at(repo, CONFIG_PATH, tip)
    checked = checked_at(repo, rulebook, tip, text, theirs)
    if checked.problems:
        raise Declined(*checked.problems)
    own = tip if text is not None and tip is not None else ""
    named = () if text is None else named_files(text)
    return Configured(checked, Pin(own, theirs.sha if theirs is not None else ""), named)


def pinned(repo: Repository, rulebook: Rulebook, pin: Pin) -> Configured:
    """Read the configuration that a running rollout follows since it began.

    Raises:
        Declined: ``config-unreadable``: a commit is gone. ``config-invalid``: this version refuses what it said.
    """
    theirs = organisation_file(repo, pin.organisation) if pin.organisation else None
    text = text_at(repo, CONFIG_PATH, pin.repository) if pin.repository else None
    for sha, found in ((pin.repository, text), (pin.organisation, theirs)):
        if sha and found is None:
            where = code(CONFIG_PATH if sha == pin.repository else theirs_path(repo))
            said = (
                f"This rollout follows {where} of the commit {code(sha[:_SHORT])} since it began, and that cannot be "
                "read any more: history was rewritten, or the bot lost its right to read."
            )
            raise Declined(Problem(UNREADABLE, said, _REMEDY))
    checked = checked_at(repo, rulebook, pin.repository or None, text, theirs, short=pin.repository[:_SHORT])
    if checked.problems:
        raise Declined(*checked.problems)
    return Configured(checked, pin)


def checked_at(
    repo: Repository,
    rulebook: Rulebook,
    sha: str | None,
    text: str | None,
    theirs: OrganisationFile | None,
    *,
    short: str = "",
) -> Checked:
    """Check a repository's configuration with the rule sets of a commit and the organisation's file over it.

    Args:
        repo: The repository.
        rulebook: The rule sets that come with the bot.
        sha: The commit that has the rule sets which the configuration names by their paths.
        text: The repository's file, ``None`` where there is none.
        theirs: The organisation's.
        short: What places of a commit that is not the present one are marked with.
    """
    sets = {name: rulebook.get(name) for name in rulebook.ids}
    ours = Checked(Config(), sets)
    if text is not None:
        files = {path: text_at(repo, path, sha, links=False) for path in named_files(text)}
        own = is_organisations(repo)
        ours = check(
            text, sets, path=_at(CONFIG_PATH, short), files=files, for_service=True, organisation=own
        )
        ours = replace(
            ours,
            sets={
                **ours.sets,
                **{path: _marked(ours.sets[path], short) for path in files if path in ours.sets},
            },
        )
    if theirs is None:
        return ours
    path = _at(theirs_path(repo), theirs.sha[:_SHORT] if short else "")
    over = check(_decoded(theirs.content, path), sets, path=path, for_service=True, organisation=True)
    if over.config is None or ours.config is None:
        return Checked(None, ours.sets, (*over.problems, *ours.problems))
    merged = merge(over.config, ours.config, ours.sets)
    return replace(ours, config=merged) if isinstance(merged, Config) else Checked(None, ours.sets, merged)


def text_at(repo: Repository, path: str, sha: str | None, *, links: bool = True) -> str | None:
    """Give the text of a file at a commit, ``None`` when there is none.

    Raises:
        Declined: ``config-invalid``, it is no text. ``path-refused``, it is a link or the like; without ``links``
            such a file is none.
    """
    try:
        file = None if sha is None else read_file(repo, path, sha)
    except Declined:
        if links:
            raise
        return None
    except Missing:
        return None
    return None if file is None else _decoded(file.content, path)


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(
            "config-invalid", f"{code(path)} is not UTF-8.", "Save it as UTF-8.", Place(path, line)
        )
        raise Declined(problem) from None


def _at(path: str, short: str) -> str:
    return f"{path}@{short}" if short else path


def _marked(rules: RuleSet, short: str) -> RuleSet:
    origins = {key: replace(place, path=_at(place.path, short)) for key, place in rules.origins.items()}
    return replace(rules, origins=origins)


# the organisation's file ------------------------------------------------------------------------------


def is_organisations(repo: Repository) -> bool:
    """Whether a repository is the one that holds the organisation's file."""
    return repo.name.rpartition("/")[2].lower() == ORGANISATION


def theirs_path(repo: Repository) -> str:
    """Give what problems call the organisation's file."""
    return f"{repo.name.partition('/')[0]}/{ORGANISATION}:{CONFIG_PATH}"


def is_theirs(path: str) -> bool:
    """Whether a problem's path is the organisation's file: another repository's, that no check here can point into."""
    return f"/{ORGANISATION}:{CONFIG_PATH}" in path


def organisation_file(repo: Repository, sha: str = "") -> OrganisationFile | None:
    """Give the organisation's file, present or at a commit, ``None`` where there is none.

    Raises:
        Declined: ``config-unreadable``: whether there is one cannot be told, so that nothing goes on.
    """
    if is_organisations(repo):
        return None
    try:
        return repo.organisation_file(CONFIG_PATH, sha)
    except (Refused, OutsideFailure) as why:
        said = f"{code(theirs_path(repo))} cannot be read: {code(str(why), longest=200)}."
        remedy = (
            "Nothing is promoted before that is mended; I try again. `/rollback` and `/hold` need no rules."
        )
        raise Declined(Problem(UNREADABLE, said, remedy)) from None
