"""The bot's pull requests are made again from the base branch when that went on; never by merging text.

A branch that a person committed to is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.problems import Declined
from bot.core.rollout import Phase, is_outdated, moved, rolled_back
from bot.core.text import code
from bot.ports import Moved, Refused
from bot.service import approving
from bot.service.comparing import keeps_others
from bot.service.proposing import Change, Ours, plan_of_step
from bot.service.reading import read_file, read_held

if TYPE_CHECKING:
    from bot.core.trailers import Record
    from bot.service.desk import Desk
    from bot.service.reading import Standing


def renew(desk: Desk, standing: Standing, one: Ours) -> None:
    """Rebuild a start or a rollback whose base changed under it; steps are judged elsewhere.

    What cannot be made from the base branch as it is now stays what it is: GitHub shows the conflict.
    """
    if one.proposal.kind == "step" or standing.held is None or desk.rehearsal:
        return
    commits = desk.repo.commits_of(one.pull.number)
    records = [r for commit in commits if commit.ours for r in trailers.records(commit.message)]
    if not records or not all(commit.ours for commit in commits) or not commits[0].parents:
        return
    try:
        # Its own content may be right and still conflict: what it was made from decides.
        origin = read_file(desk.repo, standing.path, commits[0].parents[0])
        change = _change(standing, one, records[-1])
        same = origin is not None and origin.blob == standing.held.file.blob
        if change is not None and not same and change.content() != standing.held.file.content:
            _rebuild(desk, standing, change, one)
    except (Declined, Moved):
        return


def _change(standing: Standing, one: Ours, record: Record) -> Change | None:
    service, held = standing.service, standing.held
    if held is None:  # pragma: no cover - the caller has looked
        return None
    held = held.at(record.route or None)
    split = held.version.split
    if one.proposal.kind == "rollback":
        return Change(service, held, rolled_back(split, record), record, "")
    if standing.rollout.phase in {Phase.ROLLING, Phase.DRIFTED}:
        return None  # another rollout has begun
    ended = standing.rollout.record
    if standing.rollout.phase is Phase.DONE and ended is not None and is_outdated(record, ended):
        record = replace(record, stable=ended.candidate)  # another rollout has ended since
    named = held.manifest.template_name == record.candidate or not held.manifest.names_revisions
    name = None if named else record.candidate
    if name is not None and not naming.belongs(name, service.name, held.manifest.template, record.template):
        return None  # another template: it is not what was asked for
    return Change(service, held, moved(split, record, record.weight), record, "", name)


def refresh(desk: Desk, standing: Standing, change: Change, step: Ours) -> tuple[Ours, str, bool]:
    """Rebuild a step whose base changed under it; a person's commits are kept and judged.

    Returns:
        The step, a remark for its check, and whether its file is what the step says.
    """
    expected = change.content()
    try:
        file = desk.repo.file(standing.path, step.pull.head_sha)
    except Refused:
        file = None
    if file is not None and file.content == expected:
        return step, "", True
    if all(commit.ours for commit in desk.repo.commits_of(step.pull.number)):
        try:
            return _rebuild(desk, standing, change, step), "", True
        except Moved:
            return step, "The branch moved while it was rebuilt.", False
    said, keeps = _on_hand_edit(desk, standing, change, step)
    return step, said, keeps


def rebuilt(desk: Desk, standing: Standing, change: Change, one: Ours) -> Ours:
    """Make a branch again from the base branch's tip, where only the bot has committed to it.

    What is exactly that already is left alone, and so is a branch that moves under it: the next look judges it.

    Raises:
        Declined: The manifest cannot be edited so.
    """
    commits = desk.repo.commits_of(one.pull.number)
    if not all(commit.ours for commit in commits):
        return one
    try:
        if len(commits) == 1 and commits[0].parents == (standing.tip,):
            file = desk.repo.file(standing.path, commits[0].sha)
            said = trailers.records(commits[0].message)
            if file is not None and file.content == change.content() and said == (change.record,):
                return one
        return _rebuild(desk, standing, change, one)
    except (Moved, Refused):
        return one


def _rebuild(desk: Desk, standing: Standing, change: Change, one: Ours) -> Ours:
    """Put the change on the base branch's tip. Raises ``Moved``, ``Declined``."""
    message = report.commit_message(change.record, one.proposal.before, "Rebuilt from the base branch.")
    sha = desk.repo.commit_on(standing.tip, standing.path, change.content(), message)
    if one.proposal.kind == "step":
        # Before the branch names it: nobody sees the new head without its checks.
        plan = plan_of_step(change, standing.split, one.proposal.weight)
        desk.tell(sha, [plan, approving.check(desk, standing, one.proposal, change.record, None)], fresh=True)
    desk.repo.move_branch(one.pull.head_ref, old=one.pull.head_sha, new=sha)
    return Ours(replace(one.pull, head_sha=sha), one.proposal)


def _on_hand_edit(desk: Desk, standing: Standing, change: Change, step: Ours) -> tuple[str, bool]:
    """Say what a person's commits mean, and whether the step's split is kept in them."""
    try:
        held = read_held(desk.repo, standing.path, standing.service.id, step.pull.head_sha)
        held = None if held is None else held.at(change.record.route or None)
    except Declined as error:
        return "\n\n".join(report.problem_text(p, with_code=True) for p in error.problems), False
    if held is None:
        return f"{code(standing.service.name)} is not in this branch any more.", False
    base = standing.held
    if held.version.split == change.split:
        if base is None or keeps_others(desk.repo, step.pull, base, held, change.record.route):
            return (
                "A person committed to this branch: it is kept, and the bot has stopped rewriting it.",
                True,
            )
        return (
            "A person committed to this branch: the traffic of other rules than the rollout's is not what it was. The "
            "bot has stopped rewriting it and will not merge it by itself; a person may.\n\n"
            "To have the step built again, close this pull request, delete its branch and comment `/resume`.",
            False,
        )
    return (
        "A person committed to this branch: the file holds another split than the step. The bot has stopped "
        "rewriting it and will not merge "
        "it by itself; a person may. An edit that equals a later step counts as that step.\n\n"
        f"{report.split_table(standing.split, held.version.split)}\n\n"
        "To have the step built again, close this pull request, delete its branch and comment `/resume`.",
        False,
    )
