"""``canary rules``: check the configuration, say what holds and where it is said, and play the calendar of a rollout.

Offline. All keys are read, also those that the service does not follow yet; standard error says which those are.
"""

from __future__ import annotations

import json
import stat
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bot.adapters.local_git import Git
from bot.adapters.rulebook import built_in
from bot.core.freezes import Override
from bot.core.problems import Declined, OutsideFailure, Place, Problem
from bot.core.rules import CONFIG_PATH, Checked, Config, check, named_files, read_config, read_rules
from bot.core.rules.calendar import calendar
from bot.core.rules.nodes import LARGEST_FILE, Faults
from bot.core.rules.nodes import read as read_nodes
from bot.core.rules.schema import CONFIG_SCHEMA, RULES_SCHEMA, schemas
from bot.core.rules.shapes import closest
from bot.core.rules.strictness import merge
from bot.core.rules.telling import explain, span
from bot.core.text import code, printable
from bot.entry import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bot.core.rules.calendar import Row

DECLINED, USAGE = 1, 2
ALL = 100
_YEARS = range(2000, 2200)
_EVER = datetime(2999, 1, 1, tzinfo=UTC)
SCHEMAS = {"config": CONFIG_SCHEMA, "rules": RULES_SCHEMA}


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which files. ``path`` is a file or a folder, ``None`` for the working tree around ``folder``."""

    folder: Path
    path: str | None = None
    organisation: str | None = None
    format: Format = Format.TEXT


# the doors -------------------------------------------------------------------------------------------


def run_list(form: Format) -> int:
    """Print the rule sets that come with the bot."""
    sets = built_in().sets
    if form is Format.JSON:
        show.out(
            json.dumps([{"id": s.id, "summary": s.summary, "why": s.why} for s in sets.values()], indent=2)
        )
        return 0
    width = max(map(len, sets))
    for rules in sets.values():
        show.out(f"{rules.id:<{width}}  {rules.summary}")
    show.talk("`canary rules check`, `explain` and `simulate` work on .github/canary.yaml.")
    return 0


def run_schema(which: str) -> int:
    """Print the JSON Schema of the configuration or of a rule set."""
    sys.stdout.write(schemas(tuple(built_in().sets))[SCHEMAS[which]])
    return 0


def run_check(asked: Asked) -> int:
    """Print all problems; exit status 1 where there are any."""
    checked = _load(asked)
    if asked.format is Format.JSON:
        show.out(json.dumps([_as_json(problem) for problem in checked.problems], indent=2))
    else:
        _print(checked.problems, to_standard_output=True)
    if checked.problems:
        count = len(checked.problems)
        show.talk(f"{count} problem{'s' if count != 1 else ''}.")
        return DECLINED
    _say_what_is_planned(asked)
    show.talk("No problems.")
    return 0


def run_explain(asked: Asked, service: str | None) -> int:
    """Print every rule with its value and where it is said."""
    checked = _load(asked)
    if checked.config is None:
        _print(checked.problems)
        return DECLINED
    _hint(checked.config, service)
    rules = explain(checked, service)
    if asked.format is Format.JSON:
        show.out(
            json.dumps([{"rule": r.name, "value": r.value, "origin": r.origin} for r in rules], indent=2)
        )
        return 0
    _print_table([(r.name, printable(r.value), r.origin) for r in rules])
    return 0


def run_simulate(
    asked: Asked, service: str | None, start: str | None, steps: Sequence[int], lifted: Sequence[str]
) -> int:
    """Print the calendar of a rollout; exit status 1 where a freeze has no end in sight."""
    checked = _load(asked)
    if checked.config is None:
        _print(checked.problems)
        return DECLINED
    config = checked.config
    names = [freeze.name for freeze in config.freezes]
    wrong = _wrong_use(steps, [name for name in lifted if name not in names], names)
    zone = ZoneInfo(config.timezone)
    at = _moment(start, zone)
    if at is None:
        wrong = f"--from {start!r} is no time between 2000 and 2199; write it like 2026-03-06T09:00."
    if wrong or at is None:
        show.talk(f"canary rules simulate: {wrong}")
        return USAGE
    _hint(config, service)
    rules = checked.rules_of(service or "")
    overrides = [Override(name, _EVER) for name in lifted]
    rows = calendar(rules, config.freezes, at, service or "", weights=steps or None, overrides=overrides)
    if asked.format is Format.JSON:
        show.out(json.dumps(_calendar_json(rows, service, rules.id, config.timezone, zone), indent=2))
    else:
        show.out(f"{printable(service or 'A service')} under {rules.id}; times in {config.timezone}.")
        _print_table([("share", "earliest", "waits for"), *(_calendar_row(row, zone) for row in rows)])
    if rows[-1].at is None:
        show.talk("The rollout does not end: nothing opens within 400 days.")
        return DECLINED
    return 0


# reading ---------------------------------------------------------------------------------------------


def _load(asked: Asked) -> Checked:
    """Read the repository's file, the organisation's, and the rule sets that they name."""
    sets = built_in().sets
    ours = Checked(Config(), sets)
    place, root, shown = _where(asked)
    text = _text(place, shown, must=asked.path is not None)
    if isinstance(text, Problem):
        ours = Checked(None, sets, (text,))
    elif text is None:
        show.talk(f"There is no {show.one_line(shown)}: everything has its default.")
    elif _is_rule_set(text, shown):
        return _rule_set(text, shown)
    else:
        files = {path: _inside(root, path) for path in named_files(text)}
        ours = check(text, sets, path=shown, files=files)
    if asked.organisation is None:
        return ours
    return _with_organisation(asked.folder, asked.organisation, ours)


def _with_organisation(folder: Path, name: str, ours: Checked) -> Checked:
    text = _text(folder / name, name, must=True)
    if not isinstance(text, str):
        problems = () if text is None else (text,)
        return Checked(None, ours.sets, (*problems, *ours.problems))
    theirs = check(text, built_in().sets, path=name, organisation=True)
    if theirs.config is None or ours.config is None:
        return Checked(None, ours.sets, (*theirs.problems, *ours.problems))
    merged = merge(theirs.config, ours.config, ours.sets)
    return replace(ours, config=merged) if isinstance(merged, Config) else Checked(None, ours.sets, merged)


def _where(asked: Asked) -> tuple[Path, Path, str]:
    """Give the file, the root that its paths start from, and what it is called."""
    named = asked.folder / (asked.path or "")
    if asked.path is not None and not named.is_dir():
        beside = named.resolve()
        is_usual = beside.parent.name == ".github"
        return named, beside.parents[1] if is_usual else _top(beside.parent), asked.path
    root = named if asked.path is not None else _top(named)
    shown = CONFIG_PATH if asked.path in {None, "."} else f"{str(asked.path).rstrip('/')}/{CONFIG_PATH}"
    return root / CONFIG_PATH, root, shown


def _top(folder: Path) -> Path:
    try:
        git = Git.around(folder)
    except (OutsideFailure, OSError):
        return folder
    return folder if git is None else git.top


def _text(place: Path, shown: str, *, must: bool) -> str | Problem | None:
    """Give a file's text, why not, or ``None`` where there is none and need not be."""
    where = Place(shown)
    try:
        if not stat.S_ISREG(place.stat().st_mode):
            return Problem("path-refused", f"{code(shown)} is no plain file.", "Name the file itself.", where)
        with place.open("rb") as file:
            content = file.read(4 * LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        missing = Problem("file-missing", f"There is no file {code(shown)}.", "Look at the spelling.", where)
        return missing if must else None
    except OSError as error:
        return Problem("path-refused", f"{code(shown)} cannot be read: {error.strerror}.", "", where)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        said = "The file is not UTF-8."
        return Problem("config-invalid", said, "Save it as UTF-8.", Place(shown, line))


def _inside(root: Path, path: str) -> str | None:
    """Give a rule set of the repository, ``None`` where it is not there, no plain file, or a way out of it."""
    place = root / path
    try:
        inside = place.parent.resolve().is_relative_to(root.resolve()) and not place.is_symlink()
    except (OSError, ValueError):
        return None
    text = _text(place, path, must=False) if inside else None
    return text if isinstance(text, str) else None


def _is_rule_set(text: str, shown: str) -> bool:
    """Whether a file is a rule set, by its keys, or by its name where it has none."""
    root = read_nodes(text, Faults(shown))
    keys = {key.value for key, _ in root.pairs} if root is not None else set()
    return "steps" in keys and "version" not in keys


def _rule_set(text: str, shown: str) -> Checked:
    try:
        rules = read_rules(text, shown)
    except Declined as declined:
        return Checked(None, {}, declined.problems)
    return Checked(Config(rules=shown), {**built_in().sets, shown: rules})


# telling ---------------------------------------------------------------------------------------------


def _say_what_is_planned(asked: Asked) -> None:
    """Name the keys that the service refuses in this version."""
    place, _, shown = _where(asked)
    text = _text(place, shown, must=False)
    if not isinstance(text, str) or _is_rule_set(text, shown):
        return
    try:
        read_config(text, built_in().ids)
    except Declined as declined:
        for problem in declined.problems:
            line = f":{problem.place.line}" if problem.place is not None else ""
            show.talk(f"Note: {show.one_line(shown)}{line}: {problem.message}")


def _hint(config: Config, service: str | None) -> None:
    if service is not None and service not in config.services:
        close = closest(service, config.services)
        meant = f" Did you mean {close}?" if close else ""
        show.talk(f"Nothing is said of {show.one_line(service)}; the rules of all hold.{meant}")


def _print(problems: Iterable[Problem], *, to_standard_output: bool = False) -> None:
    say = show.out if to_standard_output else show.talk
    for problem in problems:
        say(f"{show.one_line(str(problem.place or Place()))}: {problem.code}: {problem.message}")
        if problem.remedy:
            say(f"    {problem.remedy}")


def _as_json(problem: Problem) -> dict[str, Any]:
    place = problem.place or Place()
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "code": problem.code,
        "message": problem.message,
        "remedy": problem.remedy,
    }


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under each other; the last column is as long as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        show.out("  ".join([*cells, row[-1]]).rstrip())


# the calendar ----------------------------------------------------------------------------------------


def _moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Read a time; one without an offset is in the configuration's zone. ``None``: it is none."""
    if text is None:
        return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year in _YEARS else None


def _wrong_use(steps: Sequence[int], unknown: Sequence[str], names: Sequence[str]) -> str:
    if steps and (list(steps) != sorted(set(steps)) or steps[-1] != ALL or steps[0] < 0):
        return "the steps rise from 0 or more, and the last one is 100."
    if unknown:
        return f"there is no freeze {unknown[0]!r}; there {'are' if names else 'is'} {', '.join(names) or 'none'}."
    return ""


def _calendar_row(row: Row, zone: ZoneInfo) -> tuple[str, ...]:
    waits = [f"{span(row.bake)} bake"] if row.bake else []
    waits += [f"{span(row.window)} of figures"] if row.window > row.bake else []
    waits += list(row.gates)
    waits += [f"freeze {one.name} from {_clock(row.ready, zone)}" for one in row.frozen]
    waits += [] if row.alone else ["a person"]
    return (f"{row.weight} %", _clock(row.at, zone), ", ".join(waits) or "nothing")


def _clock(at: datetime | None, zone: ZoneInfo) -> str:
    # The offset tells the two hours apart that a clock shows twice.
    return "not in sight" if at is None else at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %z")


def _calendar_json(
    rows: Sequence[Row], service: str | None, rules: str, name: str, zone: ZoneInfo
) -> dict[str, Any]:
    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(zone).isoformat()

    steps = [
        {
            "weight": row.weight,
            "at": moment(row.at),
            "ready": moment(row.ready),
            "bake-seconds": round(row.bake.total_seconds()),
            "gates": list(row.gates),
            "frozen": [
                {"name": one.name, "until": moment(one.until), "origin": str(one.origin or "")}
                for one in row.frozen
            ],
            "alone": row.alone,
        }
        for row in rows
    ]
    return {"service": service, "rules": rules, "timezone": name, "steps": steps}
