"""A run in words: the job's summary, the outputs, the lines of the log.

Nothing of an event's text stands in them: results are told by their codes, states by the manifests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core import report
from bot.core.problems import CODES
from bot.core.text import code, code_block, printable
from bot.service.journal import Answered, Followed, Stuck

if TYPE_CHECKING:
    from datetime import datetime

    from bot.core.conditions import Gate
    from bot.core.outcome import Outcome
    from bot.core.subject import Subject
    from bot.entry.action.agenda import Failed
    from bot.ports import Check
    from bot.service.journal import Entry

GOOD = frozenset({"done", "already", "answered", "pending"})
MOST_NAMED = 5
_SERVICE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
# GitHub's own words for a token that may not, and for the setting that lets workflows open pull requests.
FORBIDDEN = frozenset(
    {
        "Resource not accessible by integration",
        "GitHub Actions is not permitted to create or approve pull requests.",
    }
)
NOT_PERMITTED = (
    "The token may not do what a command asks for. Grant contents: write and pull-requests: write to the job or the "
    "App. For the token of a workflow, Settings, Actions, General must allow GitHub Actions to create pull requests."
)
CAVEATS = {
    "checks-as-statuses": (
        "Check runs are refused to this token, so the checks are commit statuses: no annotations, no evidence but "
        "this page, no buttons. `checks: write` gives check runs."
    ),
    "no-checks": (
        "Neither check runs nor statuses may be written with this token: grant `checks: write` (or `statuses: write`)."
    ),
    "no-workflows": (
        "Opened or changed with the workflow's own token: GitHub starts no workflow for these pull requests, or lets "
        "it wait for an approval. Where a required check comes from a workflow, use an App token."
    ),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did. ``comment`` is the event's own, by its name in markers, or empty."""

    web_url: str
    comment: str = ""
    comment_is_too_old: bool = False
    started_at: datetime | None = None
    entries: tuple[Entry, ...] = ()
    failed: tuple[Failed, ...] = ()
    later: tuple[tuple[Subject, datetime], ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def answered(self) -> tuple[Answered, ...]:
        """The comments that were answered."""
        return tuple(e for e in self.entries if isinstance(e, Answered))

    @property
    def stuck(self) -> tuple[Stuck, ...]:
        """What GitHub refuses."""
        return tuple(e for e in self.entries if isinstance(e, Stuck))

    @property
    def followed(self) -> tuple[Followed, ...]:
        """The last look at each service."""
        return tuple({e.service.what: e for e in self.entries if isinstance(e, Followed)}.values())

    @property
    def merged(self) -> tuple[int, ...]:
        """The pull requests that were merged."""
        return tuple(n for e in self.entries if isinstance(e, Followed) for n in e.progress.merged)

    @property
    def wrote(self) -> bool:
        """Whether a branch may have moved or a pull request may have been opened."""
        changed = any(o.decision == "done" for a in self.answered for o in a.outcomes)
        steps = [e.progress.step.pull for e in self.followed if e.progress.step is not None]
        opened = self.started_at is not None and any(step.created_at >= self.started_at for step in steps)
        return changed or opened or bool(self.merged)

    @property
    def lacks_permission(self) -> bool:
        """Whether GitHub refused something for want of a permission: a matter of the workflow, not of its author."""
        problems = [p for a in self.answered for o in a.outcomes for p in o.problems]
        problems += [p for e in self.followed if e.progress.problem for p in e.progress.problem.problems]
        said = {p.source for p in problems if p.code == "not-mergeable"}
        return bool(FORBIDDEN & (said | {e.progress.refusal for e in self.followed}))

    @property
    def is_good(self) -> bool:
        """Whether nothing was left undone; a command that was declined for its own sake is done with."""
        bug = any(o.decision == "failed" for a in self.answered for o in a.outcomes)
        return not self.failed and not self.stuck and not self.lacks_permission and not bug


def outputs(run: Run) -> dict[str, str]:
    """Give the outputs of a run: of the event's own comment, else of what was gone on with."""
    own = [e for e in run.answered if not run.comment or e.comment == run.comment]
    if own and (run.comment or len(own) == 1):
        return _of_answer(own[-1])
    if run.failed:
        return _values("failed", summary=run.failed[0].reason)
    if run.stuck:
        return _values("failed", summary="GitHub refuses what the token would do.")
    if run.comment_is_too_old:
        return _values("declined", "too-late", summary="The comment is too old to be carried out.")
    several = len(own) > 1
    found = run.followed
    if several or len(found) != 1 or found[0].progress.standing is None:
        decision = "done" if own or run.merged else "none"
        return _values(decision, "applied" if decision == "done" else "", summary=headline(run))
    progress = found[0].progress
    record = progress.standing.rollout.record if progress.standing else None
    number = progress.step.pull.number if progress.step else next(iter(run.merged), 0)
    return _values(
        "done" if run.merged else "none",
        "applied" if run.merged else "",
        service=_name(found[0].service.name),
        rollout=record.rollout if record else "",
        step=report.step_label(record) if record else "",
        pull=number,
        summary=headline(run),
    )


def of_check(check: Check | None, number: int) -> dict[str, str]:
    """Give the outputs of a read-only check of the manifests of pull request ``number``."""
    return _of_check(check) | {"pull-request": str(number)}


def _of_check(check: Check | None) -> dict[str, str]:
    if check is None:
        return _values("none", summary="The pull request or its base branch is gone.")
    if check.conclusion == "failure":
        first = next((a.title for a in check.annotations if a.title in CODES), "")
        return _values("declined", first, summary="The manifests are not what they should be.")
    if check.conclusion == "neutral":
        return _values("none", "no-service", summary="No service is changed here.")
    return _values("answered", "shown", summary="The manifests are valid.")


def headline(run: Run) -> str:
    """Say in one line what a run did."""
    parts = []
    if run.answered:
        parts.append(_count(len(run.answered), "comment") + " answered")
    if run.merged:
        parts.append(_count(len(run.merged), "pull request") + " merged")
    if run.failed or run.stuck:
        parts.append(f"{len(run.failed) + len(run.stuck)} left undone")
    standing = [(e.service.name, e.progress.standing) for e in run.followed]
    parts += [
        f"{_name(name) or 'a service'} {s.rollout.phase.value} at {s.rollout.weight} %"
        for name, s in standing
        if s and s.rollout.record
    ][:MOST_NAMED]
    return ", ".join(parts) or "Nothing was due."


def undone(run: Run) -> tuple[str, ...]:
    """Say what was left undone, one line each, for annotations."""
    failed = [f"{f.subject.what}: {f.reason}" for f in run.failed]
    stuck = [f"{s.what}: GitHub refuses: {s.said}" for s in run.stuck]
    found = [*failed, *stuck, *([NOT_PERMITTED] if run.lacks_permission else [])]
    return tuple(dict.fromkeys(map(printable, found)))  # a subject may be looked at twice


def markdown(run: Run) -> str:
    """Give the job's summary: what was asked, the splits as they stand, what is waited for."""
    parts = [f"## canary\n\n{headline(run)}"]
    if run.answered:
        rows = ["| where | command | result | meaning |", "|---|---|---|---|"]
        rows += [_row(run.web_url, answer, outcome) for answer in run.answered for outcome in answer.outcomes]
        parts.append("\n".join(rows))
        # What was done is in our own words; a problem's text may repeat what somebody typed.
        parts += [o.text for a in run.answered for o in a.outcomes if o.decision in GOOD and not o.problems]
    parts += [_service(run.web_url, one) for one in run.followed]
    if run.later:
        lines = [
            f"- {code(_named(s))}: not before {at:%Y-%m-%d %H:%M} UTC; the next run after that goes on."
            for s, at in run.later
        ]
        parts.append("### Waiting\n\n" + "\n".join(lines))
    if not run.is_good:
        lines = [f"- {code(line)}" for line in undone(run)]
        parts.append("### Left undone\n\n" + "\n".join(lines) + "\n\nThe next run finds it.")
    if run.caveats:
        parts.append("### What this token cannot do\n\n" + "\n".join(f"- {CAVEATS[c]}" for c in run.caveats))
    return "\n\n".join(parts) + "\n"


def check_markdown(check: Check | None) -> str:
    """Give the job's summary of a read-only check."""
    if check is None:
        return "## canary\n\nThe pull request or its base branch is gone.\n"
    return f"## canary: {code(check.title)}\n\n{check.summary}\n"


def _row(web_url: str, answer: Answered, outcome: Outcome) -> str:
    kind, _, number = answer.comment.partition("/")
    anchor = {"comment": f"#issuecomment-{number}", "review": f"#pullrequestreview-{number}"}.get(kind, "")
    verb = f"`/{outcome.verb}`" if outcome.verb else "–"
    where = f"[#{answer.pull}]({web_url}/pull/{answer.pull}{anchor})"
    return f"| {where} | {verb} | {outcome.decision} `{outcome.code}` | {CODES.get(outcome.code, '')} |"


def _service(web_url: str, one: Followed) -> str:
    progress = one.progress
    lines = [f"### {code(one.service.name)}"]
    if progress.standing is not None:
        rollout = progress.standing.rollout
        record = rollout.record
        if record is not None:
            lines.append(
                f"{rollout.phase.value.capitalize()}: {code(record.candidate)} has {rollout.weight} %."
            )
        lines.append(code_block(report.bars(progress.standing.split)))
    if progress.step is not None and progress.step.pull.state == "open":
        number = progress.step.pull.number
        lines.append(
            f"Next: {progress.step.proposal.weight} % by [#{number}]({web_url}/pull/{number}). {_gate(progress.gate)}"
        )
    lines += [
        report.problem_text(p, with_code=True)
        for p in (progress.problem.problems if progress.problem else ())
    ]
    return "\n\n".join(lines)


def _named(subject: Subject) -> str:
    """Give the name of what is waited for."""
    kind, _, rest = subject.what.partition("/")
    return rest.rpartition("/")[2] if kind == "service" else subject.what.replace("/", " ")


def _gate(gate: Gate | None) -> str:
    if gate is None:
        return ""
    if gate.passes:
        return "It may be merged."
    return f"Not before {gate.until:%Y-%m-%d %H:%M} UTC." if gate.until else "It is on hold."


def _of_answer(answer: Answered) -> dict[str, str]:
    first = next((o for o in answer.outcomes if o.decision not in GOOD), answer.outcomes[0])
    label = f"{first.decision}: {first.code}"
    if name := _name(first.service):
        label += f", {name}"
    if first.step:
        label += f" {first.step}"
    return _values(
        first.decision,
        first.code,
        service=_name(first.service),
        rollout=first.rollout,
        step=first.step,
        pull=first.pull or answer.pull,
        summary=label,
    )


def _values(
    decision: str,
    code_: str = "",
    *,
    service: str = "",
    rollout: str = "",
    step: str = "",
    pull: int = 0,
    summary: str,
) -> dict[str, str]:
    return {
        "decision": decision,
        "code": code_,
        "service": service,
        "rollout": rollout,
        "step": step,
        "pull-request": str(pull or ""),
        "summary": summary,
    }


def _name(service: str) -> str:
    """Give a service's name as far as it is one: a manifest may hold anything in its place."""
    return service if _SERVICE.fullmatch(service) else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
