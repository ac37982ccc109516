"""What a new rollout does to one of the same service that is not finished: ``overlap`` of the configuration.

``supersede`` needs nothing here: stable stays the last completed revision, and the unfinished candidate loses its
weight with the first commit of the new rollout. With ``queue`` the new one is armed and its ``canary / gate`` is
pending; ``refuse`` declines the command, and fails that check where the command came first. Which of them holds is
what the default branch says now.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.core import naming, trailers
from bot.core.checks import GATE, reference
from bot.core.markers import Proposal
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import code
from bot.core.trailers import CANCEL
from bot.ports import Check
from bot.service import proposing
from bot.service.checks import plan_check, quiet_checks
from bot.service.reading import Service

if TYPE_CHECKING:
    from bot.core.rollout import Rollout
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Standing

_STATE = "gate-queue"


def in_the_way(desk: Desk, standing: Standing, pull: int) -> Rollout | None:
    """Give the unfinished rollout of a service that began on another pull request and that nobody ended."""
    rollout = standing.rollout
    if rollout.record is None or rollout.phase not in {Phase.ROLLING, Phase.DRIFTED}:
        return None
    if rollout.record.pull == pull or proposing.was_cancelled(desk, rollout):
        return None
    return rollout


def refuse(desk: Desk, standing: Standing, pull: int) -> None:
    """Decline to begin a rollout where the configuration wants the running one to end first.

    Raises:
        Declined: ``rollout-running``, ``config-invalid``.
    """
    if desk.config().overlap != "refuse":
        return
    running = in_the_way(desk, standing, pull)
    if running is None or running.record is None:
        return
    raise Declined(
        Problem(
            "rollout-running",
            f"{_words(desk, standing, running, running.record)}; this repository finishes one rollout of a service "
            "before the next (`overlap: refuse`).",
            "End that one first: `/promote`, `/rollback` or `/canary cancel` there.",
        )
    )


def note(desk: Desk, standing: Standing, pull: int) -> str:
    """Say after what a new rollout comes, for the reply to the command; empty where it need not wait."""
    if desk.config().overlap != "queue":
        return ""
    running = in_the_way(desk, standing, pull)
    if running is None or running.record is None:
        return ""
    return (
        f"**Waits** · {_words(desk, standing, running, running.record)}. Merge this one when that has ended: "
        "`canary / gate` is pending until then (`overlap: queue`)."
    )


def quiet(desk: Desk, pull: Pull, proposal: Proposal | None = None) -> tuple[Check, ...]:
    """Give ``canary / gate`` and ``canary / approvals`` of a pull request that may begin a rollout."""
    gate, *others = quiet_checks(desk, pull.number, proposal)
    return (_frozen(desk, pull, proposal) or _waiting(desk, pull, proposal) or gate, *others)


def _frozen(desk: Desk, pull: Pull, proposal: Proposal | None) -> Check | None:
    """Give the gate of a start pull request of the bot's while a freeze holds: nothing is started then."""
    from bot.service.conditions import freezes_on  # noqa: PLC0415 - ``conditions`` builds on this layer

    if proposal is None or proposal.kind != "start":
        return None
    service = Service.parse(proposal.base, proposal.service)
    if service is None:
        return None
    try:
        words = [f"{one.words}." for one in freezes_on(desk, service)]
    except Declined as declined:
        words = [declined.problems[0].message]
    if not words:
        return None
    said = " ".join(words)
    state = hashlib.sha256(said.encode()).hexdigest()[:12]
    title = proposing.plain(words[0].removesuffix("."))
    return Check(
        GATE,
        None,
        title[:200],
        f"{said}\n\nNothing is started now: this may be merged when the freeze is over.",
        external_id=reference(pull.number, f"gate-frozen-{state}"),
    )


def _waiting(desk: Desk, pull: Pull, proposal: Proposal | None) -> Check | None:
    """Give the gate of a pull request that a rollout begins with, where one rollout comes after the other."""
    overlap = _one_by_one(desk)
    if not overlap or (proposal is not None and proposal.kind != "start"):
        return None
    services = _begun_by(desk, pull, proposal)
    for service in services:
        with suppress(Declined):  # a manifest that cannot be read has its own words
            standing = desk.standing(service)
            running = in_the_way(desk, standing, pull.number if proposal is None else proposal.pull)
            if running is not None and running.record is not None:
                words = f"{_words(desk, standing, running, running.record)}."
                first = f"the rollout of #{running.record.pull}"
                refused = overlap == "refuse"
                return Check(
                    GATE,
                    "failure" if refused else None,
                    (f"Not before {first} has ended" if refused else f"Waits for {first}")[:200],
                    f"{words} `overlap: {overlap}`: this one may be merged when that has ended.\n\n"
                    f"A merge before that takes the weight away from {code(running.record.candidate)}.",
                    external_id=reference(
                        pull.number, f"{_STATE}-{overlap}-{running.record.rollout}-{running.weight}"
                    ),
                )
    if not services:
        return None
    return Check(
        GATE,
        "neutral",
        "Nothing is before this rollout",
        "No other rollout of the service is under way: this may be merged.",
        external_id=reference(pull.number, f"{_STATE}-free"),
    )


def _one_by_one(desk: Desk) -> str:
    """Give ``queue`` or ``refuse``; empty where a new rollout may take the place of a running one."""
    try:
        overlap = desk.config().overlap
    except Declined:
        return ""  # nothing begins anyway
    return "" if overlap == "supersede" else overlap


def _begun_by(desk: Desk, pull: Pull, proposal: Proposal | None) -> tuple[Service, ...]:
    if proposal is not None:
        service = Service.parse(proposal.base, proposal.service)
        return () if service is None else (service,)
    if pull.ours or pull.from_fork:
        return ()
    last: dict[str, Record] = {}
    for commit in desk.repo.commits_of(pull.number):
        last |= {r.service: r for r in trailers.records(commit.message)} if commit.ours else {}
    keys = [key for key, record in last.items() if record.step != CANCEL]
    return tuple(s for key in keys if (s := Service.parse(pull.base_ref, key)) is not None)


def tell_waiting(desk: Desk, standing: Standing) -> None:
    """Judge the pull requests anew that wait for a rollout of the service, or may have to from now on."""
    if desk.rehearsal or not _one_by_one(desk):
        return
    service = standing.service
    for pull in desk.repo.open_pulls():
        if pull.base_ref != service.base or pull.from_fork:
            continue
        proposal = Proposal.read(pull.body) if pull.ours else None
        if pull.ours and (proposal is None or (proposal.kind, proposal.service) != ("start", service.key)):
            continue
        state = next((c.external_id for c in desk.repo.checks(pull.head_sha) if c.name == GATE), "")
        if f"/{_STATE}-" not in state:
            continue
        check = plan_check(desk, pull)
        desk.tell(pull.head_sha, [*([check] if check is not None else []), *quiet(desk, pull, proposal)])


def tell_merged_anyway(desk: Desk, standing: Standing, old: proposing.Ours) -> None:
    """Say on a pull request that it was merged while it should have waited; that is a fact by then."""
    record = standing.rollout.record
    if record is None or standing.rollout.phase is not Phase.ROLLING:
        return
    with suppress(Declined):
        overlap = desk.config().overlap
        if overlap == "supersede":
            return
        text = (
            f"This was merged while the rollout of #{old.proposal.pull} was at {old.proposal.before} % "
            f"(`overlap: {overlap}`). It counts: {code(record.candidate)} has {standing.rollout.weight} %, and that "
            "rollout is over."
        )
        proposing.notify(desk, record.pull, f"merged-anyway-{record.rollout}", text, record)


def _words(desk: Desk, standing: Standing, running: Rollout, record: Record) -> str:
    weight = running.next_weight
    branch = naming.step_branch(record.rollout, weight) if weight is not None else ""
    step = next(iter(proposing.from_branch(desk, branch)), None) if branch else None
    where = (
        f", its next step is #{step.pull.number}" if step is not None and step.pull.state == "open" else ""
    )
    return f"A rollout of {code(standing.service.name)} is at {running.weight} %: it began on #{record.pull}{where}"
