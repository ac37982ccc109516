"""One step: since when its time counts, whether somebody holds it, and its pull request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.core import evidence, naming, report
from bot.core.markers import Answer, Hold, Past, Proposal
from bot.core.outcome import Outcome
from bot.core.problems import Declined
from bot.core.rollout import moved, step_record
from bot.core.text import code
from bot.ports import Missing
from bot.service import approving, previewing, proposing
from bot.service.conditions import gate_of
from bot.service.desk import after
from bot.service.readback import read_back
from bot.service.rebuilding import rebuilt

if TYPE_CHECKING:
    from bot.core.conditions import Gate
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.proposing import Change, Ours
    from bot.service.reading import Standing

_EARLY = frozenset(
    {"approvals", "freeze"}
)  # with the bake time and a failed gate: rules that an early merge ignores


def open_step(  # noqa: PLR0917 - one step, its facts
    desk: Desk,
    standing: Standing,
    record: Record,
    rules: RuleSet,
    weight: int,
    resumed: Proposal | None = None,
    instead_of: Proposal | None = None,
) -> Ours:
    """Open the pull request of the next step, with its checks.

    Args:
        desk: The look's tools.
        standing: The service on its base branch.
        record: The rollout's last record.
        rules: The rollout's rules.
        weight: The step's.
        resumed: The value of the closed pull request that the new one replaces, with the command that asked
            for it.
        instead_of: The value of the open step that this one leaves out, because two people said so.

    Raises:
        Declined: The manifest cannot be edited so.
    """
    before = None if standing.rollout.adopted else merged_step(desk, record, standing.rollout.weight)
    if before is not None:
        tell_wisher(desk, standing, record, before)
    arrival = _arrival(desk, standing, record, rules, before)
    since, hold = arrival.since, arrival.hold
    back = next(iter(proposing.from_branch(desk, naming.step_branch(record.rollout, "rollback"))), None)
    if hold is None and back is not None and not back.pull.merged:
        # Somebody wanted to turn back and thought better of it: going on takes a word of a person.
        hold = Hold(by="", cause="closed")
    proposal = Proposal(
        kind="step",
        service=record.service,
        rollout=record.rollout,
        weight=weight,
        before=standing.rollout.weight,
        pull=record.pull,
        base=standing.service.base,
        since=since.isoformat(),
        hold=hold,
        past=arrival.past,
        commit=arrival.commit,
        adopted=standing.rollout.adopted,
    )
    if resumed is not None:
        same = resumed.adopted == proposal.adopted
        counted = (resumed.since if same else "") or proposal.since
        proposal = replace(proposal, hold=None, since=counted, seen=resumed.seen)
    if instead_of is not None:
        proposal = replace(
            instead_of,
            weight=weight,
            before=proposal.before,
            wish=None,
            closed="",
            state="",
            seen=instead_of.seen,
        )
    change = change_to(standing, weight, rules)
    gate = gate_of(desk, standing, rules, proposal, None)
    proposal, body = page_of(desk, standing, rules, proposal, change, gate)
    return proposing.propose(
        desk,
        standing.tip,
        change,
        proposal,
        (
            proposing.plan_of_step(change, standing.split, weight),
            approving.check(desk, standing, proposal, change.record, None),
        ),
        title=report.step_title(standing.service.name, proposal.before, weight),
        body=body,
    )


def page_of(  # noqa: PLR0917 - one page, its facts
    desk: Desk, standing: Standing, rules: RuleSet, proposal: Proposal, change: Change, gate: Gate
) -> tuple[Proposal, str]:
    """Give the body of a step's pull request, and the value in it that knows what it says."""
    unmet = dict.fromkeys(c.kind for c in gate.conditions if not c.lets_pass and c.kind in _EARLY)
    proposal = replace(proposal, unmet=tuple(unmet))
    # A wish is shown with the next change: it is told in its reply, and the body is not written twice for it. What
    # GitHub was given is not shown.
    fixed = replace(proposal, state="", wish=None, seen=(), handed="")
    state = evidence.digest(gate, fixed, change.record, standing.split, change.split)
    proposal = replace(proposal, state=state)
    record, name = change.record, standing.service.name
    at_0 = proposal.before == 0
    seen = previewing.preview(desk, name, standing.split, record.candidate) if at_0 else ""
    return proposal, report.step_body(
        proposal,
        change.record,
        standing.split,
        change.split,
        rules,
        gate,
        web_url=desk.repo.web_url,
        remark=f"{change.remark}\n\n{seen}".strip(),
        starts_workflows=desk.repo.starts_workflows,
    )


def change_to(standing: Standing, weight: int, rules: RuleSet) -> Change:
    """Give the change of the step to ``weight``. Raises ``Declined``."""
    old = standing.rollout.record
    if old is None:  # pragma: no cover - callers have a rollout
        raise ValueError(standing)
    record = step_record(standing.rollout, weight, requested_by=old.requested_by, comment=old.comment)
    split = moved(standing.split, record, weight, keep_previous=rules.keep_previous)
    return proposing.step_change(standing, record, split, proposing.rules_line(rules, weight))


def realign(desk: Desk, standing: Standing, rules: RuleSet, step: Ours) -> Ours:
    """Take note in an open step that the split before it is another one than when it was opened.

    Its branch is made again even where the file would be the same: a branch that was made from another split
    conflicts with the base branch.
    """
    rollout, old = standing.rollout, step.proposal
    record = rollout.record
    if record is None or (old.before, old.adopted) == (rollout.weight, rollout.adopted):
        return step
    earlier = None if rollout.adopted else merged_step(desk, record, rollout.weight)
    arrival = _arrival(desk, standing, record, rules, earlier)
    step = rebuilt(desk, standing, change_to(standing, old.weight, rules), step)
    proposal = replace(
        old,
        before=rollout.weight,
        adopted=rollout.adopted,
        since=arrival.since.isoformat(),
        past=arrival.past,
        commit=arrival.commit,
        live="",
    )
    return proposing.rewrite(
        desk,
        step,
        proposal,
        proposal.put(step.pull.body),
        title=report.step_title(standing.service.name, proposal.before, proposal.weight),
    )


def merged_step(desk: Desk, record: Record, weight: int) -> Ours | None:
    """Find the bot's merged pull request that brought a rollout to ``weight``."""
    found = proposing.from_branch(desk, naming.step_branch(record.rollout, weight))
    return next((o for o in found if o.pull.merged and o.pull.merged_at is not None), None)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """How the present weight came to be: since when, by which commit of the base branch, after which steps."""

    since: datetime
    commit: str
    past: tuple[Past, ...]
    hold: Hold | None = None


def _arrival(
    desk: Desk, standing: Standing, record: Record, rules: RuleSet, earlier: Ours | None
) -> _Arrival:
    """Tell since when and by what the present weight holds, whether a hold came along, and the steps up to it."""
    weight, adopted = standing.rollout.weight, standing.rollout.adopted
    if adopted is not None:
        at = datetime.fromisoformat(adopted.since)
        return _Arrival(at, adopted.sha, (Past(weight, adopted.since, adopted.by, 0),))
    if earlier is not None and earlier.pull.merged_at is not None:
        # Lists of pull requests do not say who merged.
        whole = replace(earlier, pull=desk.repo.pull(earlier.pull.number))
        wish = earlier.proposal.wish
        past = (*earlier.proposal.past, past_of(weight, whole.pull, wish.by if wish else ""))
        commit = whole.pull.merge_sha or ""
        wrong = read_back(desk, whole.pull, standing.service)
        hold = _hold_after(desk, standing, whole, rules) if wrong is None else wrong.hold
        return _Arrival(earlier.pull.merged_at, commit, past, hold)
    try:
        pull = desk.repo.pull(record.pull)
    except Missing:
        pull = None
    if pull is not None and pull.merged_at is not None and weight == record.weight:
        commit = pull.merge_sha or ""
        return _Arrival(pull.merged_at, commit, (past_of(weight, pull),), hold_said_on(desk, record))
    history = desk.repo.history(standing.path, standing.tip)
    at, by = (history[0].at, history[0].author) if history else (desk.now(), "")
    commit = history[0].sha if history else standing.tip
    held = _hold_passed_over(desk, standing, record, rules)
    return _Arrival(at, commit, (Past(weight, at.isoformat(), by, 0),), held)


def _hold_passed_over(desk: Desk, standing: Standing, record: Record, rules: RuleSet) -> Hold | None:
    """Give the hold on a step that somebody took by an edit of the base branch, or of the step's branch."""
    left = proposing.passed_over(desk, record, standing.rollout.weight)
    if left is None:
        return hold_behind(desk, standing, record, rules)
    if left.proposal.hold is None and left.pull.state == "closed" and not left.proposal.closed:
        return Hold(by="", cause="closed")  # closed by a person, and nobody has said so yet
    return left.proposal.hold


def hold_behind(desk: Desk, standing: Standing, record: Record, rules: RuleSet) -> Hold | None:
    """Give the hold that comes along with the last merge of a rollout, where no step was proposed since."""
    if record.step == 1:
        return hold_said_on(desk, record)
    earlier = merged_step(desk, record, record.weight)
    if earlier is None:
        return None
    # Lists of pull requests do not say who merged.
    whole = replace(earlier, pull=desk.repo.pull(earlier.pull.number))
    return _hold_after(desk, standing, whole, rules)


def past_of(weight: int, pull: Pull, asked: str = "") -> Past:
    """Give a merged pull request as the step that it brought."""
    by = pull.merged_by.login if pull.merged_by is not None else ""
    at = pull.merged_at.isoformat() if pull.merged_at is not None else ""
    return Past(weight, at, by, pull.number, asked)


def _hold_after(desk: Desk, standing: Standing, earlier: Ours, rules: RuleSet) -> Hold | None:
    proposal, pull = earlier.proposal, earlier.pull
    if proposal.hold is not None and proposal.hold.cause == "command":
        return proposal.hold
    if (
        proposal.kind != "step"
        or not proposal.since
        or pull.merged_at is None
        or not rules.hold_on_early_merge
    ):
        return None
    by_person = pull.merged_by is not None and not pull.merged_by.is_bot
    if not by_person or pull.merged_by is None:
        return None
    early = pull.merged_at < _baked(proposal, rules) or _failed(proposal)
    early = early or _unmet(desk, standing, rules, earlier)
    return Hold(pull.merged_by.login, "early-merge") if early else None


def _baked(proposal: Proposal, rules: RuleSet) -> datetime:
    """Tell when the bake time before a step was over; never, where the commit was not live yet."""
    asked = (rules.gates.get(name) for name in rules.gates_at(proposal.before))
    if not proposal.live and any(rule is not None and rule.live for rule in asked):
        return datetime.max.replace(tzinfo=UTC)
    return datetime.fromisoformat(proposal.live or proposal.since) + rules.bake_at(proposal.before)


def _unmet(desk: Desk, standing: Standing, rules: RuleSet, earlier: Ours) -> bool:
    """Whether a freeze held a merged step when it was looked at last, or an approval is missing to this day."""
    if "freeze" in earlier.proposal.unmet:
        return True
    if "approvals" not in earlier.proposal.unmet:
        return False
    try:
        # It may have come just before the merge, and nobody looked between.
        judged = approving.judge(desk, standing, rules, earlier.proposal, earlier.pull)
    except Declined:
        return True
    return judged is not None and not judged.suffice


def _failed(proposal: Proposal) -> bool:
    return proposal.hold is not None and proposal.hold.cause == "gate"


def hold_said_on(desk: Desk, record: Record) -> Hold | None:
    """Find a hold that was asked for before the merge: the strongest since the last ``/resume``."""
    hold: Hold | None = None
    for comment in desk.repo.comments(record.pull):
        answer = Answer.read(comment.body) if comment.ours else None
        if answer is not None and answer.rollout == record.rollout:
            if "hold" in answer.verbs and answer.hold is not None:
                hold = answer.hold if hold is None else hold.joined(answer.hold)
            elif "resume" in answer.verbs:
                hold = None
    return hold


def tell_wisher(desk: Desk, standing: Standing, record: Record, step: Ours) -> None:
    """Edit the replies to remembered promotions: their outcome has changed. Nobody is pinged again.

    It is done on arrival, before anything follows, so that whoever merged and whatever was interrupted then,
    the next look finds the replies as they were and edits them.
    """
    if step.proposal.wish is None:
        return
    weight = step.proposal.weight
    text = (
        f"Merged #{step.pull.number}: {code(record.candidate)} has **{weight} %** now. "
        f"{after(desk, record, weight)}"
    )
    outcome = Outcome(
        "done",
        "applied",
        text,
        verb="promote",
        service=standing.service.name,
        rollout=record.rollout,
        step=report.step_label(replace(record, step=record.steps.index(weight) + 1)),
    )
    proposing.answer_again(desk, step, outcome)
