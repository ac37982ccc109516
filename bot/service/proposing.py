"""The bot's own pull requests: found before they are made, made once, rebuilt from base.

Names are functions of the rollout and the step, so a second try finds what the first one made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import evidence, gate_evidence, naming, report
from bot.core.checks import GATE, HOLD, PLAN, PROMOTE, RESUME, ROLL_BACK, reference
from bot.core.markers import Answer, Proposal
from bot.core.outcome import Outcome
from bot.core.problems import Declined, OutsideFailure, Problem
from bot.core.rollout import ALL, Phase, length, step_above
from bot.manifests import workload
from bot.ports import Check, Exists, Moved, Refused
from bot.service import authority
from bot.service.desk import edited

if TYPE_CHECKING:
    from datetime import datetime

    from bot.core.conditions import Gate
    from bot.core.gates import Verdict
    from bot.core.rollout import Rollout
    from bot.core.rules import RuleSet
    from bot.core.traffic import Split
    from bot.core.trailers import Record
    from bot.ports import Button, Pull
    from bot.service.desk import Desk
    from bot.service.reading import Held, Service, Standing

LABEL = "canary"
_LINK = re.compile(r"\[([^\[\]]{1,200})\]\(https?://[^() ]{1,500}\)", re.ASCII)
CANCELLED = "cancelled"
_INSTEAD = {
    "superseded": "superseded",
    "skipped": "superseded",
    "rollback": "rollback-open",
    "overtaken": "already",
}


@dataclass(frozen=True, slots=True)
class Ours:
    """One of the bot's pull requests with what it is for."""

    pull: Pull
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Change:
    """What a pull request of the bot changes: one file on the base branch."""

    service: Service
    held: Held
    split: Split
    record: Record
    reason: str
    template_name: str | None = None
    measured: tuple[Verdict, ...] = ()

    @property
    def remark(self) -> str:
        """A sentence for the reader where the weights get another scale, else empty."""
        return workload.remark(self.held.manifest, self.split)

    def content(self) -> bytes:
        """Give the file as it shall be. Raises ``Declined``."""
        return edited(self.held, self.split, self.template_name)


def goal_of(proposal: Proposal) -> int | str:
    """Give the last part of a proposal's branch name."""
    return "rollback" if proposal.kind == "rollback" else proposal.weight


def from_branch(desk: Desk, branch: str) -> tuple[Ours, ...]:
    """Give the bot's pull requests from a branch, newest first."""
    pulls = desk.repo.pulls_from(branch)
    return tuple(Ours(p, value) for p in pulls if p.ours and (value := Proposal.read(p.body)) is not None)


def was_cancelled(desk: Desk, running: Rollout) -> bool:
    """Whether a person has ended the rollout that the base branch still shows."""
    record = running.record
    if record is None or running.phase not in {Phase.ROLLING, Phase.DRIFTED}:
        return False
    # Where the block was changed by hand, the step that was closed may be the one before that.
    drifted = running.phase is Phase.DRIFTED
    weights = (record.weight, running.weight) if drifted else (running.weight,)
    for weight in dict.fromkeys(step_above(record, w) for w in weights):
        latest = next(iter(from_branch(desk, naming.step_branch(record.rollout, weight))), None)
        if latest is None:
            latest = passed_over(desk, record, running.weight)
        if latest is not None and latest.pull.state == "closed" and latest.proposal.closed == CANCELLED:
            return True
    return False


def passed_over(desk: Desk, record: Record, weight: int) -> Ours | None:
    """Find the pull request of the last step that an edit by hand took the place of.

    What people said of that step, a hold or the end of the rollout, goes on to count: an edit is no ``/resume``.

    Args:
        desk: The look's tools.
        record: The rollout's last record; up to its weight steps were merged.
        weight: The candidate's share on the base branch.
    """
    for passed in reversed([w for w in record.steps if record.weight < w <= weight]):
        latest = next(iter(from_branch(desk, naming.step_branch(record.rollout, passed))), None)
        if latest is not None and not latest.pull.merged:
            return latest
    return None


def open_for(desk: Desk, service: Service) -> tuple[Ours, ...]:
    """Give the bot's open pull requests for a service, newest first."""
    mine = (
        Ours(p, value)
        for p in desk.repo.open_pulls()
        if p.ours and p.base_ref == service.base and (value := Proposal.read(p.body)) is not None
    )
    return tuple(sorted((o for o in mine if o.proposal.service == service.key), key=lambda o: -o.pull.number))


def propose(
    desk: Desk,
    base_sha: str,
    change: Change,
    proposal: Proposal,
    checks: tuple[Check, ...] = (),
    *,
    title: str,
    body: str,
) -> Ours:
    """Open a pull request of the bot, or find the open one.

    ``checks`` are set on the commit before there is a pull request: whoever finds it open finds them too.

    Raises:
        Declined: The file cannot be edited so, or GitHub refuses.
        OutsideFailure: GitHub contradicts itself for now; look again later.
    """
    branch = naming.step_branch(proposal.rollout, goal_of(proposal))
    earlier = from_branch(desk, branch)
    if earlier and earlier[0].pull.state == "open":
        _label(desk, earlier[0].pull)
        return earlier[0]
    content = change.content()
    if content == change.held.file.content:
        raise Declined(Problem("already", "The file holds that split already."))
    try:
        if not _persons_work(desk, earlier):
            message = report.commit_message(change.record, proposal.before, change.reason, change.measured)
            sha = desk.repo.commit_on(base_sha, change.held.file.path, content, message)
            desk.tell(sha, checks, fresh=_point(desk, branch, sha))
        pull = desk.repo.open_pull(
            head=branch, base=change.service.base, title=report.title(title), body=body
        )
    except Exists:
        return _open_there(desk, branch, proposal, body)
    except Refused as refusal:
        raise refused(refusal) from None
    _label(desk, pull)
    # Once, when it is opened: who has reviewed since is not asked again by a later look.
    desk.repo.ask_for_review(pull.number, *authority.reviewers_of(desk, change.service))
    return Ours(pull, proposal)


def edit_from(desk: Desk, branch: str) -> Pull | None:
    """Find the pull request of a traffic operation, whatever became of it."""
    pull = next((p for p in desk.repo.pulls_from(branch) if p.ours), None)
    if pull is not None and pull.state == "open":
        _label(desk, pull)
    return pull


def propose_edit(
    desk: Desk, standing: Standing, branch: str, content: bytes, message: str, *, title: str, body: str
) -> Pull:
    """Open a pull request that edits a service's file on its base branch, outside of any rollout.

    Raises:
        Declined: GitHub refuses.
        OutsideFailure: GitHub contradicts itself for now; look again later.
    """
    service = standing.service
    try:
        sha = desk.repo.commit_on(standing.tip, standing.path, content, message)
        _point(desk, branch, sha)
        pull = desk.repo.open_pull(head=branch, base=service.base, title=report.title(title), body=body)
    except Exists:
        there = edit_from(desk, branch)
        if there is None:
            raise OutsideFailure(
                f"the pull request of {branch} is neither there nor can it be opened"
            ) from None
        return there
    except Refused as refusal:
        raise refused(refusal) from None
    _label(desk, pull)
    return pull


def _label(desk: Desk, pull: Pull) -> None:
    try:
        wanted = (LABEL, *desk.config().labels)
    except Declined:
        wanted = (LABEL,)  # labels hold nothing up
    has = {name.casefold() for name in pull.labels}
    new = [name for name in dict.fromkeys(wanted) if name.casefold() not in has]
    if new:
        desk.repo.add_labels(pull.number, new)


def _open_there(desk: Desk, branch: str, proposal: Proposal, body: str) -> Ours:
    """Find the pull request that is open from a branch; a text that lost our value gets it back."""
    pull = next((p for p in desk.repo.pulls_from(branch) if p.ours and p.state == "open"), None)
    if pull is None:
        raise OutsideFailure(f"the pull request of {branch} is neither there nor can it be opened")
    value = Proposal.read(pull.body)
    if value is None:
        desk.repo.edit_pull(pull.number, body=body)
        return Ours(replace(pull, body=body), proposal)
    return Ours(pull, value)


def _persons_work(desk: Desk, earlier: tuple[Ours, ...]) -> bool:
    """Whether the branch of an earlier, closed pull request holds commits of people: those are kept."""
    if not earlier or earlier[0].pull.merged:
        return False
    if desk.repo.tip(earlier[0].pull.head_ref) is None:
        return False
    return any(not commit.ours for commit in desk.repo.commits_of(earlier[0].pull.number))


def _point(desk: Desk, branch: str, sha: str) -> bool:
    """Let a branch name a commit; say whether nobody can have been here before."""
    try:
        desk.repo.create_branch(branch, sha)
    except Exists:
        # An earlier try, or an earlier pull request, left the branch: it moves to what is wanted now.
        old = desk.repo.tip(branch)
        if old is None:
            raise OutsideFailure(f"the branch {branch} is neither there nor can it be made") from None
        try:
            desk.repo.move_branch(branch, old=old, new=sha)
        except Moved:
            raise OutsideFailure(f"the branch {branch} moved") from None
        return False  # within a second the same content is the same commit, with the checks of that try
    return True


def done(desk: Desk, ours: Ours) -> str:
    """Say where a proposal is to be found."""
    return "Would open a pull request" if desk.rehearsal else f"Proposed in #{ours.pull.number}"


def refused(refusal: Refused) -> Declined:
    """Give GitHub's refusal in words for the pull request."""
    return Declined(
        Problem(
            "not-mergeable",
            "GitHub refuses the change.",
            "A branch rule, a missing permission of the App or a conflict may be the cause.",
            source=str(refusal)[:300],
        )
    )


def rewrite(
    desk: Desk, ours: Ours, proposal: Proposal, body: str | None = None, *, title: str | None = None
) -> Ours:
    """Store another proposal value in the body of one of the bot's pull requests, and give it another title."""
    text = body if body is not None else proposal.put(ours.pull.body)
    titled = ours.pull.title if title is None else report.title(title)
    if (text, titled) != (ours.pull.body, ours.pull.title):
        other = titled if titled != ours.pull.title else None
        desk.repo.edit_pull(ours.pull.number, title=other, body=text)
    return Ours(replace(ours.pull, body=text, title=titled), proposal)


def close(desk: Desk, ours: Ours, why: str, *, text: str, command: str = "") -> None:
    """Close one of the bot's pull requests; the reason is stored first, so it is never a person's.

    It is closed last: as long as it is open, the next look finds it and finishes. ``command`` is the comment
    that asked for it.
    """
    # The end of a rollout stays its end, also where its step was opened again by a person.
    closed = replace(ours.proposal, closed=CANCELLED if ours.proposal.closed == CANCELLED else why)
    rewrite(desk, ours, closed.saw(command) if command else closed)
    if ours.proposal.wish is not None:
        problem = Problem(_INSTEAD.get(why, "no-rollout"), f"#{ours.pull.number} was not merged. {text}")
        declined = Outcome("declined", problem.code, problems=(problem,), verb="promote")
        service = ours.proposal.service.rpartition("/")[2]
        answer_again(desk, ours, replace(declined, service=service, rollout=ours.proposal.rollout))
    notify(desk, ours.pull.number, f"closed-{why}", text, again=bool(ours.proposal.closed))
    desk.repo.close_pull(ours.pull.number)


def answer_again(desk: Desk, step: Ours, outcome: Outcome) -> None:
    """Edit the replies to remembered promotions of a step; nobody is pinged again."""
    wish = step.proposal.wish
    waiting = {wish.to, *step.proposal.seen} - {desk.answering} if wish is not None else set()
    if wish is None or not waiting:
        return
    said = (word.pull for word in step.proposal.overrides)
    for number in dict.fromkeys((wish.pull, step.pull.number, step.proposal.pull, *said)):
        comments = desk.repo.comments(number)
        authors = {f"{c.kind}/{c.id}": c.author.login for c in comments} | {wish.to: wish.by}
        for comment in comments:
            answer = Answer.read(comment.body) if comment.ours else None
            if answer is None or answer.decision != "pending" or answer.to not in waiting:
                continue
            author = answer.by or authors.get(answer.to)
            if author:
                desk.repo.edit_reply(comment.id, report.reply(answer.to, author, [outcome]))


def notify(
    desk: Desk, number: int, name: str, text: str, record: Record | None = None, *, again: bool = True
) -> None:
    """Write a comment that answers nobody, unless it stands there; only ``again`` is it looked for."""
    answers = (Answer.read(c.body) for c in desk.repo.comments(number) if c.ours) if again else ()
    if not any(a is not None and a.to == name for a in answers):
        desk.repo.reply(number, report.notice(name, text, record))


def plan_of_step(change: Change, before: Split, weight: int) -> Check:
    """Give the state of ``canary / plan`` on a commit of a step that the bot itself made."""
    table = report.split_table(before, change.split)
    return Check(PLAN, "success", f"{weight} % for {change.record.candidate}", table, external_id="plan-ok")


def buttons(
    proposal: Proposal, now: datetime, *, promote: bool = False, back: bool = False
) -> tuple[Button, ...]:
    """Give the buttons of a pull request of the bot; it is held, or can be."""
    hold = proposal.hold
    is_held = hold is not None and (hold.expires is None or now < hold.expires)
    first, last = ((PROMOTE,) if promote else ()), ((ROLL_BACK,) if back else ())
    return (*first, RESUME if is_held else HOLD, *last)


def gate_check(  # noqa: PLR0917 - one check, its facts
    desk: Desk, ours: Ours, gate: Gate, before: Split, change: Change, extra: str = ""
) -> Check:
    """Give the state of ``canary / gate`` on a step's pull request, with all that a reviewer decides from."""
    # Who wished for the step stands in ``canary / approvals``, so that a wish rewrites one check and not two.
    known = replace(ours.proposal, wish=None)
    weight = ours.proposal.weight
    reasons = "\n".join(f"- {r}" for r in gate.reasons)
    frozen = next((c.reason for c in gate.conditions if c.kind == "hold" and _is_frozen(ours.proposal)), "")
    first = frozen or next(iter(gate.reasons), f"{weight} % may be merged")
    title = plain(first)
    summary = "\n\n".join(
        part
        for part in (
            reasons or "Every rule lets this step go on.",
            evidence.earliest(gate) if gate.reasons else "",
            extra,
            report.split_table(before, change.split),
            report.before_and_after(before, change.split),
            evidence.rules_table(gate.conditions),
            gate_evidence.evidence(gate.measured),
            evidence.people(change.record, known, desk.repo.web_url),
            "`/promote` · `/hold` · `/rollback` · `/canary why`",
        )
        if part
    )
    return Check(
        name=GATE,
        conclusion="success" if gate.passes else "failure" if frozen or gate.failed else None,
        title=title[:200],
        summary=summary,
        external_id=reference(ours.pull.number, f"gate-{'ok' if gate.passes else 'wait'}-{_short(title)}"),
        actions=buttons(ours.proposal, desk.now(), promote=True, back=True),
    )


def _is_frozen(proposal: Proposal) -> bool:
    """Whether the last merge was not what it should have been: that is no waiting."""
    return proposal.hold is not None and proposal.hold.cause == "read-back"


def _short(text: str) -> str:
    return "".join(c for c in text if c.isalnum())[:60]


def plain(text: str) -> str:
    """Give a sentence without code spans and links: a check's title shows Markdown as it is written."""
    return _LINK.sub(r"\1", text).replace("`", "")


def step_change(standing: Standing, record: Record, split: Split, reason: str) -> Change:
    """Give the change of a step whose manifest stands on the base branch."""
    if standing.held is None:
        raise Declined(
            Problem("file-missing", f"`{standing.service.name}` is not on the base branch any more.")
        )
    return Change(standing.service, standing.held, split, record, reason)


def rules_line(rules: RuleSet, weight: int) -> str:
    """Give the sentence on a rule set that a commit message carries."""
    if weight == ALL:
        return f"Rule set {rules.id}: {weight} % ends the rollout."
    return f"Rule set {rules.id}: {weight} % bakes {length(rules.bake_at(weight))} before the next step."
