"""Four eyes: whose approval a step waits for, as a rule of the step and as ``canary / approvals``.

An approval counts for the very commit that would be merged, of somebody who may promote and has no hand in the step.
It is asked for where the configuration says ``four-eyes``, or where a gate of the step wants reviewers; nothing is
looked up anywhere else. A rollback never waits for one.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bot.core import permissions
from bot.core.checks import APPROVALS
from bot.core.commands import Promote, parse_comment
from bot.core.conditions import Condition
from bot.core.markers import Answer
from bot.core.permissions import Facts, Involved, Review, State
from bot.core.problems import Declined
from bot.core.rollout import origin_of
from bot.core.text import code
from bot.ports import Check, Missing
from bot.service import authority, people
from bot.service.overriding import names
from bot.service.reading import Service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.conditions import Gate
    from bot.core.markers import Proposal
    from bot.core.permissions import Approvals
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.ports import Comment, Pull, Reviewed
    from bot.service.desk import Desk
    from bot.service.reading import Standing

RULE = "approvals"


@dataclass(frozen=True, slots=True)
class Asked:
    """How many approvals a step needs, and where that is said, in Markdown."""

    count: int
    origin: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The approvals of a step. ``who_can`` is whose would count, in Markdown; ``aside`` gives who has a hand in it."""

    asked: Asked
    approvals: Approvals
    who_can: str
    aside: tuple[str, ...]
    head: str

    @property
    def suffice(self) -> bool:
        """Whether the step may go on."""
        return self.approvals.suffice

    @property
    def tally(self) -> str:
        """How many there are of how many."""
        return f"{len(self.approvals.counted)} of {self.asked.count}"

    @property
    def reason(self) -> str:
        """Why the step waits, one sentence."""
        if self.approvals.against:
            return f"{', '.join(map(code, self.approvals.against))} asked for changes."
        missing = self.approvals.missing
        what = f"{missing} approval{'s' if missing > 1 else ''}"
        return f"{what} missing ({self.tally}): {self.would}."

    @property
    def would(self) -> str:
        """Whose approval would count, without the full stop."""
        without = f", but not of {', '.join(map(code, self.aside))}" if self.aside else ""
        return f"those of {self.who_can} count{without}"


def asked_of(desk: Desk, record: Record, rules: RuleSet, proposal: Proposal) -> Asked | None:
    """Say how many approvals a step needs by the rules of its rollout; ``None`` where it needs none.

    Raises:
        Declined: ``config-invalid``, ``config-unreadable``.
    """
    found: list[Asked] = []
    for name in rules.gates_at(proposal.before):
        gate = rules.gates.get(name)
        if gate is not None and gate.reviewers:
            found.append(Asked(gate.reviewers, origin_of(rules, gate.origin)))
    config = desk.config_at(record)
    service = record.service.rpartition("/")[2]
    if config.four_eyes_for(service):
        own = config.origins.get(f"services.{service}.four-eyes")
        place = own if config.of(service).four_eyes is not None else config.origins.get("four-eyes")
        found.append(Asked(1, origin_of(rules, place) if place is not None else "`four-eyes`"))
    return max(found, key=lambda one: one.count, default=None)


def judge(
    desk: Desk, standing: Standing, rules: RuleSet, proposal: Proposal, pull: Pull | None
) -> Judged | None:
    """Judge the approvals of a step; ``None`` where it needs none.

    Args:
        desk: The look's tools.
        standing: The service on its base branch.
        rules: The rollout's rules.
        proposal: What the step is.
        pull: Its pull request, ``None`` before there is one.

    Raises:
        Declined: ``config-invalid``, ``config-unreadable``.
        OutsideFailure: GitHub did not answer.
    """
    record = standing.rollout.record
    if record is None or proposal.kind != "step":
        return None
    asked = asked_of(desk, record, rules, proposal)
    if asked is None:
        return None
    number, head = (pull.number, pull.head_sha) if pull is not None else (0, "")
    key = (number, head, proposal.since, proposal.wish)
    if key not in desk.known.approvals:
        desk.known.approvals[key] = _judge(desk, standing, record, proposal, pull, asked)
    return desk.known.approvals[key]


def _judge(  # noqa: PLR0917 - one step, its facts
    desk: Desk, standing: Standing, record: Record, proposal: Proposal, pull: Pull | None, asked: Asked
) -> Judged:
    service = Service.parse(proposal.base, proposal.service) or standing.service
    needs = authority.needs_for(desk, "promote", service)
    given = desk.repo.reviewed(pull.number) if pull is not None else ()
    involved, names = _involved(desk, standing, record, proposal, pull, given)
    last = {one.author: one for one in given if one.state in {State.APPROVED, State.CHANGES_REQUESTED}}
    facts = [authority.facts_of(desk, who, needs, service) for who in last]
    head = pull.head_sha if pull is not None else ""
    found = permissions.approvals(
        [Review(one.id, one.author.id, one.state, one.head) for one in given],
        facts,
        head=head,
        involved=involved,
        needs=needs,
        wanted=asked.count,
    )
    nobody = Facts(0, "", owners=authority.owners_of(desk, service, needs))
    return Judged(asked, found, permissions.may("promote", nobody, needs).who_can, names, head)


# --- who has a hand in it ---------------------------------------------------------------------


def _involved(  # noqa: PLR0917 - one step, its facts
    desk: Desk,
    standing: Standing,
    record: Record,
    proposal: Proposal,
    pull: Pull | None,
    given: tuple[Reviewed, ...],
) -> tuple[Involved, tuple[str, ...]]:
    """Find who asked for the rollout, who promoted the step and who committed to it, by the ids of accounts."""
    unknown: list[str] = []
    asked: dict[int, str] = {}
    typed = {
        (r.requested_by, r.comment, r.pull): None
        for r in (record, *standing.records)
        if r.rollout == record.rollout and isinstance(r.step, int)
    }
    for login, comment, number in typed:
        who = people.author_of(desk, number, comment) or people.account_of(desk, login)
        if who is None:
            unknown.append(login)
        else:
            asked[who.id] = who.login
    promoted = _promoters(desk, standing, record, proposal, pull, given)
    committed: dict[int, str] = {}
    if pull is not None:
        for commit in desk.repo.commits_of(pull.number):
            if not commit.ours:
                committed |= {who.id: who.login for who in commit.people}
                unknown += commit.strangers
    found = Involved(
        frozenset(asked), frozenset(promoted), frozenset(committed), tuple(dict.fromkeys(unknown))
    )
    return found, tuple(dict.fromkeys((*asked.values(), *promoted.values(), *committed.values())))


def _promoters(  # noqa: PLR0917 - one step, its facts
    desk: Desk,
    standing: Standing,
    record: Record,
    proposal: Proposal,
    pull: Pull | None,
    given: tuple[Reviewed, ...],
) -> dict[int, str]:
    """Find who typed or pressed a promotion of the step, carried out or not: on its own pull request, or elsewhere.

    A later promotion takes the place of an earlier one in what the step remembers; both people asked for it.
    """
    found: dict[int, str] = {}
    if proposal.wish is not None:
        found[proposal.wish.by_id] = proposal.wish.by
    if pull is not None:
        found |= _promoters_on(desk, standing, people.said_on(desk, pull.number))
        found |= {
            one.author.id: one.author.login
            for one in given
            if not one.author.is_bot and _promotes(one.body, standing)
        }
    if not proposal.since:
        return found
    begun = datetime.fromisoformat(proposal.since)
    # A review elsewhere than where the rollout began is looked for only where the step has taken note of one.
    reviews = any(key.startswith("review/") for key in proposal.seen)
    words = (*proposal.overrides, *((proposal.wish,) if proposal.wish is not None else ()))
    past = (one.pull for one in proposal.past if one.pull)
    for number in dict.fromkeys((record.pull, *(word.pull for word in words), *past)):
        if pull is None or number != pull.number:
            with suppress(Missing):
                said = people.said_on(desk, number)
                if reviews or number == record.pull:
                    said += desk.repo.reviews(number)
                # What was said until the present share came is about an earlier step.
                later = [one for one in said if one.created_at > begun]
                found |= _promoters_on(desk, standing, later)
    return found


def _promoters_on(desk: Desk, standing: Standing, said: Iterable[Comment]) -> dict[int, str]:
    found: dict[int, str] = {}
    for one in said:
        answer = Answer.read(one.body) if one.ours else None
        if answer is not None and answer.by and "promote" in answer.verbs:
            who = people.account_of(desk, answer.by)
            found |= {who.id: who.login} if who is not None else {}
        elif not one.ours and not one.author.is_bot and _promotes(one.body, standing):
            found[one.author.id] = one.author.login
    return found


def _promotes(body: str, standing: Standing) -> bool:
    return any(isinstance(one, Promote) and names(one, standing) for one in parse_comment(body).commands)


# --- what is shown ----------------------------------------------------------------------------


def conditions(
    desk: Desk, standing: Standing, rules: RuleSet, proposal: Proposal, pull: Pull | None
) -> tuple[Condition, ...]:
    """Give the approvals as one rule of the step, nothing where nobody has to agree. Raises ``OutsideFailure``."""
    try:
        judged = judge(desk, standing, rules, proposal, pull)
    except Declined as declined:
        said = f"Whether an approval is needed cannot be read: {declined.problems[0].message}"
        unread = Condition(
            "approvals", RULE, "wait", said, value="cannot be read", origin="`four-eyes`", firm=True
        )
        return (unread,)
    if judged is None:
        return ()
    value = judged.tally
    if judged.approvals.counted:
        value += f": {', '.join(map(code, judged.approvals.counted))}"
    found = Condition(
        "approvals",
        RULE,
        "pass" if judged.suffice else "wait",
        "" if judged.suffice else judged.reason,
        value=value,
        threshold=f"{judged.asked.count}",
        origin=judged.asked.origin,
    )
    return (found,)


def check(  # noqa: PLR0917 - one check, its facts
    desk: Desk,
    standing: Standing,
    proposal: Proposal,
    record: Record,
    pull: Pull | None,
    gate: Gate | None = None,
) -> Check:
    """Give ``canary / approvals`` of a step: neutral where nobody has to agree. Raises ``OutsideFailure``.

    ``gate`` says whether two people have set the approvals aside for this step.
    """
    aside = [c for c in gate.conditions if c.kind == RULE and c.verdict == "overridden"] if gate else []
    if aside:
        return _check("success", "Set aside for this step", f"{aside[0].value} ({aside[0].threshold}).")
    try:
        judged = judge(desk, standing, desk.rules_at(record), proposal, pull)
    except Declined as declined:
        words = declined.problems[0].message
        return _check(None, "The rules cannot be read", f"{words} Nothing is promoted before that is mended.")
    wish = proposal.wish
    asked = (
        f"asked for by {code(wish.by)}" if wish else "not asked for by anybody; it follows from the rollout"
    )
    who = (
        f"- Rollout {code(record.rollout)}: asked for by {code(record.requested_by)} on #{record.pull}.\n"
        f"- This step, {proposal.before} % → {proposal.weight} %: {asked}."
    )
    if judged is None:
        text = (
            f"Rule set {code(record.rules)} asks for no approval: nobody has to agree to this step.\n\n{who}"
        )
        return _check("neutral", "No approval is asked for", text)
    found = judged.approvals
    lines = [f"- {code(login)} approved {code(judged.head[:7])}." for login in found.counted]
    lines += [f"- {code(login)} asked for changes." for login in found.against]
    lines += [
        f"- The approval of {code(login)} does not count: it {why}." for login, why in found.passed_over
    ]
    head = f"{judged.tally} approvals, as {judged.asked.origin} asks for."
    would = "" if judged.suffice else f"Approvals of this very commit: {judged.would}."
    text = "\n\n".join(part for part in (head, "\n".join(lines), would, who) if part)
    title = f"Approved: {', '.join(found.counted)}"
    if found.against:
        title = f"Changes asked for: {', '.join(found.against)}"
    elif not judged.suffice:
        title = f"{judged.tally} approvals"
    return _check("failure" if found.against else "success" if judged.suffice else None, title, text)


def _check(conclusion: str | None, title: str, text: str) -> Check:
    state = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Check(APPROVALS, conclusion, title[:200], text, external_id=f"approvals-{state}")  # type: ignore[arg-type]
