"""``/promote --override RULE -- reason``: a rule is set aside for one step, by two people.

The value in the pull request's body says which comments to look at. Whether they stand there, who wrote them, when,
and what those people may do, is read anew for every look; see ``bot.core.overrides``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.core import naming, overrides
from bot.core.commands import Promote, parse_comment
from bot.core.conditions import Condition
from bot.core.overrides import RULES, WITHIN, Asker, Spoken
from bot.core.problems import Declined, Problem
from bot.core.rollout import ALL, clock
from bot.core.text import code
from bot.ports import Missing
from bot.service import authority, people, proposing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.core import commands as c
    from bot.core.conditions import Gate, Kind
    from bot.core.markers import Proposal, Said
    from bot.core.overrides import Pair
    from bot.core.trailers import Record
    from bot.ports import Actor, Comment
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Service, Standing

STEPS = "steps"


def weight_of(command: Promote, record: Record, following: int | None) -> int | None:
    """Give the share that a promotion is about; ``following`` is that of the next step."""
    wanted = {"next": following, "full": ALL}.get(str(command.to), command.to)
    return wanted if isinstance(wanted, int) and (wanted == following or wanted in record.steps) else None


# --- what two people said ---------------------------------------------------------------------


def spoken(desk: Desk, standing: Standing, said: Iterable[Said]) -> tuple[Spoken, ...]:
    """Give what stands in those comments now, by people who may override now; all else is left out."""
    record = standing.rollout.record
    known = tuple(dict.fromkeys(said))
    if record is None or not known:
        return ()
    arrived = _arrived(desk, standing, record)
    comments: dict[str, Comment] = {}
    for number in dict.fromkeys(one.pull for one in known):
        if belongs(desk, number, record):
            comments |= {f"{x.kind}/{x.id}": x for x in _conversation(desk, number)}
    rights: dict[int, bool] = {}
    found = []
    for one in known:
        comment = comments.get(one.to)
        # What was said before is about an earlier step; what was edited, nobody said.
        if comment is None or not _counts(comment) or arrived is None or comment.created_at < arrived:
            continue
        who = comment.author
        if who.id not in rights:
            rights[who.id] = may_override(desk, who, standing.service)
        for command, weight in _about(comment, standing, record) if rights[who.id] else ():
            said_at = comment.created_at
            found.append(
                Spoken(who.id, who.login, one.to, one.pull, said_at, weight, command.overrides, one.about)
            )
    return tuple(found)


def _counts(comment: Comment) -> bool:
    # REST does not tell whether the text of a review was changed, and people with write may change it.
    return comment.kind == "comment" and not (comment.ours or comment.edited or comment.author.is_bot)


def _about(comment: Comment, standing: Standing, record: Record) -> Iterable[tuple[Promote, int]]:
    """Give the overrides of a comment that are about a service, with the share that each is about."""
    for command in parse_comment(comment.body).commands:
        if isinstance(command, Promote) and command.overrides and names(command, standing):
            weight = weight_of(command, record, standing.rollout.next_weight)
            if weight is not None:
                yield command, weight


def may_override(desk: Desk, who: Actor, service: Service) -> bool:
    """Whether somebody may set rules aside now; where nobody can say, they may not."""
    try:
        return authority.allowed(desk, "override", who, service).allowed
    except Declined:
        return False


def names(command: Promote, standing: Standing) -> bool:
    """Whether a command is about this service; without a name the pull request decided that when it was typed."""
    return (
        command.service in {None, "all"} or str(command.service).rpartition("/")[2] == standing.service.name
    )


def belongs(desk: Desk, number: int, record: Record) -> bool:
    """Whether a pull request is one of the rollout's: where it began, or by the name of the bot's own branch."""
    if number == record.pull:
        return True
    try:
        pull = desk.repo.pull(number)
    except Missing:
        return False
    about = naming.rollout_of_branch(pull.head_ref) if pull.ours else None
    return about is not None and about[0] == record.rollout


def _conversation(desk: Desk, number: int) -> tuple[Comment, ...]:
    try:
        return desk.repo.comments(number)
    except Missing:
        return ()


def _arrived(desk: Desk, standing: Standing, record: Record) -> datetime | None:
    """Tell when the present share came to be: what was said before is not about the next step."""
    if standing.rollout.adopted is not None:
        return datetime.fromisoformat(standing.rollout.adopted.since)
    branch = naming.step_branch(record.rollout, standing.rollout.weight)
    for ours in proposing.from_branch(desk, branch):
        if ours.pull.merged_at is not None:
            return ours.pull.merged_at
    if standing.rollout.weight == record.weight and record.step == 1:
        try:
            begun = desk.repo.pull(record.pull).merged_at
        except Missing:
            begun = None
        if begun is not None:
            return begun
    history = desk.repo.history(standing.path, standing.tip)
    return history[0].at if history else None


def set_aside(desk: Desk, standing: Standing, proposal: Proposal) -> Mapping[str, tuple[Pair, ...]]:
    """Give the rules that two people set aside for a step, and all who did; mostly none, without a request."""
    if not proposal.overrides or standing.rollout.record is None:
        return {}
    said = spoken(desk, standing, proposal.overrides)
    return overrides.pairs(said, proposal.weight, _askers(desk, standing, proposal) if said else ())


def _askers(desk: Desk, standing: Standing, proposal: Proposal) -> tuple[Asker, ...]:
    """Give who asked for a step: a second word of theirs is none, whatever they are called by now."""
    record, wish = standing.rollout.record, proposal.wish
    found = []
    if record is not None:
        who = people.author_of(desk, record.pull, record.comment) or people.account_of(
            desk, record.requested_by
        )
        found.append(Asker(who.id if who is not None else 0, record.requested_by))
    # A wish that came with an override is no other person's.
    if wish is not None and all(wish.to != one.to for one in proposal.overrides):
        found.append(Asker(wish.by_id, wish.by))
    return tuple(found)


def apply(desk: Desk, standing: Standing, proposal: Proposal, gate: Gate) -> Gate:
    """Give the rules on a step with what two people have set aside, and with its order where it leaves steps out."""
    aside = set_aside(desk, standing, proposal)
    following = standing.rollout.next_weight
    conditions = list(gate.conditions)
    if following is not None and proposal.kind == "step" and proposal.weight != following:
        words = f"The next step is {following} %, not {proposal.weight} %."
        conditions.insert(
            0,
            Condition(
                "order",
                "order of steps",
                "fail",
                words,
                value=f"{proposal.weight} %",
                threshold=f"{following} %",
            ),
        )
    if not aside:
        return replace(gate, conditions=tuple(conditions))
    kinds = {RULES[rule]: pair for rule, pair in aside.items()}
    if "gates" in aside and proposal.hold is not None and proposal.hold.cause == "gate":
        kinds["hold"] = aside["gates"]  # it was put by the gate alone
        name = hold_subject(proposal)
        conditions = [replace(one, subjects=(name,)) if one.kind == "hold" else one for one in conditions]
    return replace(gate, conditions=tuple(_lifted(desk, one, kinds) for one in conditions))


def hold_subject(proposal: Proposal) -> str:
    """Name the hold that a gate has put: that of the next failure is another one."""
    return f"hold {proposal.failed}"


def about(gate: Gate, proposal: Proposal) -> tuple[str, ...]:
    """Give the marks of all that holds a step now, set aside already or not."""
    subjects = [s for one in gate.conditions if one.verdict != "pass" for s in one.subjects]
    if proposal.hold is not None and proposal.hold.cause == "gate":
        subjects.append(hold_subject(proposal))
    return tuple(dict.fromkeys(map(overrides.mark, subjects)))


def is_set_aside(rule: str, aside: Mapping[str, tuple[Pair, ...]], gate: Gate) -> Pair | None:
    """Give who set a rule aside as it holds the step now."""
    found = aside.get(rule, ())
    now = [one for one in gate.conditions if one.kind == RULES[rule] and one.verdict != "pass"]
    return next((pair for pair in found if all(pair.covers(one) for one in now)), None)


def _lifted(desk: Desk, one: Condition, kinds: Mapping[Kind, tuple[Pair, ...]]) -> Condition:
    pair = overrides.covering(kinds.get(one.kind, ()), one)
    if pair is None or one.lets_pass or one.firm:
        return one
    who = " and ".join(f"{code(s.by)} ({_link(desk, s)})" for s in (pair.first, pair.second))
    return replace(
        one,
        verdict="overridden",
        reason="",
        value=f"{one.value}; set aside by {who}".replace("|", "\\u{7c}"),
        until=None,
        aside=str(pair),
    )


def _link(desk: Desk, one: Spoken) -> str:
    kind, _, number = one.to.partition("/")
    fragment = "issuecomment" if kind == "comment" else "pullrequestreview"
    return f"[#{one.pull}]({desk.repo.web_url}/pull/{one.pull}#{fragment}-{number})"


def trailers(gate: Gate) -> tuple[str, ...]:
    """Give the lines of a merge's message that say who set which rule aside."""
    said = (condition.aside for condition in gate.conditions if condition.verdict == "overridden")
    return tuple(dict.fromkeys(f"Canary-Override: {one}" for one in said if one))


def skipping(desk: Desk, standing: Standing, ours: Iterable[Ours]) -> Ours | None:
    """Find the open step that leaves others out because two people said so."""
    following = standing.rollout.next_weight
    if following is None:
        return None
    for one in ours:
        ahead = one.proposal.kind == "step" and one.proposal.weight > following
        if (
            ahead
            and one.pull.state == "open"
            and not one.proposal.closed
            and STEPS in set_aside(desk, standing, one.proposal)
        ):
            return one
    return None


# --- the command ------------------------------------------------------------------------------


def check(desk: Desk, who: Actor, command: c.Promote, standing: Standing, record: Record) -> int:
    """See that an override may be typed at all, and give the share that it is about.

    Raises:
        Declined: ``not-allowed``, ``step-order``, ``config-invalid``.
    """
    verdict = authority.allowed(desk, "override", who, standing.service)
    if not verdict.allowed:
        problem = authority.refusal("override", who, standing.service, verdict)
        message = problem.message.replace("`/override`", "`--override`", 1)
        raise Declined(replace(problem, message=message))
    authority.record(desk, "override", who, standing.service, verdict)
    following = standing.rollout.next_weight
    weight = weight_of(command, record, following)
    ahead = weight is not None and following is not None and weight > following
    if weight is not None and (weight == following or (ahead and STEPS in command.overrides)):
        return weight
    remedy = f"The steps are {', '.join(map(str, record.steps))}."
    if ahead:
        remedy += f" To leave steps out: {code(f'/promote {command.to} --override steps -- why')}."
    wanted = 100 if command.to == "full" else command.to
    raise Declined(Problem("step-order", f"The next step is {following} %, not {wanted} %.", remedy))


def holding(command: c.Promote, gate: Gate, weight: int, step: Ours) -> tuple[str, ...]:
    """Give the rules of a command that hold the step back, set aside already or not.

    Raises:
        Declined: ``nothing-to-override``, ``not-overridable``.
    """
    stopped = {one.kind for one in gate.conditions if one.verdict != "pass"}
    firm = [one for one in gate.conditions if one.firm and not one.lets_pass]
    if any(RULES[rule] == one.kind for rule in command.overrides for one in firm):
        words = " ".join(one.reason for one in firm)
        raise Declined(Problem("not-overridable", words, "Mend that first; no second person is needed then."))
    if weight != step.proposal.weight:
        stopped.add("order")
    found = tuple(rule for rule in command.overrides if RULES[rule] in stopped)
    if found:
        return found
    named = " and ".join(f"`{rule}`" for rule in command.overrides)
    others = [rule for rule, kind in RULES.items() if kind in stopped]
    if others:
        remedy = f"What does: {', '.join(f'`{rule}`' for rule in others)}. `/promote` alone waits for it."
    elif gate.passes:
        remedy = "No rule does: `/promote` is enough."
    else:
        remedy = " ".join(gate.reasons)
    raise Declined(Problem("nothing-to-override", f"{named} does not hold #{step.pull.number} back.", remedy))


def waiting_words(desk: Desk, standing: Standing, proposal: Proposal, rules: Iterable[str], key: str) -> str:
    """Say what is missing: for each rule who said it, and until when a second person can agree."""
    said = spoken(desk, standing, proposal.overrides)
    askers = _askers(desk, standing, proposal)
    lines = []
    for rule in rules:
        words = overrides.open_words(said, proposal.weight, rule, desk.now())
        mine = next((one for one in words if one.to == key), None)
        first = next(iter(words), None)
        if mine is None or first is None:
            continue
        ends = clock(mine.at + WITHIN)
        line = (
            f"`{rule}`: {code(mine.by)} wants to set it aside. **A second person** with the right to override, who did "
            f"not ask for this step, types the same until {ends}."
        )
        if any(one.id == mine.id and one.to != key for one in words):
            line += " It was you who said so before: your own word is no second one."
        elif len(words) > 1 and any(one.said(mine) for one in askers):
            others = ", ".join(dict.fromkeys(code(one.by) for one in words if one.id != mine.id))
            line += f" You asked for this step, so yours is no second word; {others} can say it again."
        lines.append(f"- {line}")
    return "\n".join(lines)
