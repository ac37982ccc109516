"""What every rule says of the next step now: gathered here, for whoever judges it or shows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.core import freezes
from bot.core.conditions import Condition, Gate
from bot.core.problems import Declined
from bot.core.rollout import clock, held, judge
from bot.core.text import code
from bot.service.configuring import UNREADABLE

if TYPE_CHECKING:
    from bot.core.markers import Hold, Proposal
    from bot.core.rules import Config, RuleSet
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Standing


AGAIN = timedelta(minutes=10)


def gate_of(
    desk: Desk,
    standing: Standing,  # noqa: ARG001 - gates are asked about its revisions
    rules: RuleSet,
    proposal: Proposal,
    pull: Pull | None,  # noqa: ARG001 - approvals are given on it
) -> Gate:
    """Judge whether a step may be merged now.

    Args:
        desk: The look's tools.
        standing: The service on its base branch.
        rules: The rollout's rules, with all that the configuration adds.
        proposal: What the step is.
        pull: Its pull request, ``None`` before there is one.
    """
    now = desk.now()
    since = datetime.fromisoformat(proposal.since) if proposal.since else now
    hold = proposal.hold
    others = (
        held(None if hold is None else hold_words(hold), None if hold is None else hold.expires, now),
        _frozen(desk, proposal.service),
    )
    return judge(rules, proposal.before, since=since, now=now, others=others)


def _frozen(desk: Desk, key: str) -> Condition:
    try:
        words, until = _freeze_words(desk.config(), desk.now(), key)
    except Declined as declined:
        # What cannot be read may be readable soon, and no webhook tells of another repository.
        first = declined.problems[0]
        again = desk.now() + AGAIN if first.code == UNREADABLE else None
        said = f"{first.message} Nothing is promoted before that is mended."
        origin = code(str(first.place)) if first.place is not None else "`freezes`"
        return Condition("freeze", "freeze", "wait", said, value=said, origin=origin, until=again)
    if words is None:
        return Condition("freeze", "freeze", "pass", origin="`freezes`")
    said = f"{words}{f' until {clock(until)}' if until else ''}"
    return Condition("freeze", "freeze", "wait", f"{said}.", value=said, origin="`freezes`", until=until)


def _freeze_words(config: Config, now: datetime, key: str) -> tuple[str | None, datetime | None]:
    """Say what freezes a service now, and until when."""
    found = freezes.verdict(config.freezes, now, key.rpartition("/")[2])
    if found is None:
        return None, None
    what = f"Freeze {code(found.name)}" if found.kind == "deny" else f"Outside of {code(found.name)}"
    return f"{what} ({code(str(found.origin))})" if found.origin else what, found.until


def hold_words(hold: Hold) -> str:
    """Say who holds a rollout and why."""
    if hold.cause == "early-merge":
        return (
            f"On hold: {code(hold.by)} merged the last step before its bake time was over (`/resume` goes on)"
        )
    if hold.cause == "closed":
        return "On hold: the step's pull request was closed (`/resume` opens a new one)"
    if hold.cause == "read-back":
        return (
            f"Frozen: the base branch does not hold what was merged as {code(hold.reason[:12])} "
            "(`/resume` goes on, `/rollback` turns back)"
        )
    reason = f", because {code(hold.reason)}" if hold.reason else ""
    return f"On hold by {code(hold.by)}{reason}"
