"""What every rule says of the next step now: gathered here, for whoever judges it or shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.core import freezes
from bot.core.conditions import Condition, Gate
from bot.core.problems import Declined
from bot.core.rollout import clock, held, judge
from bot.core.text import code
from bot.service import approving, freezing, gating, overriding
from bot.service.configuring import UNREADABLE

if TYPE_CHECKING:
    from bot.core.markers import Hold, Proposal
    from bot.core.rules import RuleSet
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Service, Standing


AGAIN = timedelta(minutes=10)


def gate_of(
    desk: Desk,
    standing: Standing,
    rules: RuleSet,
    proposal: Proposal,
    pull: Pull | None,
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
    gates = gating.judged(desk, standing, rules, proposal)
    others = (
        held(None if hold is None else hold_words(hold), None if hold is None else hold.expires, now),
        _frozen(desk, standing.service),
        *gates.conditions,
        *approving.conditions(desk, standing, rules, proposal, pull),
    )
    # What a cluster says may only be later: nothing is live before it was merged.
    begun = since if gates.since is None else max(gates.since, since)
    gate = judge(rules, proposal.before, since=begun, now=now, others=others, awaited=gates.awaited)
    return gating.watched(overriding.apply(desk, standing, proposal, gate))


@dataclass(frozen=True, slots=True)
class Freezing:
    """One freeze that holds now, in Markdown of one line without its full stop."""

    words: str
    origin: str
    until: datetime | None
    subject: str
    begun: datetime | None = None


def freezes_on(desk: Desk, service: Service) -> tuple[Freezing, ...]:
    """Give all that freezes a service now: the configuration's windows, and what was typed.

    Raises:
        Declined: ``config-invalid``, ``freezes-not-believed``: nobody knows, so that nothing goes on.
    """
    found = []
    window = freezes.verdict(desk.config().freezes, desk.now(), service.name)
    if window is not None:
        what = f"Freeze {code(window.name)}" if window.kind == "deny" else f"Outside of {code(window.name)}"
        origin = code(str(window.origin)) if window.origin else "`freezes`"
        until = f" until {clock(window.until)}" if window.until else ""
        where = f" ({origin})" if window.origin else ""
        # A window that comes again is another one.
        subject = f"{window.kind} {window.name} {window.until}"
        found.append(Freezing(f"{what}{where}{until}", origin, window.until, subject))
    for one in freezing.active(desk, service):
        origin = freezing.link_of(desk, one) or "the bot"
        begun = datetime.fromisoformat(one.since)
        found.append(Freezing(freezing.words(desk, one), origin, one.ends, one.to, begun))
    return tuple(found)


def _frozen(desk: Desk, service: Service) -> Condition:
    try:
        found = freezes_on(desk, service)
    except Declined as declined:
        # Deny on error, and no override helps: nobody knows what it would be about. What cannot be read may be
        # readable soon, and no webhook tells of another repository or of a branch that was deleted.
        first = declined.problems[0]
        again = desk.now() + AGAIN if first.code in {UNREADABLE, "freezes-not-believed"} else None
        remedy = first.remedy if first.code == "freezes-not-believed" else ""
        words = f"{first.message} {remedy or 'Nothing is promoted before that is mended.'}"
        origin = code(str(first.place)) if first.place is not None else "`freezes`"
        said = _in_cell(words)
        return Condition("freeze", "freeze", "wait", words, value=said, origin=origin, again=again, firm=True)
    if not found:
        # What is green turns again when the next window begins: people and GitHub's auto-merge go by the check.
        coming = freezes.next_freeze(desk.config().freezes, desk.now(), service.name)
        return Condition("freeze", "freeze", "pass", origin="`freezes`", again=coming)
    return Condition(
        "freeze",
        "freeze",
        "wait",
        " ".join(f"{one.words}." for one in found),
        value=_in_cell("; ".join(one.words for one in found)),
        origin=", ".join(dict.fromkeys(one.origin for one in found)),
        until=min((one.until for one in found if one.until is not None), default=None),
        subjects=tuple(one.subject for one in found),
        begun=max((one.begun for one in found if one.begun is not None), default=None),
    )


def _in_cell(words: str) -> str:
    # A bar would end a cell of a table, and with it the code span around a person's words.
    return words.replace("|", "\\u{7c}")


def hold_words(hold: Hold) -> str:
    """Say who holds a rollout and why."""
    if hold.cause == "early-merge":
        return f"On hold: {code(hold.by)} merged the last step before its rules passed (`/resume` goes on)"
    if hold.cause == "gate":
        return f"On hold: {code(hold.reason)} (`/resume` judges again)"
    if hold.cause == "closed":
        return "On hold: the step's pull request was closed (`/resume` opens a new one)"
    if hold.cause == "read-back":
        return (
            f"Frozen: the base branch does not hold what was merged as {code(hold.reason[:12])} "
            "(`/resume` goes on, `/rollback` turns back)"
        )
    reason = f", because {code(hold.reason)}" if hold.reason else ""
    return f"On hold by {code(hold.by)}{reason}"
