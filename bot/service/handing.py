"""Merging a step: by the bot itself, else by GitHub's merge queue or auto-merge, whichever the branch has.

The plain merge comes first and names the commit that was judged. Only where GitHub refuses it is GitHub asked how
it would merge. What was handed over is remembered in the pull request's own text, by its head, and is taken back
as soon as the step may not be merged any more: the required check is the lock, and not the only one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from bot.core.outcome import Outcome
from bot.core.text import code
from bot.ports import Missing, Moved, Refused
from bot.service import proposing

if TYPE_CHECKING:
    from bot.core.trailers import Record
    from bot.ports import MergeMethod, Merging, Pull
    from bot.service.desk import Desk
    from bot.service.proposing import Ours

_LONGEST = 200  # characters of GitHub's words
_AGAIN = timedelta(minutes=10)  # until a rollback that the queue has refused goes into it again

_State = Literal["", "asked", "in", "out"]
"""What became of a head in GitHub's hands: nothing, asked for and not known, there, taken out of the queue again."""


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in the commit of a merge. ``who`` are the trailers of whoever wanted it."""

    title: str
    reason: str
    who: str

    def message(self, record: Record, method: MergeMethod) -> str:
        """Give the text below the title; a squash also keeps the trailers of the step's own commit."""
        trailers = f"{record.trailers()}\n{self.who}" if method == "squash" else self.who
        return f"{self.reason}\n\n{trailers}"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a try to merge.

    ``refusal`` are GitHub's words, untrusted; ``waits`` says in ours what GitHub waits for. ``moved`` says that
    something changed meanwhile.
    """

    step: Ours
    merged: bool = False
    moved: bool = False
    refusal: str = ""
    waits: str = ""


def merge(desk: Desk, step: Ours, record: Record, words: Words) -> Tried:
    """Merge a step that may be merged, or have GitHub do it.

    Raises:
        OutsideFailure: GitHub did not answer; the next look finds what was done.
    """
    pull = step.pull
    if pull.auto_merge is not None and (not pull.auto_merge.ours or _is_handed(step)):
        return Tried(step, waits=_armed(pull))
    if pull.auto_merge is not None:
        step = take_back(desk, step)  # for another head
    state = _given(step)[0]
    if state:
        how = _how(desk, pull)
        if how is not None and how.position is not None:
            waits = _queued(pull, how.position)
            return Tried(step if state == "in" else _handed(desk, step, waits), waits=waits)
    try:
        message = words.message(record, "merge")
        desk.repo.merge(pull.number, sha=pull.head_sha, title=words.title, message=message)
    except Moved:
        return Tried(step, moved=True)
    except Refused as refusal:
        try:
            return _hand_over(desk, step, record, words, str(refusal))
        except Moved:
            return Tried(step, moved=True)
    return Tried(step, merged=True)


def _hand_over(desk: Desk, step: Ours, record: Record, words: Words, refusal: str) -> Tried:
    """Find the way in which GitHub would merge. Raises ``Moved``."""
    pull = step.pull
    how = _how(desk, pull)
    if how is None:
        return Tried(step, refusal=refusal)
    if how.head_sha != pull.head_sha:
        return Tried(step, moved=True)
    method = next(iter(how.methods), None)
    try:
        if how.queue:
            return _enqueue(desk, step, how)
        if method is not None and method != "merge":
            message = words.message(record, method)
            with_method = _merged(desk, pull, words.title, message, method)
            if not with_method:
                return Tried(step, merged=True)
            refusal = with_method
        if how.auto_merge and how.blocked and method is not None and not _is_handed(step):
            message = words.message(record, method)
            desk.repo.enable_auto_merge(pull, title=words.title, message=message, method=method)
            waits = _armed(pull, refusal)
            return Tried(_handed(desk, step, waits), waits=waits)
    except (Refused, Missing) as again:
        return Tried(step, refusal=str(again))
    return Tried(step, refusal=refusal)


def _merged(desk: Desk, pull: Pull, title: str, message: str, method: MergeMethod) -> str:
    """Merge with another method; give GitHub's refusal, empty when it is merged."""
    try:
        desk.repo.merge(pull.number, sha=pull.head_sha, title=title, message=message, method=method)
    except Refused as refusal:
        return str(refusal) or "no reason given"
    return ""


def _enqueue(desk: Desk, step: Ours, how: Merging) -> Tried:
    head = step.pull.head_sha
    state, at = _given(step)
    if how.position is None and state == "in":
        return _taken_out(desk, step)
    if how.position is None and state == "out" and not (_is_of_the_rules(step) and _is_over(at, desk.now())):
        return Tried(step, waits=_out(step))
    if how.position is None:
        step = proposing.rewrite(desk, step, replace(step.proposal, handed=f"asked {head}"))
        desk.repo.enqueue(step.pull)
    waits = _queued(step.pull, how.position)
    return Tried(_handed(desk, step, waits), waits=waits)


def _taken_out(desk: Desk, step: Ours) -> Tried:
    """Tell that GitHub's queue, or a person, took out what the bot had put in."""
    waits, head = _out(step), step.pull.head_sha
    # Said first: what is stored is not looked at again.
    _tell(desk, step, waits)
    if step.proposal.wish is None:
        proposing.notify(desk, step.pull.number, f"taken-out-{head[:12]}", waits)
    handed = f"out {head} {desk.now().isoformat()}"
    return Tried(proposing.rewrite(desk, step, replace(step.proposal, handed=handed)), waits=waits)


def _out(step: Ours) -> str:
    number = step.pull.number
    if _is_of_the_rules(step):
        return (
            f"#{number} was taken out of the merge queue before it was merged. It is put back every 10 minutes; "
            "where checks go on failing, **please see to them**. Until it is merged the candidate keeps its traffic."
        )
    return (
        f"#{number} was taken out of the merge queue and is not put back by itself; `/promote` puts it back."
    )


def _is_of_the_rules(step: Ours) -> bool:
    """Whether it is a rollback that no person asked for: nobody's word could put it back."""
    return step.proposal.kind == "rollback" and bool(step.proposal.cause)


def _is_over(at: str, now: datetime) -> bool:
    try:
        return now >= datetime.fromisoformat(at) + _AGAIN
    except (TypeError, ValueError):
        return True  # people edited the text


def _how(desk: Desk, pull: Pull) -> Merging | None:
    with suppress(Missing, Refused):  # without the right to ask, the plain merge is all there is
        return desk.repo.merging(pull)
    return None


def _given(step: Ours) -> tuple[_State, str]:
    """Read what became of this head, and since when, an ISO time, where it was taken out."""
    match step.proposal.handed.split(" "):
        case [head] if head == step.pull.head_sha:
            return "in", ""
        case ["asked", head] if head == step.pull.head_sha:
            return "asked", ""
        case ["out", head, at] if head == step.pull.head_sha:
            return "out", at
        case _:
            return "", ""


def _is_handed(step: Ours) -> bool:
    return _given(step)[0] == "in"


def _handed(desk: Desk, step: Ours, waits: str) -> Ours:
    """Remember what was handed over, and tell those who wished for it."""
    step = proposing.rewrite(desk, step, replace(step.proposal, handed=step.pull.head_sha))
    _tell(desk, step, waits)
    return step


def _tell(desk: Desk, step: Ours, waits: str) -> None:
    proposal = step.proposal
    name = proposal.service.rpartition("/")[2]
    outcome = Outcome("pending", "remembered", waits, verb="promote", service=name, rollout=proposal.rollout)
    proposing.answer_again(desk, step, outcome)


def _queued(pull: Pull, position: int | None) -> str:
    place = f", at place {position}" if position is not None else ""
    return (
        f"Queued: #{pull.number} is in the merge queue{place}; GitHub merges it when its checks pass there."
    )


def _armed(pull: Pull, refusal: str = "") -> str:
    by = pull.auto_merge.by.login if pull.auto_merge is not None and not pull.auto_merge.ours else ""
    who = f" (by {code(by)})" if by else ""
    waits = (
        f"GitHub waits for: {code(refusal, longest=_LONGEST)}." if refusal else "GitHub waits for its rules."
    )
    return f"Auto-merge of #{pull.number} is on{who}. {waits}"


def take_back(desk: Desk, step: Ours) -> Ours:
    """Take a step out of GitHub's hands that the bot gave it to; what people did there stays theirs.

    No request is made where nothing was handed over. Where GitHub refuses, the next look tries again.
    """
    pull = step.pull
    is_armed = pull.auto_merge is not None and pull.auto_merge.ours
    if not is_armed and not step.proposal.handed:
        return step
    try:
        if is_armed:
            desk.repo.disable_auto_merge(pull)
        elif desk.repo.merging(pull).position is not None:
            desk.repo.dequeue(pull)
    except (Refused, Missing):
        return step
    step = replace(step, pull=replace(pull, auto_merge=None))
    return proposing.rewrite(desk, step, replace(step.proposal, handed=""))
