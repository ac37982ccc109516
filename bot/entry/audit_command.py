"""``canary audit``: who moved which traffic when, and on what evidence, from Git alone."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from bot.adapters.local_git import Git
from bot.core.audit import Evidence, Move, moves, told
from bot.core.problems import OutsideFailure
from bot.core.trailers import ROLLBACK
from bot.entry import show
from bot.entry.audit_history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from rich.console import Console

    from bot.core.audit import Landed, Unit
    from bot.core.witness import Evidence as Measured

WIDTH = 80  # columns, where there is no terminal to ask
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?", re.ASCII)
_WORDS = {
    Evidence.AGREES: "agrees",
    Evidence.EDIT: "/traffic",
    Evidence.BY_HAND: "by hand",
    Evidence.CHANGED: "by hand",
    Evidence.CONTRADICTS: "CONTRADICTED",
    Evidence.UNREADABLE: "unreadable",
}
_STYLES = {Evidence.AGREES: "green", Evidence.EDIT: "green", Evidence.CONTRADICTS: "bold red"}


class BadUse(Exception):  # noqa: N818 - an answer
    """The arguments cannot be used; in words, safe to show."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments, as typed. Empty ``paths`` mean every manifest; ``folder`` is where it was typed."""

    folder: Path
    paths: tuple[str, ...] = ()
    service: str | None = None
    since: str | None = None
    rev: str = "HEAD"


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found: the moves, the oldest first, and what a reader must know of the clone."""

    moves: tuple[Move, ...]
    remarks: tuple[str, ...]
    what: str


def run(asked: Asked, *, as_json: bool = False, color: bool = True) -> int:
    """Look, print, and give the exit status: 0, 1 where trailers contradict the content, 2 when used wrongly."""
    try:
        audit = look(asked)
    except BadUse as reason:
        show.talk(f"canary audit: {reason}")
        return 2
    except OutsideFailure as failure:
        show.talk(f"canary audit: {show.one_line(str(failure))}")
        return 1
    for remark in audit.remarks:
        show.talk(f"canary audit: {remark}")
    if as_json:
        for move in audit.moves:
            # Escapes alone: whatever stands in a message or a name does nothing to a terminal.
            show.out(json.dumps(as_object(move), ensure_ascii=True))
    elif audit.moves:
        _print(audit, color=color)
    if not audit.moves:
        (show.talk if as_json else show.out)(f"Nothing was moved{audit.what}.")
    return 1 if any(move.evidence is Evidence.CONTRADICTS for move in audit.moves) else 0


def look(asked: Asked) -> Audit:
    """Read the history and judge it.

    Raises:
        BadUse: There is no repository, branch, path or service of that name.
        OutsideFailure: git failed.
    """
    git = Git.around(asked.folder)
    if git is None:
        raise BadUse("this is no git working tree.")
    until = git.commit(asked.rev)
    if until is None:
        none_yet = asked.rev == "HEAD" and "There is no commit yet."
        raise BadUse(none_yet or f"{show.one_line(asked.rev)} is no branch or commit of this repository.")
    paths = tuple(_inside(git, asked.folder, path) for path in asked.paths)
    history = History(git)
    landed = history.landed(until, paths)
    _check(git, asked, paths, landed)
    wanted = _within(paths)
    found = tuple(moves(landed, history.held, wanted))
    if asked.service is not None:
        found = _of_service(asked.service, found, landed)
    if asked.since is not None:
        is_since = _since(git, asked.since, landed)
        found = tuple(move for move in found if is_since(move.landed))
    remarks = []
    if git.is_shallow():
        remarks.append("this clone is shallow: what is older, or came by a merge, may be missing here.")
    if history.missing:
        remarks.append(
            f"{len(history.missing)} contents are too large or not in this clone; they were not judged."
        )
    whose = f" for {show.one_line(asked.service)}" if asked.service else ""
    when = f" since {show.one_line(asked.since)}" if asked.since else ""
    return Audit(
        found, tuple(remarks), f"{whose}{when} in {len(landed)} commit{'' if len(landed) == 1 else 's'}"
    )


def as_object(move: Move) -> dict[str, Any]:
    """Give a move for machines; ``docs/audit.md`` is about these keys."""
    record, rollout, landed = move.record, move.rollout, move.landed
    before, after = move.weights
    return {
        "time": landed.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": move.unit.name,
        "path": move.unit.path,
        "key": move.unit.service,
        "route": move.unit.route or None,
        "rollout": None if rollout is None else rollout.rollout,
        "stable": None if rollout is None else rollout.stable,
        "candidate": None if rollout is None else rollout.candidate,
        "step": move.step,
        "claimed": None if record is None else record.weight,
        "from": before,
        "to": after,
        "before": move.before,
        "after": move.after,
        "asked_by": move.asked_by,
        "comment": move.comment,
        "promoted_by": move.promoted_by,
        "promoted_comment": move.promoted_comment,
        "overrides": list(move.overrides),
        "merged_by": move.merged_by,
        "pull": move.pull,
        "began_on": None if rollout is None else rollout.pull,
        "rules": None if rollout is None else rollout.rules,
        "config": None if rollout is None else rollout.config or None,
        "adopted": None if record is None else record.adopted or None,
        "cause": None if record is None else record.cause or None,
        "gates": [_measured(one) for one in move.measured],
        "commit": landed.sha,
        "author": landed.author,
        "committer": landed.committer,
        "recorded_in": move.recorded_in,
        "evidence": str(move.evidence),
        "reason": move.reason,
        "note": move.note,
    }


def _measured(one: Measured) -> dict[str, Any]:
    return {
        "gate": one.gate,
        "outcome": one.outcome.value,
        "value": one.value,
        "limit": one.limit,
        "side": one.side,
        "window": None if one.window is None else one.window.total_seconds(),
        "samples": one.samples,
        "at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
    }


# --- what was asked for -------------------------------------------------------------------------


def _inside(git: Git, folder: Path, path: str) -> str:
    """Give a path as the repository has it; it need not be there any more."""
    whole = os.path.normpath(folder.resolve() / path)
    inside = os.path.relpath(whole, git.top)
    if "\0" in path or inside == ".." or inside.startswith("../"):
        raise BadUse(f"{show.one_line(path)} is not in this repository.")
    return inside


def _within(paths: Sequence[str]) -> Callable[[str], bool]:
    if not paths or "." in paths:
        return lambda _: True
    return lambda path: any(path == one or path.startswith(f"{one}/") for one in paths)


def _check(git: Git, asked: Asked, paths: Sequence[str], landed: Sequence[Landed]) -> None:
    for typed, path in zip(asked.paths, paths, strict=True):
        is_it = _within((path,))
        if not any(is_it(file) for one in landed for file in one.files) and not (git.top / path).exists():
            raise BadUse(f"there is no {show.one_line(typed)}, and never was on this branch.")


def _of_service(wanted: str, found: Sequence[Move], landed: Sequence[Landed]) -> tuple[Move, ...]:
    """Take one service: by its name, its namespace and name, or all of its key."""

    def is_meant(unit: Unit) -> bool:
        return wanted in {unit.name, unit.id, unit.id.rpartition(":")[2], unit.service}

    units = {unit for one in landed for units in one.files.values() for unit in units or ()}
    if not any(map(is_meant, units)) and not any(is_meant(move.unit) for move in found):
        names = sorted({unit.name for unit in units})
        known = ", ".join(show.one_line(name) for name in names[:10]) + (", …" if len(names) > 10 else "")  # noqa: PLR2004
        known = f" Known: {known}." if names else " There are no services."
        raise BadUse(f"no service {show.one_line(wanted)} was ever on this branch.{known}")
    return tuple(move for move in found if is_meant(move.unit))


def _since(git: Git, since: str, landed: Sequence[Landed]) -> Callable[[Landed], bool]:
    """Read a date, UTC where it names no zone, else a revision: the commits behind it are left out."""
    if _DATE.fullmatch(since):
        try:
            day = datetime.fromisoformat(since)
        except ValueError:
            raise BadUse(f"{show.one_line(since)} is no date.") from None
        start = day.replace(tzinfo=UTC) if day.tzinfo is None else day
        return lambda one: one.at >= start
    sha = git.commit(since)
    if sha is None:
        raise BadUse(
            f"{show.one_line(since)} is neither a commit of this repository nor a date like 2026-03-01."
        )
    behind = git.parents(sha)
    new = {one.sha for one in landed} - set(behind)
    return lambda one: one.sha in new


# --- telling ------------------------------------------------------------------------------------


def _print(audit: Audit, *, color: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - only the table needs it

    if color and sys.stdout.isatty():
        _tell(audit, Console(highlight=False), plain=False)
        return
    width = get_terminal_size((WIDTH, 0)).columns if sys.stdout.isatty() else WIDTH
    paper = io.StringIO()
    _tell(audit, Console(file=paper, width=width, highlight=False, no_color=True), plain=True)
    show.out("\n".join(line.rstrip() for line in paper.getvalue().splitlines()))


def _tell(audit: Audit, console: Console, *, plain: bool) -> None:
    from rich.text import Text  # noqa: PLC0415 - only the table needs it

    for moved in _grouped(audit.moves):
        console.print(Text(_title(moved[0]), style="" if plain else "bold"))
        console.print(_table(moved, plain=plain))
        console.print(_notes(moved, plain=plain))
        console.print()
    counts = [(word, sum(m.evidence is e for m in audit.moves)) for e, word in _COUNTED]
    said = ", ".join(f"{count} {word}" for word, count in counts if count)
    count = len(audit.moves)
    console.print(Text(f"{count} move{'s' if count != 1 else ''}{audit.what}: {said}."))
    for move in audit.moves:
        if move.evidence is Evidence.CONTRADICTS:
            where = f"{move.landed.sha[:8]}  {_short(move.unit.service, 120)}"
            text = f"TRAILERS AND CONTENT DIFFER in {where}: {_short(move.note, 240)}"
            console.print(Text(text, style="" if plain else "bold red"))


_COUNTED = (
    (Evidence.AGREES, "with trailers that agree"),
    (Evidence.EDIT, "by /traffic"),
    (Evidence.BY_HAND, "by hand"),
    (Evidence.CHANGED, "changed by hand before the merge"),
    (Evidence.UNREADABLE, "that cannot be read"),
    (Evidence.CONTRADICTS, "with trailers that the content contradicts"),
)


def _grouped(found: Iterable[Move]) -> list[list[Move]]:
    """Give the moves by service and rollout, in the order in which these began; others by service."""
    groups: dict[tuple[Unit, str], list[Move]] = {}
    for move in found:
        rollout = move.rollout.rollout if move.rollout is not None else ""
        groups.setdefault((move.unit, rollout), []).append(move)
    return list(groups.values())


def _title(move: Move) -> str:
    unit, rollout = move.unit, move.rollout
    where = _short(unit.path, 60) + (f", {_short(unit.route, 40)}" if unit.route else "")
    head = f"{_short(unit.name, 60)} ({where})"
    if rollout is None:
        return f"{head}, no rollout"
    names = f"{_short(rollout.stable, 80)} to {_short(rollout.candidate, 80)}"
    return f"{head}, rollout {_short(rollout.rollout, 80)}\n  {names}"


def _table(moved: Sequence[Move], *, plain: bool) -> Any:
    from rich.table import Table  # noqa: PLC0415 - only the table needs it
    from rich.text import Text  # noqa: PLC0415 - same

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="" if plain else "dim")
    table.add_column("  time (UTC)", no_wrap=True, min_width=18)
    table.add_column("from, to", overflow="fold", min_width=12)
    table.add_column("asked", overflow="fold", max_width=11)
    table.add_column("merged", overflow="fold", max_width=11)
    table.add_column("pull", justify="right", no_wrap=True)
    table.add_column("commit", no_wrap=True, min_width=8)
    table.add_column("evidence", no_wrap=True, min_width=8)
    for move in moved:
        cells = (
            f"  {move.landed.at:%Y-%m-%d %H:%M}",
            _share(move),
            _short(move.asked_by or "-", 39),
            _short(move.promoted_by or move.merged_by or "-", 39),
            f"#{move.pull}" if move.pull is not None else "-",
            move.landed.sha[:8],
        )
        word = Text(_WORDS[move.evidence], style="" if plain else _STYLES.get(move.evidence, "yellow"))
        table.add_row(*(Text(cell) for cell in cells), word)
    return table


def _notes(moved: Sequence[Move], *, plain: bool) -> Any:
    from rich.table import Table  # noqa: PLC0415 - only the table needs it
    from rich.text import Text  # noqa: PLC0415 - same

    notes = Table.grid(padding=(0, 2, 0, 0))
    notes.add_column(no_wrap=True, min_width=10)
    notes.add_column(overflow="fold")
    for move in moved:
        aside = f"Overridden: {', '.join(move.overrides)}." if move.overrides else ""
        note = " ".join(part for part in (move.note, aside, _grounds(move), _sentence(move.reason)) if part)
        if note:
            style = "" if plain or not move.note else _STYLES.get(move.evidence, "yellow")
            notes.add_row(f"  {move.landed.sha[:8]}", Text(_short(note, 240), style=style))
    return notes


def _grounds(move: Move) -> str:
    """Say what a move rests on besides its commits: a hand edit that was accepted, and what gates had answered."""
    adopted = move.record.adopted if move.record is not None else ""
    parts = [f"Adopted {adopted}."] if adopted else []
    return " ".join([*parts, *(f"Gate {one}." for one in move.measured)])


def _share(move: Move) -> str:
    before, after = move.weights
    if move.rollout is not None:
        shown = " to ".join("?" if share is None else str(share) for share in (before, after))
        return f"{shown} %{', rollback' if move.step == ROLLBACK else ''}"
    held = ({} if shares is None else shares for shares in (move.before, move.after))
    was, now = held
    names = [name for name in sorted({*was, *now}) if was.get(name, 0) != now.get(name, 0)]
    return "\n".join(
        f"{_short(name, 63)} {was.get(name, 0)} to {now.get(name, 0)} %" for name in names
    ) or _short(told(now), 63)


def _sentence(text: str) -> str:
    return f"“{text}”" if text else ""


def _short(text: str, longest: int) -> str:
    return show.one_line(text if len(text) <= longest else f"{text[: longest - 1]}…")
