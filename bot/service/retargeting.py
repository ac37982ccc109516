"""``/untag``, ``/tag`` and ``/traffic``: what ``kn service update`` does, as one edit and one commit.

It is no rollout. While one runs, or is about to begin, the percents are that one's, and this is declined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.kn.flags import Flags
from bot.core.kn.update import Refusal, update
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import LONGEST_LINE, code, code_block
from bot.core.traffic import defaulted
from bot.core.trailers import CANCEL, Edit
from bot.manifests import workload
from bot.manifests.diff import unified
from bot.manifests.judge import later_problems, server_refusal
from bot.manifests.knative import Manifest, edit_service
from bot.manifests.workload import SERVICE
from bot.ports import Moved, Refused
from bot.service import owning, proposing
from bot.service.checks import plan_check, quiet_checks
from bot.service.committing import HeadMoved, check_own, twice, with_content
from bot.service.desk import no_namespace
from bot.service.reading import Held, read_held
from bot.service.scene import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.traffic import Split
    from bot.ports import Commit, Pull
    from bot.service.reading import Standing
    from bot.service.verbs import Case


@dataclass(frozen=True, slots=True)
class Change:
    """One edit: the block before and after it, and its diff."""

    before: Split
    after: Split
    diff: str
    empties: bool


def retarget(case: Case, command: c.Retarget) -> Outcome:
    """Commit the edit to an open pull request; after the merge, propose it in one of the bot's own."""
    scene = case.scene
    if scene.kind in {Kind.STEP, Kind.ROLLBACK}:
        raise Declined(
            Problem(
                "wrong-place",
                "This pull request belongs to a rollout: its traffic block is what the rollout wants.",
                "`/promote` takes the next step, `/rollback` turns back, `/canary cancel` ends the rollout.",
            )
        )
    if scene.kind is Kind.CLOSED:
        raise Declined(
            Problem("pull-closed", "This pull request is closed and was not merged.", "Reopen it.")
        )
    if scene.kind is Kind.MERGED:
        return _propose(case, command)
    return twice(case, lambda: _commit(case, command))


# --- on an open pull request ------------------------------------------------------------------


def _commit(case: Case, command: c.Retarget) -> Outcome:
    desk, pull, service = case.desk, case.scene.pull, case.service
    own = [commit for commit in desk.repo.commits_of(pull.number) if commit.ours]
    # First of all: has an interrupted try of this comment done it already?
    earlier = _made(case, own)
    if earlier is not None:
        _tell_again(case, pull)
        return _committed(case, earlier[0], earlier[1])
    _refuse_armed(case, own)
    _refuse_running(case, case.standing())
    held = case.scene.touched_one(desk, service).target
    if held is None:
        raise Declined(Problem("no-service", f"{code(service.name)} is not in this pull request any more."))
    content = _edited(case, held, command, pull.head_sha)
    if content == held.file.content:
        return _already(case)
    if pull.from_fork:
        raise _fork(unified(held.file.content, content, service.path))
    try:
        sha = desk.repo.commit_file(pull.head_ref, held.file, content, _message(case))
    except Moved:
        raise HeadMoved from None
    except Refused as refusal:
        raise proposing.refused(refusal) from None
    case.scene.moved(sha, with_content(case, held, content))
    check_own(case, None)
    return _committed(case, sha, _change(held, _with(held, content)))


def _committed(case: Case, sha: str, change: Change) -> Outcome:
    name = code(case.service.name)
    done = "Would commit" if case.desk.rehearsal else f"Committed {code(sha[:7])}"
    text = _text(f"{done}: the traffic of {name} in this pull request, as asked for.", change)
    return case.outcome("done", "applied", text)


def _tell_again(case: Case, pull: Pull) -> None:
    """Set the checks of a commit where an interrupted try may have set some of them."""
    check = plan_check(case.desk, pull)
    if check is not None:
        case.desk.tell(pull.head_sha, [check, *quiet_checks(case.desk, pull.number)])


def _refuse_armed(case: Case, own: Iterable[Commit]) -> None:
    found = [r for x in own for r in trailers.records(x.message) if r.service == case.service.key]
    if not found or found[-1].step == CANCEL:
        return
    raise Declined(
        Problem(
            "rollout-running",
            f"A rollout of {code(case.service.name)} begins with this pull request, at {found[-1].weight} %: the "
            "percents are its own.",
            "`/canary N` sets another share; `/canary cancel` takes it back, and the traffic is yours again.",
        )
    )


def _refuse_running(case: Case, standing: Standing) -> None:
    running = standing.rollout
    if running.phase is not Phase.ROLLING or running.record is None:
        return
    if proposing.was_cancelled(case.desk, running):
        return
    raise Declined(
        Problem(
            "rollout-running",
            f"A rollout of {code(case.service.name)} is at {running.weight} %: the percents are its own. It began on "
            f"#{running.record.pull}.",
            "There `/rollback` turns back and `/promote` takes the next step; `/canary cancel` ends it and leaves the "
            "traffic as it is.",
        )
    )


def _fork(diff: str) -> Declined:
    return Declined(
        Problem(
            "fork",
            "This pull request comes from a fork, where the bot has no right to commit. This is the change:\n\n"
            + report.diff_block(diff),
            "Its author can make it; or merge, and repeat the command then: that opens a pull request for it.",
        )
    )


# --- after the merge --------------------------------------------------------------------------


def _propose(case: Case, command: c.Retarget) -> Outcome:
    desk, service, scene = case.desk, case.service, case.scene
    branch = naming.edit_branch(service.key, scene.key)
    there = proposing.edit_from(desk, branch)
    if there is not None:
        made = _made(case, (x for x in desk.repo.commits_of(there.number) if x.ours))
        if there.state == "open":
            _tell_again(case, there)
        return _proposed(case, there, made[1] if made is not None else None)
    standing = case.standing()
    _refuse_running(case, standing)
    _refuse_start(case)
    held = standing.held
    if held is None:
        raise Declined(
            Problem("file-missing", f"{code(service.name)} is not on {code(service.base)} any more.")
        )
    content = _edited(case, held, command, standing.tip)
    if content == held.file.content:
        return _already(case)
    change = _change(held, _with(held, content))
    author = scene.comment.author.login
    pull = proposing.propose_edit(
        desk,
        standing,
        branch,
        content,
        _message(case),
        title=f"{service.name}: traffic as asked for on #{scene.pull.number}",
        body=report.edit_body(
            service.name,
            author,
            scene.pull.number,
            change.before,
            change.after,
            starts_workflows=desk.repo.starts_workflows,
        ),
    )
    check = plan_check(desk, pull)
    if check is not None:
        desk.tell(pull.head_sha, [check], fresh=True)
    desk.afterwards.append((pull.head_sha, quiet_checks(desk, pull.number)))
    return _proposed(case, pull, change)


def _refuse_start(case: Case) -> None:
    """A start that is proposed and not merged holds percents of its own, computed from the same block."""
    mine = proposing.open_for(case.desk, case.service)
    start = next((o.pull.number for o in mine if o.proposal.kind == "start"), None)
    if start is not None:
        raise Declined(
            Problem(
                "rollout-running",
                f"#{start} begins a rollout of {code(case.service.name)}: the percents are its own.",
                "Merge it, or comment `/canary cancel` there first.",
            )
        )


def _proposed(case: Case, pull: Pull, change: Change | None) -> Outcome:
    done = "Would open a pull request" if case.desk.rehearsal else f"Proposed in #{pull.number}"
    text = _text(f"{done}: the traffic of {code(case.service.name)}, as asked for.", change)
    return case.outcome("done", "proposed", text, pull=pull.number)


# --- the edit ---------------------------------------------------------------------------------


def _edited(case: Case, held: Held, command: c.Retarget, sha: str) -> bytes:
    """Give the edited file; ``sha`` is the commit that it was read at.

    Raises:
        Declined: ``kn-refused``, ``split-invalid``; as ``owning.check_file``; the file cannot be edited exactly.
    """
    manifest = held.manifest.origin
    if not isinstance(manifest, Manifest) or manifest.kind != SERVICE:
        raise Declined(
            Problem(
                "kn-refused",
                f"`/traffic`, `/tag` and `/untag` are for the traffic block of a Knative Service; "
                f"{code(held.manifest.name)} is a {held.manifest.kind} of {code(held.manifest.api_version)}.",
                "`/canary 25` moves its split; `canary migrate` gives an old Service a traffic block.",
                held.place,
            )
        )
    flags = Flags(untag=command.untag, tag=command.tag, traffic=command.traffic)
    targets = update(manifest.targets, flags, service=manifest.name)
    if isinstance(targets, Refusal):
        raise Declined(
            Problem(
                "kn-refused",
                f"As `kn service update` says: {code(targets.text, longest=LONGEST_LINE)}",
                "The flag `--untag` of that text is a line `/untag TAG` here."
                if "--untag" in targets.text
                else "",
            )
        )
    refusal = server_refusal(manifest, targets)
    if refusal is not None:
        said = "The API server would refuse the result: "
        raise Declined(
            *(
                Problem("split-invalid", said + code(line, longest=LONGEST_LINE), place=held.place)
                for line in refusal.split("\n")
            )
        )
    holder = owning.holder_of(held)
    owning.check_file(case.desk.repo, held, holder, case.service.base, sha)
    problems = later_problems(manifest, targets) + no_namespace(held)
    problems += owning.refusals(held, holder, defaulted(targets))
    if problems:
        raise Declined(*problems)
    return edit_service(held.file.content, manifest.path, manifest, targets=targets)


def _with(held: Held, content: bytes) -> Held:
    found = workload.find(content, held.file.path, name=held.manifest.name).workloads
    manifest = next(w for w in found if w.id == held.manifest.id)
    return Held(replace(held.file, content=content, blob=""), manifest)


def _change(before: Held, after: Held) -> Change:
    return Change(
        before.version.split,
        after.version.split,
        unified(before.file.content, after.file.content, after.file.path),
        empties=bool(before.manifest.written) and not after.manifest.written,
    )


def _made(case: Case, own: Iterable[Commit]) -> tuple[str, Change] | None:
    """Find the commit that an interrupted try of this comment made: its sha, and the change in it."""
    repo, service = case.desk.repo, case.service
    for commit in own:
        for edit in trailers.edits(commit.message):
            if (edit.service, edit.comment) != (service.key, case.scene.comment.id) or not commit.parents:
                continue
            before = read_held(repo, service.path, service.id, commit.parents[0])
            after = read_held(repo, service.path, service.id, commit.sha)
            if before is not None and after is not None:
                return commit.sha, _change(before, after)
    return None


def _message(case: Case) -> str:
    """Give the commit's message. What was typed is not in it: GitHub makes mentions and closed issues of words."""
    author, comment = case.scene.comment.author.login, case.scene.comment.id
    edit = Edit(case.service.key, author, comment)
    reason = report.one_line(f"Asked for by {author} on #{case.scene.pull.number}.")
    return f"Set the traffic of {case.service.name}\n\n{reason}\n\n{edit.trailers()}\n"


def _already(case: Case) -> Outcome:
    text = f"The traffic of {code(case.service.name)} is like that already; nothing was written."
    return case.outcome("already", "already", text)


def _text(done: str, change: Change | None) -> str:
    if change is None:
        return done
    parts = [
        done,
        report.split_table(change.before, change.after),
        code_block(report.bars(change.after)),
        report.diff_block(change.diff),
        report.AT_ONCE,
    ]
    if change.empties:
        parts.append("No target is left: the API server gives all traffic to the latest revision.")
    return "\n\n".join(parts)
