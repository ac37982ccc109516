"""A merge queue's commit, judged: the three checks, on what would be on the base branch after the merge.

``canary / plan`` looks at the combined files, ``canary / gate`` and ``canary / approvals`` say again what they say
on the pull requests in the group. Source: GitHub, "Managing a merge queue": a required check has to report on the
group's commit as well, and each entry is built on the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core import report
from bot.core.checks import APPROVALS, GATE, PLAN
from bot.core.markers import Proposal
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.manifests import workload
from bot.ports import Check, Missing, Queued, Refused
from bot.service import overlapping
from bot.service.checks import plan_check, quiet_checks
from bot.service.converge import converge
from bot.service.reading import Service, read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.manifests.workload import Workload
    from bot.ports import CheckConclusion, Pull, QueueBranch
    from bot.service.desk import Desk

AGAIN = timedelta(minutes=1)  # a gate may close while the group waits for other checks
_MANIFEST = (".yaml", ".yml", ".json")


@dataclass(slots=True)
class _Verdicts:
    """What is found of a group, check by check: (pull request, conclusion, words)."""

    problems: list[Problem] = field(default_factory=list)
    said: dict[str, list[tuple[int, CheckConclusion, str]]] = field(
        default_factory=lambda: {PLAN: [], GATE: [], APPROVALS: []}
    )

    def say(self, check: Check, number: int) -> None:
        """Take over what a check says on a pull request; what is not good there yet is not good here."""
        good = check.conclusion in {"success", "neutral"}
        conclusion = check.conclusion if good and check.conclusion is not None else "failure"
        self.said[check.name].append((number, conclusion, check.title))


def look(desk: Desk, sha: str) -> datetime | None:
    """Judge a commit that waits in a merge queue; nothing where it is none, or none any more.

    Returns:
        When to look again, as long as the group is there and a step is in it.
    """
    branch = next((one for one in desk.repo.queue_branches() if one.sha == sha), None)
    if branch is None or desk.tip(branch.base) is None:
        return None
    chain = _chain(desk, branch)
    verdicts = _Verdicts()
    moved_by: dict[str, int] = {}
    steps = False
    for entry in chain:
        pull = desk.repo.pull(entry.number)
        proposal = Proposal.read(pull.body) if pull.ours else None
        _judge_files(desk, verdicts, entry, pull, proposal, moved_by)
        _repeat(desk, verdicts, pull, proposal)
        steps = steps or proposal is not None
    desk.tell(sha, _checks(verdicts, chain))
    return desk.now() + AGAIN if steps else None


def _chain(desk: Desk, branch: QueueBranch) -> tuple[Queued, ...]:
    """Give the entries that a group's commit is made of, the first to be merged first."""
    last = Queued(branch.number, branch.base_sha, branch.sha)
    try:
        by_head = {entry.head_sha: entry for entry in desk.repo.queue(branch.base)}
    except (Missing, Refused):
        by_head = {}  # the branch's name tells of its own entry
    chain = [by_head.get(branch.sha, last)]
    while (before := by_head.pop(chain[0].base_sha, None)) is not None:
        chain.insert(0, before)
    return tuple(chain)


def _judge_files(  # noqa: PLR0917 - one entry, its facts
    desk: Desk,
    verdicts: _Verdicts,
    entry: Queued,
    pull: Pull,
    proposal: Proposal | None,
    moved_by: dict[str, int],
) -> None:
    """Judge what one entry does to the files before it."""
    wanted = proposal.service if proposal is not None else ""
    paths = (p for p in desk.repo.compare(entry.base_sha, entry.head_sha).paths if p.endswith(_MANIFEST))
    for path in paths:
        try:
            before, after, own = (
                _workloads(desk, path, sha) for sha in (entry.base_sha, entry.head_sha, pull.head_sha)
            )
        except Declined as error:
            verdicts.problems += error.problems
            continue
        for one in after.values():
            was = before.get(one.id)
            if was is not None and was.content == one.content:
                continue
            verdicts.problems += workload.problems_with(one, one.split)
            if was is None or was.written == one.written:
                continue
            key = Service(pull.base_ref, path, one.id).key
            verdicts.problems += _of_move(key, entry.number, moved_by, wanted)
            if one.id not in own or own[one.id].written != one.written:
                text = f"{code(one.name)} would not have the traffic here that #{entry.number} proposes."
                verdicts.problems.append(Problem("drifted", text, "`/canary why` tells more.", one.place))


def _of_move(key: str, number: int, moved_by: dict[str, int], wanted: str) -> Iterable[Problem]:
    """Refuse a second move of a service's traffic in one group, and one that a step has no business with."""
    name = code(key.rpartition("/")[2])
    first = moved_by.setdefault(key, number)
    if first != number:
        yield Problem(
            "rollout-running",
            f"#{first} and #{number} both move the traffic of {name}.",
            "One after the other: queue the second when the first is merged.",
        )
    if wanted and key != wanted:
        yield Problem("drifted", f"#{number} would move the traffic of {name} too, and is not about it.")


def _workloads(desk: Desk, path: str, sha: str) -> dict[str, Workload]:
    file = read_file(desk.repo, path, sha)
    return {} if file is None else {one.id: one for one in workload.find(file.content, path).workloads}


def _repeat(desk: Desk, verdicts: _Verdicts, pull: Pull, proposal: Proposal | None) -> None:
    """Say again what the checks of a pull request say now."""
    service = Service.parse(proposal.base, proposal.service) if proposal is not None else None
    plan = plan_check(desk, pull) if pull.state == "open" else None
    if plan is not None:
        verdicts.say(plan, pull.number)
    if proposal is None or proposal.kind != "step" or service is None:
        starts = proposal is not None and proposal.kind == "start"
        quiet = (
            overlapping.quiet(desk, pull, proposal) if starts else quiet_checks(desk, pull.number, proposal)
        )
        for check in quiet:
            verdicts.say(check, pull.number)
        return
    converge(desk, service)
    for name in (GATE, APPROVALS):
        told = desk.told.get((pull.head_sha, name))
        verdicts.say(told or Check(name, "failure", "The step is not judged", ""), pull.number)


def _checks(verdicts: _Verdicts, chain: Sequence[Queued]) -> list[Check]:
    numbers = ", ".join(f"#{entry.number}" for entry in chain)
    head = f"Merge queue: {numbers}"
    made = []
    for name, said in verdicts.said.items():
        lines = [f"- #{number}: {title}" for number, _, title in said]
        conclusions = {conclusion for _, conclusion, _ in said}
        problems = verdicts.problems if name == PLAN else []
        texts = [report.problem_text(problem, with_code=True) for problem in problems]
        failed = "failure" in conclusions or bool(problems)
        conclusion: CheckConclusion = (
            "failure" if failed else "success" if "success" in conclusions else "neutral"
        )
        bad = [title for _, one, title in said if one == "failure"]
        title = problems[0].message.replace("`", "") if problems else next(iter(bad), head)
        state = f"group-{conclusion}-{len(problems)}-{'-'.join(str(entry.number) for entry in chain)}"
        summary = "\n\n".join([head, *texts, "\n".join(lines)])
        made.append(Check(name, conclusion, title[:200], summary, external_id=state))
    return made
