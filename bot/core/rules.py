"""Rule sets and the repository's configuration, as checked values.

A rule set says which weights a rollout passes, and how long each must have held before
the next. All problems of a file are reported together, each with its line. Durations are
written with their unit (``30m``, ``2h``).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytimeparse2 import parse as parse_duration
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bot.core.problems import Declined, Place, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONFIG_PATH = ".github/canary.yaml"
LARGEST_FILE = 64 * 1024
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One weight of a rule set, whole percent, and the bake time before the next."""

    weight: int
    bake: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """How a rollout goes on.

    ``auto`` merges a step as soon as its gate passes. ``hold_on_early_merge`` stops the rollout
    when a person merges a step before its bake time is over.
    """

    id: str
    summary: str
    why: str
    steps: tuple[Step, ...]
    auto: bool = False
    hold_on_early_merge: bool = True
    examples: tuple[Mapping[str, Any], ...] = ()

    def steps_from(self, weight: int) -> tuple[int, ...]:
        """Give the weights of a rollout that begins at ``weight``; they rise to 100."""
        return (weight, *(s.weight for s in self.steps if s.weight > weight))

    def bake_at(self, weight: int) -> timedelta:
        """Give how long a weight must hold: that of the nearest step of the set not above it.

        At 0 % there is nothing to learn from waiting: a person looks at the preview and promotes.
        """
        if weight == 0:
            return timedelta(0)
        below = [s for s in self.steps if s.weight <= weight]
        return (below[-1] if below else self.steps[0]).bake


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """What ``services.NAME`` says. ``route`` is a rule's name or place, for a mesh or gateway object."""

    file: str | None = None
    rules: str | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """``.github/canary.yaml`` of a repository; all of it has a default."""

    rules: str = "standard"
    services: Mapping[str, ServiceConfig] = field(default_factory=dict)

    def of(self, service: str) -> ServiceConfig:
        """Give what is said of one service, or nothing."""
        return self.services.get(service, ServiceConfig())

    def rules_for(self, service: str) -> str:
        """Give the id of the rule set that a service follows."""
        return self.of(service).rules or self.rules


# Keys that the contract names and this version cannot follow yet. Saying so beats ignoring them:
# who writes ``freezes`` relies on it.
_NOT_YET = frozenset(
    {"timezone", "permissions", "freezes", "gates", "defaults", "overlap", "naming", "on-fail", "labels"}
)


class _Reader:
    """Collects the problems of one YAML file while its values are read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def fail(self, message: str, at: Any = None, key: Any = None, remedy: str = "") -> None:
        line = column = None
        marks = getattr(at, "lc", None)
        if marks is not None:
            where = marks.data.get(key) if marks.data and key in marks.data else (marks.line, marks.col)
            line, column = where[0] + 1, where[1] + 1
        self.problems.append(Problem("config-invalid", message, remedy, Place(self.path, line, column)))

    def mapping(
        self, value: Any, keys: Mapping[str, Callable[[Any, Any, str], Any]], what: str
    ) -> dict[str, Any]:
        """Read the known keys of a mapping; an unknown key is a problem with a suggestion."""
        if not isinstance(value, dict):
            self.fail(f"{what} must be a mapping.", value)
            return {}
        result = {}
        for key, held in value.items():
            if key in keys:
                result[key] = keys[key](held, value, key)
            elif key in _NOT_YET:
                self.fail(f"{code(str(key))} is planned; this version cannot follow it.", value, key)
            else:
                close = difflib.get_close_matches(str(key), list(keys), n=1)
                hint = f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(map(code, keys))}."
                self.fail(f"Unknown key {code(str(key))}.", value, key, hint)
        return result

    def text(self, value: Any, at: Any, key: str) -> str:
        if not isinstance(value, str) or not value:
            self.fail(f"`{key}` must be a text.", at, key)
            return ""
        return value

    def flag(self, value: Any, at: Any, key: str) -> bool:
        if not isinstance(value, bool):
            self.fail(f"`{key}` must be `true` or `false`.", at, key)
            return False
        return value

    def version(self, value: Any, at: Any, key: str) -> int:
        if value != 1 or isinstance(value, bool):
            self.fail(f"`{key}` must be 1.", at, key)
        return 1

    def choice(self, *allowed: str) -> Callable[[Any, Any, str], str]:
        def read(value: Any, at: Any, key: str) -> str:
            if value not in allowed:
                self.fail(f"`{key}` must be one of {', '.join(map(code, allowed))}.", at, key)
                return allowed[0]
            return str(value)

        return read

    def duration(self, value: Any, at: Any, key: str) -> timedelta:
        seconds = parse_duration(value) if isinstance(value, str) and value[:1].isdigit() else None
        if not isinstance(seconds, int) or seconds < 0:
            self.fail(f"`{key}` must be a duration with its unit.", at, key, "Write `30m`, `2h` or `0m`.")
            return timedelta(0)
        return timedelta(seconds=seconds)


def _load(text: str, reader: _Reader) -> Any:
    if len(text) > LARGEST_FILE:
        reader.fail(f"The file is larger than {LARGEST_FILE // 1024} KiB.")
        return None
    yaml = YAML(typ="rt", pure=True)
    yaml.max_depth = _DEEPEST
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(reader.path, mark.line + 1, mark.column + 1) if mark else Place(reader.path)
        duplicate = "duplicate key" in (error.problem or "")
        said = (
            "A key stands twice; nothing runs until that is fixed."
            if duplicate
            else "This is not valid YAML."
        )
        reader.problems.append(Problem("config-invalid", said, str(error.problem or ""), place))
    except (YAMLError, RecursionError, ValueError):
        reader.fail("This is not valid YAML.")
    return None


def read_rules(text: str, path: str) -> RuleSet:
    """Read a rule set; ``path`` is its file, whose stem is its id.

    Raises:
        Declined: ``config-invalid``, one problem for each fault of the file.
    """
    reader = _Reader(path)
    data = _load(text, reader)
    values: dict[str, Any] = {}
    if data is not None or not reader.problems:
        keys = {
            "id": reader.text,
            "summary": reader.text,
            "why": reader.text,
            "steps": lambda v, at, key: _read_steps(reader, v, at, key),
            "auto": reader.flag,
            "on-early-merge": reader.choice("hold", "continue"),
            "examples": lambda v, at, key: _read_examples(reader, v, at, key),
        }
        values = reader.mapping(data, keys, "A rule set")
        for key in ("id", "summary", "why", "steps"):
            if key not in values and not reader.problems:
                reader.fail(f"`{key}` is missing.", data)
        stem = path.rpartition("/")[2].partition(".")[0]
        if values.get("id") and values["id"] != stem:
            reader.fail(f"`id` is {code(values['id'])}, the file's name says {code(stem)}.", data, "id")
    if reader.problems:
        raise Declined(*reader.problems)
    return RuleSet(
        id=values["id"],
        summary=values["summary"],
        why=values["why"].strip(),
        steps=values["steps"],
        auto=values.get("auto", False),
        hold_on_early_merge=values.get("on-early-merge", "hold") == "hold",
        examples=values.get("examples", ()),
    )


def _read_steps(reader: _Reader, value: Any, at: Any, key: str) -> tuple[Step, ...]:
    if not isinstance(value, list) or not value:
        reader.fail("`steps` must be a list of steps.", at, key)
        return ()
    steps: list[Step] = []
    for item in value:
        keys = {"weight": lambda v, _at, _key: v, "bake": reader.duration}
        step = reader.mapping(item, keys, "A step")
        weight = step.get("weight")
        if not isinstance(weight, int) or isinstance(weight, bool) or not 1 <= weight <= 100:  # noqa: PLR2004
            reader.fail("`weight` must be a whole number from 1 to 100.", item, "weight")
        elif "weight" in step:
            steps.append(Step(weight, step.get("bake", timedelta(0))))
    weights = [s.weight for s in steps]
    if weights != sorted(set(weights)) or (weights and weights[-1] != 100):  # noqa: PLR2004
        reader.fail("The weights must rise, and the last one must be 100.", at, key)
    return tuple(steps)


def _read_examples(reader: _Reader, value: Any, at: Any, key: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list):
        reader.fail("`examples` must be a list.", at, key)
        return ()
    keys: dict[str, Callable[[Any, Any, str], Any]] = {
        "candidate": lambda v, _at, _key: v,
        "baked": reader.duration,
        "next": lambda v, _at, _key: v,
    }
    return tuple(reader.mapping(item, keys, "An example") for item in value)


def read_config(text: str, known_rules: tuple[str, ...]) -> Config:
    """Read ``.github/canary.yaml``.

    Raises:
        Declined: ``config-invalid``, one problem for each fault of the file.
    """
    reader = _Reader(CONFIG_PATH)
    data = _load(text, reader)
    if reader.problems:
        raise Declined(*reader.problems)

    def rules(value: Any, at: Any, key: str) -> str:
        return _read_rules_id(reader, known_rules, value, at, key)

    def service(value: Any, key: str) -> ServiceConfig:
        keys = {"file": reader.text, "rules": rules, "route": reader.text}
        return ServiceConfig(**reader.mapping(value, keys, f"`services.{key}`"))

    def services(value: Any, at: Any, key: str) -> dict[str, ServiceConfig]:
        if not isinstance(value, dict):
            reader.fail("`services` must be a mapping.", at, key)
            return {}
        return {str(name): service(held, str(name)) for name, held in value.items()}

    keys = {"version": reader.version, "rules": rules, "services": services}
    values = reader.mapping({} if data is None else data, keys, f"`{CONFIG_PATH}`")
    if "version" not in values and not reader.problems:
        reader.fail("`version: 1` is missing.", data)
    if reader.problems:
        raise Declined(*reader.problems)
    return Config(values.get("rules", "standard"), values.get("services", {}))


def _read_rules_id(reader: _Reader, known: tuple[str, ...], value: Any, at: Any, key: str) -> str:
    if value in known:
        return str(value)
    close = difflib.get_close_matches(str(value), known, n=1)
    remedy = f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(map(code, known))}."
    reader.fail(f"There is no rule set {code(str(value))}.", at, key, remedy)
    return known[0]
