"""What a pull request would change of the rules: all problems of its files, and in words what changes for whom.

Before the merge nothing of it holds; it is only looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.problems import Declined
from bot.core.rules import CONFIG_PATH, Checked, changes, named_files
from bot.core.text import code
from bot.service import configuring
from bot.service.reading import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.problems import Problem
    from bot.ports import ChangedFile, Pull
    from bot.service.desk import Desk

_STEPS = b"steps"  # every rule set has the key


@dataclass(frozen=True, slots=True)
class Ruling:
    """The rules as a pull request has them: what is wrong with them, and what they change, in Markdown."""

    problems: tuple[Problem, ...] = ()
    words: tuple[str, ...] = ()


def ruling(desk: Desk, pull: Pull, *, just_committed: bool = False) -> Ruling | None:
    """Check the rules at the head of a pull request, ``None`` where it changes none.

    Args:
        desk: The look's tools.
        pull: The pull request.
        just_committed: The head is a commit of our own to a manifest: which files the pull request changes is what
            it was before, and is not asked for again.
    """
    files = desk.files_of(pull, as_before=just_committed)
    if not _touches_rules(desk, pull, files, just_committed=just_committed):
        return None
    tip = desk.tip(desk.repo.default_branch)
    before = _at(desk, tip, None)
    after = _at(desk, pull.head_sha, before)
    if after.problems:
        return Ruling(after.problems, (_head(desk), _no_effect(desk, pull)))
    return Ruling((), (_head(desk), _effect(desk, before, after), _no_effect(desk, pull)))


def _touches_rules(desk: Desk, pull: Pull, files: Sequence[ChangedFile], *, just_committed: bool) -> bool:
    paths = {path for one in files for path in (one.path, one.previous_path) if path}
    if CONFIG_PATH in paths:
        return True
    maybe = {path for path in paths if "/" in path and path.endswith((".yaml", ".yml"))}
    if not just_committed:
        # Read already, where services were looked for; what is gone may have been a rule set.
        maybe = {path for path in maybe if _may_be_rules(desk, path, pull.head_sha)}
    return bool(maybe) and not maybe.isdisjoint(_named(desk))


def _may_be_rules(desk: Desk, path: str, sha: str) -> bool:
    try:
        file = read_file(desk.repo, path, sha)
    except Declined:
        return True
    return file is None or _STEPS in file.content


def _named(desk: Desk) -> tuple[str, ...]:
    """Give the rule sets that the default branch's configuration names by their paths."""
    try:
        return desk.configured().named
    except Declined:
        pass
    try:
        text = configuring.text_at(desk.repo, CONFIG_PATH, desk.tip(desk.repo.default_branch))
    except Declined:
        return ()
    return () if text is None else named_files(text)


def _at(desk: Desk, sha: str | None, other: Checked | None) -> Checked:
    """Check the rules of a commit with the organisation's; what cannot be read is a problem."""
    try:
        text = configuring.text_at(desk.repo, CONFIG_PATH, sha)
        checked = configuring.checked_at(desk.repo, desk.rulebook, sha, text, None)
    except Declined as declined:
        return Checked(None, {} if other is None else other.sets, declined.problems)
    try:
        theirs = desk.organisation()
    except Declined as declined:
        return replace(checked, config=None, problems=(*checked.problems, *declined.problems))
    if theirs is None or checked.config is None:
        return checked
    return configuring.checked_at(desk.repo, desk.rulebook, sha, text, theirs)


def _head(desk: Desk) -> str:
    return "### The rules of all repositories" if configuring.is_organisations(desk.repo) else "### The rules"


def _effect(desk: Desk, before: Checked, after: Checked) -> str:
    branch = code(desk.repo.default_branch)
    if before.config is None:
        return f"The rules on {branch} have problems, so that nothing is promoted; these have none."
    told = changes(before, after)
    if not told:
        return "Nothing changes for anybody."
    return "What changes:\n\n" + "\n".join(f"- {sentence}" for sentence in told)


def _no_effect(desk: Desk, pull: Pull) -> str:
    branch = desk.repo.default_branch
    elsewhere = (
        ""
        if pull.base_ref == branch
        else f" {code(pull.base_ref)} is another branch: it has no effect there."
    )
    return (
        f"Rules are read from {code(branch)} only: before the merge this has no effect.{elsewhere} Rollouts that run "
        "keep the steps, bake times and gates of the commit that they began with; who may and when holds for them too."
    )
