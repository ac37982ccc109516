"""Who moved which traffic, when and on what evidence: a branch's history, judged by its content.

A commit's trailers say what the bot meant; the manifest before and after says what happened. Both are compared for
every commit of the first-parent line, because that line is what was live. Offline nobody can ask GitHub who wrote a
commit, so trailers that agree with the content are evidence of what was done, and no proof of who did it: author and
committer are named beside them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.core import trailers
from bot.core.rollout import ALL, holds
from bot.core.trailers import CANCEL, ROLLBACK
from bot.core.witness import evidence_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from bot.core.traffic import Split
    from bot.core.trailers import Edit, Record
    from bot.core.witness import Evidence as Measured

_MERGED = re.compile(r"Merge pull request #([0-9]{1,9}) from ", re.ASCII)
_NUMBERED = re.compile(r"\(#([0-9]{1,9})\)$", re.ASCII)
_PROMOTED = re.compile(r"Canary-Promoted-By: ([A-Za-z0-9_-]{1,100}(?:\[bot\])?)", re.ASCII)
_COMMENT = re.compile(r"Canary-Comment: ([0-9]{1,18})", re.ASCII)
_FORGE = "GitHub"  # the committer of what its button writes
_PLACE = re.compile(r"[a-z]+\[[0-9]+\]", re.ASCII)  # of a rule without a name


class Evidence(StrEnum):
    """What a move rests on."""

    AGREES = "agrees"  # trailers of a step, and the content is that step
    EDIT = "edit"  # trailers of /traffic and the like, which name no percents
    BY_HAND = "by-hand"  # no trailers
    CHANGED = "changed"  # the bot's commit was true, and somebody changed its block before the merge
    CONTRADICTS = "contradicts"  # trailers of a step, and the content is another one
    UNREADABLE = "unreadable"  # trailers of a step, and no content to compare them with


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What has one split.

    ``service`` is ``path#id`` as the trailers have it; ``route`` is the name or place of a rule, or empty. ``seen`` is
    the rule's fingerprint: what it is found by where its place changed.
    """

    service: str
    route: str = ""
    seen: str = field(default="", compare=False)

    @property
    def path(self) -> str:
        """The file."""
        return self.service.rpartition("#")[0]

    @property
    def id(self) -> str:
        """The object in its file, see ``bot.manifests.workload``."""
        return self.service.rpartition("#")[2]

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Said:
    """One commit that brought trailers: a step's own commit, or what a merge or a squash made of it."""

    sha: str
    author: str
    message: str


@dataclass(frozen=True, slots=True)
class Landed:
    """One commit of the first-parent line.

    ``at`` is the committer's time, UTC. ``files`` are the manifests that it changed, against its first parent, each
    with the splits that it holds now: none where it is gone, ``None`` where it cannot be read. ``said`` are the
    commits with trailers that a merge brought, the oldest first, without the commit itself.
    """

    sha: str
    at: datetime
    author: str
    committer: str
    message: str
    is_merge: bool
    files: Mapping[str, Mapping[Unit, Split] | None] = field(default_factory=dict)
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a split, or one that trailers claim.

    ``before`` and ``after`` are shares in percent by name, without those at 0; ``None`` where nothing is known.
    ``record`` is the step that trailers name, ``rollout`` the one that the move belongs to: the record's, or the one
    it came in the middle of. ``pull`` is the pull request that brought the commit, where its subject says so.
    ``recorded_in`` is the commit that holds the trailers.
    """

    landed: Landed
    unit: Unit
    before: Mapping[str, int] | None
    after: Mapping[str, int] | None
    evidence: Evidence
    record: Record | None
    rollout: Record | None
    asked_by: str | None
    comment: int | None
    recorded_in: str | None
    reason: str
    note: str

    @property
    def weights(self) -> tuple[int | None, int | None]:
        """The candidate's share before and after, in percent, where a rollout says who the candidate is."""
        if self.rollout is None:
            return None, None
        shares = (None if s is None else s.get(self.rollout.candidate, 0) for s in (self.before, self.after))
        before, after = shares
        return before, after

    @property
    def step(self) -> str | None:
        """``2/3``, or ``rollback``."""
        if self.record is None:
            return None
        step = self.record.step
        return f"{step}/{len(self.record.steps)}" if isinstance(step, int) else step

    @property
    def pull(self) -> int | None:
        """The pull request that brought the commit."""
        subject = self.landed.message.partition("\n")[0].rstrip()
        found = _MERGED.match(subject) if self.landed.is_merge else None
        found = found or _NUMBERED.search(subject)
        return None if found is None else int(found[1])

    @property
    def promoted_by(self) -> str | None:
        """Whose wish merged the step: a login, or ``rules``."""
        found = _lines(_PROMOTED, self.landed.message)
        return found[-1] if found else None

    @property
    def measured(self) -> tuple[Measured, ...]:
        """What gates had answered when the move was made: in the merge's own message, and in the commits it brought."""
        messages = (self.landed.message, *(one.message for one in self.landed.said))
        return tuple(dict.fromkeys(found for message in messages for found in evidence_of(message)))

    @property
    def overrides(self) -> tuple[str, ...]:
        """The rules that two people set aside for the step, each like ``freeze by ada and kim``."""
        return tuple(f"{rule} by {a} and {b}" for rule, a, b in trailers.overrides(self.landed.message))

    @property
    def promoted_comment(self) -> int | None:
        """The comment that the wish was."""
        found = _lines(_COMMENT, self.landed.message) if self.promoted_by not in {None, "rules"} else []
        return int(found[-1]) if found else None

    @property
    def merged_by(self) -> str | None:
        """The name of who merged or pushed, ``None`` where only GitHub knows."""
        who = self.landed.author if self.landed.is_merge else self.landed.committer
        return None if who == _FORGE else who


def moves(
    landings: Iterable[Landed],
    held: Callable[[str, Unit], Split | None],
    wanted: Callable[[str], bool] = lambda _: True,
) -> Iterator[Move]:
    """Give every move of a branch, in the order of its history.

    The first split of a service moves nothing. One that was gone, or could not be read for a while, is compared with
    what it was before.

    Args:
        landings: The commits of the first-parent line, the oldest first.
        held: Gives the split of a unit at a commit that a merge brought; asked only where trailers and merge differ.
        wanted: Whether a file is looked at; trailers on other files are not judged.
    """
    state = _State()
    for landed in landings:
        yield from _judge(landed, state, held, wanted)


def shares(split: Split) -> dict[str, int]:
    """Give the shares of a split by name, without those at 0."""
    found: defaultdict[str, int] = defaultdict(int)
    for target in split.targets:
        if target.effective_percent:
            found[target.shown] += target.effective_percent
    return dict(found)


@dataclass(slots=True)
class _State:
    """What is known at a commit: the splits, what each file holds, and the last step of each unit."""

    known: dict[Unit, Split] = field(default_factory=dict)
    there: dict[str, frozenset[Unit]] = field(default_factory=dict)
    last: dict[Unit, Record] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)


def _judge(
    landed: Landed, state: _State, held: Callable[[str, Unit], Split | None], wanted: Callable[[str], bool]
) -> Iterator[Move]:
    before = _arrive(landed, state)
    after = {unit: state.known[unit] for unit in before if unit in state.there.get(unit.path, ())}
    claims = _claims(landed, state, wanted)
    edits = _edits(landed)
    for unit in sorted({*after, *claims}):
        was, now = (before if unit in before else state.known).get(unit), state.known.get(unit)
        claim = claims.get(unit)
        has_moved = was is not None and now is not None and _differs(was, now)
        if claim is None:
            if not has_moved or was is None or now is None:
                continue
            yield _unclaimed(landed, state, unit, was, now, edits.get(unit.service))
        else:
            move = _claimed(landed, state, unit, was, claim, edits.get(unit.service), held)
            is_old = claim[0] is not None and unit.path not in landed.files
            if is_old and move.evidence is not Evidence.CONTRADICTS:
                continue  # the same step came another way before: this merge does nothing to the file
            yield move
            state.last[unit] = claim[1]


def _arrive(landed: Landed, state: _State) -> dict[Unit, Split | None]:
    """Take in what a commit's files hold; give what each of their units was before."""
    before: dict[Unit, Split | None] = {}
    gone: dict[tuple[str, str], Unit] = {}
    for path, units in landed.files.items():
        if units is not None:
            for unit in state.there.get(path, frozenset()) - set(units):
                gone[unit.id, unit.route] = unit
    for path, units in landed.files.items():
        if units is None:
            state.unreadable.add(path)
            continue
        state.unreadable.discard(path)
        earlier = _aligned(state, path, units)
        for unit, split in units.items():
            from_file = gone.get((unit.id, unit.route))
            was = earlier.get(unit)
            if was is None and from_file is not None and from_file.path != path:
                was = state.known[from_file]
                if from_file in state.last:
                    state.last.setdefault(unit, state.last[from_file])
            before[unit] = was
            state.known[unit] = split
        state.there[path] = frozenset(units)
    return before


def _aligned(state: _State, path: str, units: Mapping[Unit, Split]) -> dict[Unit, Split]:
    """Give the earlier split of each unit.

    Rules without a name are known by their place. Where a rule came or went, the places of the others changed:
    they are found again by their destinations then.
    """
    old = state.there.get(path, frozenset())
    found = {unit: state.known[unit] for unit in units if unit in state.known}
    for service in {unit.service for unit in units}:
        was = sorted(u for u in old if u.service == service and _PLACE.fullmatch(u.route))
        now = sorted(u for u in units if u.service == service and _PLACE.fullmatch(u.route))
        if not was or len(was) == len(now):
            continue
        rest = [(_names(state.known[unit]), state.known[unit]) for unit in was]
        for unit in now:
            found.pop(unit, None)
            same = next((pair for pair in rest if pair[0] == _names(units[unit])), None)
            if same is not None:
                rest.remove(same)
                found[unit] = same[1]
    return found


def _names(split: Split) -> list[str]:
    return sorted(target.shown for target in split.targets)


def _differs(one: Split, other: Split) -> bool:
    # Proportions that are no whole percents are compared as they are rounded.
    return shares(one) != shares(other)


def _claims(
    landed: Landed, state: _State, wanted: Callable[[str], bool]
) -> dict[Unit, tuple[Said | None, Record]]:
    """Give the last step that the trailers name for each unit; ``None`` for the commit's own message.

    What was taken back before the merge counts as never said, as ``bot.core.rollout`` has it.
    """
    sources: list[Said | None] = [*landed.said, None]
    said = [
        (source, record)
        for source in sources
        for record in trailers.records(landed.message if source is None else source.message)
    ]
    taken_back: set[tuple[str, int]] = set()
    found: dict[Unit, tuple[Said | None, Record]] = {}
    for source, record in reversed(said):
        unit = _unit_of(record, state)
        if record.step == CANCEL:
            taken_back.add((record.service, record.pull))
        elif (record.service, record.pull) not in taken_back and wanted(unit.path):
            found.setdefault(unit, (source, record))
    return found


def _unit_of(record: Record, state: _State) -> Unit:
    name, _, seen = record.route.partition("~")
    unit = Unit(record.service, name, seen)
    there = [u for u in state.there.get(unit.path, ()) if u.service == record.service]
    if not name:
        several = there if unit in there else [u for u in there if len(state.known[u].targets) > 1]
        return several[0] if len(several) == 1 else unit
    if seen and _PLACE.fullmatch(name):
        like = [u for u in there if u.seen == seen] or [u for u in there if u.seen[4:] == seen[4:]]
        like = [u for u in like if u.route == name] or like
        return like[0] if len(like) == 1 else unit
    return unit


def _edits(landed: Landed) -> dict[str, tuple[str, Edit]]:
    pairs = [(said.sha, said.message) for said in landed.said] + [(landed.sha, landed.message)]
    return {edit.service: (sha, edit) for sha, message in pairs for edit in trailers.edits(message)}


def _unclaimed(  # noqa: PLR0917 - one move, its facts
    landed: Landed, state: _State, unit: Unit, was: Split, now: Split, edit: tuple[str, Edit] | None
) -> Move:
    last = state.last.get(unit)
    running = last if last is not None and last.step != ROLLBACK and last.weight != ALL else None
    note = ""
    if edit is None:
        note = _by_hand(landed, running, now)
        if running is not None and holds(now, running, ALL):
            state.last.pop(unit)  # ended by hand
    return Move(
        landed,
        unit,
        shares(was),
        shares(now),
        Evidence.BY_HAND if edit is None else Evidence.EDIT,
        record=None,
        rollout=running,
        asked_by=None if edit is None else edit[1].requested_by,
        comment=None if edit is None else edit[1].comment,
        recorded_in=None if edit is None else edit[0],
        reason=reason_of(landed.message),
        note=note,
    )


def _by_hand(landed: Landed, running: Record | None, now: Split) -> str:
    step = None if running is None else next((w for w in running.steps if holds(now, running, w)), None)
    equals = "" if step is None else f" It equals the rollout's step to {step} %."
    if _lines(_PROMOTED, landed.message):
        return f"The message says who promoted, and names no step.{equals}"
    if not landed.is_merge and _NUMBERED.search(landed.message.partition("\n")[0].rstrip()):
        return f"By hand, or a squash that lost the trailers: the pull request tells.{equals}"
    return f"No trailers.{equals}"


def _claimed(  # noqa: PLR0917 - same
    landed: Landed,
    state: _State,
    unit: Unit,
    was: Split | None,
    claim: tuple[Said | None, Record],
    edit: tuple[str, Edit] | None,
    held: Callable[[str, Unit], Split | None],
) -> Move:
    source, record = claim
    now = state.known.get(unit) if unit.path not in state.unreadable else None
    evidence, note = _weighed(unit, state, now, claim, held)
    if evidence in {Evidence.CONTRADICTS, Evidence.CHANGED} and edit is not None:
        evidence, note = (
            Evidence.EDIT,
            "A step and a later `/traffic` in one: the later one names no percents.",
        )
    if evidence is Evidence.AGREES and record.weight and was is not None and now is not None:
        note = "" if _differs(was, now) else "The commit moves nothing."
    is_asked = evidence in {Evidence.AGREES, Evidence.CONTRADICTS, Evidence.UNREADABLE}
    asked = record if is_asked else edit[1] if edit is not None and evidence is Evidence.EDIT else None
    return Move(
        landed,
        unit,
        None if was is None else shares(was),
        None if now is None else shares(now),
        evidence,
        record=record,
        rollout=record,
        asked_by=None if asked is None else asked.requested_by,
        comment=None if asked is None else asked.comment,
        recorded_in=landed.sha if source is None else source.sha,
        reason=reason_of(landed.message if source is None else source.message),
        note=note,
    )


def _weighed(
    unit: Unit,
    state: _State,
    now: Split | None,
    claim: tuple[Said | None, Record],
    held: Callable[[str, Unit], Split | None],
) -> tuple[Evidence, str]:
    source, record = claim
    if now is None:
        if unit.path in state.unreadable:
            return Evidence.UNREADABLE, "The file cannot be read at this commit."
        return Evidence.CONTRADICTS, "The trailers name a service or route that is not there."
    if holds(now, record, record.weight):
        return Evidence.AGREES, ""
    there = None if source is None else held(source.sha, unit)
    says = f"The trailers say {record.weight} % for {record.candidate}, the file says {told(shares(now))}."
    if there is not None and holds(there, record, record.weight):
        return Evidence.CHANGED, f"{says} The bot's commit was as it says, and changed before the merge."
    return Evidence.CONTRADICTS, says


def told(held: Mapping[str, int]) -> str:
    """Give shares in words, the largest first."""
    ordered = sorted(held.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {percent} %" for name, percent in ordered) or "nothing for anybody"


def reason_of(message: str) -> str:
    """Give the first paragraph behind a message's subject, on one line, without trailers."""
    _, _, body = message.replace("\r\n", "\n").partition("\n")
    for paragraph in body.strip().split("\n\n"):
        lines = [
            line.strip() for line in paragraph.split("\n") if not line.lstrip(" \t*>-").startswith("Canary-")
        ]
        if any(lines):
            return " ".join(" ".join(lines).split())
    return ""


def _lines(pattern: re.Pattern[str], message: str) -> list[str]:
    return [
        found[1] for line in message.split("\n") if (found := pattern.fullmatch(line.strip())) is not None
    ]
