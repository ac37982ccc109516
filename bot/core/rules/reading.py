"""Rule sets and configurations from their text; all problems of a file at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.core.freezes import next_opening
from bot.core.problems import Declined, Place
from bot.core.rules import nodes
from bot.core.rules.composite import Record
from bot.core.rules.keys import ALL, CONFIG_FIELDS, LOCKED, RULES_FIELDS
from bot.core.rules.shapes import BROKEN, At, Reading
from bot.core.rules.values import CONFIG_PATH, DEFAULT_ROLES, ROLES, Config, RuleSet, Who
from bot.core.rules.words import is_zone
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.core.freezes import Freeze
    from bot.core.problems import Problem
    from bot.core.rules.nodes import Node

_STANDARD = "standard"
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # freezes are tried for the 400 days from here
_MOST_GROUPS = 10  # of services that have the same freezes
_GOING_ON = ("promote", "canary", "resume")
_OF_RULES = ("auto", "on-fail", "gates")  # keys of a configuration that change what a rule set says


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration that was read with all its keys, and the rule sets that it may use.

    ``config`` is ``None`` where there are problems. ``sets`` are by id, those of the repository by path.
    """

    config: Config | None
    sets: Mapping[str, RuleSet] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def rules_of(self, service: str) -> RuleSet:
        """Give the rule set that a service follows, with what the configuration changes of it."""
        config = self.config or Config()
        return adjusted(self.sets[config.rules_for(service)], config, service)


def adjusted(rules: RuleSet, config: Config, service: str) -> RuleSet:
    """Give a rule set with a configuration's gates, ``auto`` and ``on-fail`` for one service."""
    more = config.of(service).gates
    steps = tuple(
        step
        if step.weight in {0, ALL}
        else type(step)(step.weight, step.bake, tuple(dict.fromkeys((*step.gates, *more))))
        for step in rules.steps
    )
    said = {
        key: place
        for key, place in config.origins.items()
        if key.partition(".")[0] in _OF_RULES or key == f"services.{service}.gates"
    }
    return replace(
        rules,
        steps=steps,
        auto=rules.auto if config.auto is None else config.auto,
        gates={**rules.gates, **config.gates},
        on_fail=config.on_fail or rules.on_fail,
        keep_previous=config.keep_previous,
        origins={**rules.origins, **said},
    )


def read_rules(text: str, path: str) -> RuleSet:
    """Read a rule set; ``path`` is its file, whose stem is its id.

    Raises:
        Declined: ``config-invalid``, one problem for each fault of the file.
    """
    faults = nodes.Faults(path)
    reading = Reading(faults)
    root = nodes.read(text, faults)
    values = _root(reading, root, Record("A rule set", RULES_FIELDS), "A rule set")
    _check_rules(values, root, reading)
    stem = path.rpartition("/")[2].partition(".")[0]
    if values.get("id") and values["id"] != stem:
        said = f"`id` is {code(values['id'])}, the file's name says {code(stem)}."
        faults.add(said, reading.origins.get("id"), f"Write `id: {stem}`, or rename the file.")
    if faults.problems:
        raise Declined(*faults.in_order())
    return RuleSet(
        id=values["id"],
        summary=values["summary"],
        why=values["why"].strip(),
        steps=values["steps"],
        auto=values.get("auto", False),
        hold_on_early_merge=values.get("on-early-merge", "hold") == "hold",
        examples=values.get("examples", ()),
        gates=values.get("gates", {}),
        on_fail=values.get("on-fail", "hold"),
        origins=reading.origins,
    )


def read_config(text: str, known_rules: tuple[str, ...]) -> Config:
    """Read ``.github/canary.yaml`` alone, as the service does: keys that it does not follow yet are problems.

    Nobody looks whether the rule sets are there that it names by their paths; ``check`` does.

    Raises:
        Declined: ``config-invalid``, one problem for each fault of the file.
    """
    faults = nodes.Faults(CONFIG_PATH)
    config = _config(text, Reading(faults, known_rules, for_service=True))
    if faults.problems:
        raise Declined(*faults.in_order())
    return config


def check(
    text: str,
    sets: Mapping[str, RuleSet],
    *,
    path: str = CONFIG_PATH,
    files: Mapping[str, str | None] | None = None,
    organisation: bool = False,
    for_service: bool = False,
) -> Checked:
    """Read a configuration with all its keys, and the rule sets of the repository that it names.

    Args:
        text: The file.
        sets: The rule sets that come with the bot, by id, the default first.
        path: What problems call the file.
        files: The rule sets of the repository that ``named_files`` asks for, ``None`` for one that is not there.
        organisation: It is the organisation's file, which may have ``locked`` and no ``services``.
        for_service: What the service does not follow yet is a problem.
    """
    faults = nodes.Faults(path)
    reading = Reading(faults, tuple(sets), for_service=for_service, organisation=organisation)
    config = _config(text, reading)
    found = dict(sets)
    told: list[Problem] = []
    for named, place in _named(config):
        if organisation:
            remedy = f"Name one of {', '.join(map(code, sets))}: each repository would look for its own file."
            faults.add("An organisation's file has no path of a rule set.", place, remedy)
            continue
        held = (files or {}).get(named)
        if held is None:
            remedy = "Look at the spelling; the path starts at the root of the repository."
            faults.add(f"There is no file {code(named)}.", place, remedy)
            continue
        try:
            rules = read_rules(held, named)
        except Declined as declined:
            told += declined.problems
            continue
        found[named] = rules
    _check_gates(config, found, reading)
    problems = (*faults.in_order(), *dict.fromkeys(told))
    return Checked(None if problems else config, found, problems)


def named_files(text: str) -> tuple[str, ...]:
    """Give the paths of the rule sets that a configuration names, whatever else is wrong with it."""
    faults = nodes.Faults(CONFIG_PATH)
    return tuple(dict.fromkeys(path for path, _ in _named(_config(text, Reading(faults, (_STANDARD,))))))


def _named(config: Config) -> Iterable[tuple[str, Place | None]]:
    uses = {"rules": config.rules} | {
        f"services.{name}.rules": one.rules for name, one in config.services.items() if one.rules
    }
    for key, name in uses.items():
        if "/" in name:
            yield name, config.origins.get(key)


def _root(reading: Reading, root: Node | None, record: Record, what: str) -> dict[str, Any]:
    """Read the outermost mapping; an empty file is one without keys."""
    if reading.faults.problems and root is None:
        return {}
    place = Place(reading.faults.path, 1, 1)
    if root is None or (root.kind == "scalar" and root.value is None):
        root = nodes.Node("mapping", place)
    if root.kind not in {"mapping", "broken"}:
        reading.faults.add(f"{what} must be a mapping.", root.place, "Write `key: value` lines.")
        return {}
    values = record.read(reading, root, At("", place, ""))
    return {} if values is BROKEN else values


# rule sets --------------------------------------------------------------------------------------------


def _check_rules(values: dict[str, Any], root: Node | None, reading: Reading) -> None:
    """Tell what is wrong between the keys of a rule set."""
    faults, origins = reading.faults, reading.origins
    steps = values.get("steps", ())
    written = {key.value: value for key, value in root.pairs} if root is not None else {}
    # A step that is broken is told; whether the others rise is not known then.
    if "steps" in values and len(steps) == len(written["steps"].items):
        weights = [step.weight for step in steps]
        if weights != sorted(set(weights)) or weights[-1] != ALL:
            remedy = f"Got {', '.join(map(str, weights))}; write for example 5, 25, 50, 100."
            faults.add("The weights must rise, and the last one must be 100.", origins.get("steps"), remedy)
    known = [key.value for key, _ in written["gates"].pairs] if "gates" in written else []
    for index, step in enumerate(steps):
        for gate in step.gates:
            if gate not in known:
                place = origins.get(f"steps.{index}.gates", origins.get("steps"))
                remedy = f"Add it under `gates:`, which has {', '.join(map(code, known)) or 'none'}."
                faults.add(f"No gate {code(gate)} is defined.", place, remedy)


# configurations ---------------------------------------------------------------------------------------


def _config(text: str, reading: Reading) -> Config:
    root = nodes.read(text, reading.faults)
    reading.zone = _zone(root)
    what = code(reading.faults.path)
    values = _root(reading, root, Record(what, (*CONFIG_FIELDS, LOCKED)), what)
    made = {key.replace("-", "_"): value for key, value in values.items() if key != "version"}
    config = Config(**({"rules": next(iter(reading.known_rules), _STANDARD)} | made), origins=reading.origins)
    _check_config(config, reading)
    return config


def _zone(root: Node | None) -> str:
    """Give the file's zone ahead of the keys that need it."""
    for key, value in root.pairs if root is not None else ():
        if key.value == "timezone" and isinstance(value.value, str) and is_zone(value.value):
            return value.value
    return "UTC"


def _check_config(config: Config, reading: Reading) -> None:
    faults, origins = reading.faults, config.origins
    if "locked" in origins and not reading.organisation:
        remedy = "It belongs into the organisation's `.github` repository."
        faults.add("`locked` has no meaning in a repository's own file.", origins["locked"], remedy)
    if "services" in origins and reading.organisation:
        remedy = "Name them in the repository that holds them."
        faults.add("An organisation's file has no `services`.", origins["services"], remedy)
    for key in config.locked if reading.organisation else ():
        if key not in origins:
            said = f"`{key}` is locked, and this file does not say it."
            faults.add(said, origins["locked"], f"Add `{key}:`, or take it from `locked`.")
    _check_freezes(config.freezes, reading)
    for service in (None, *config.services):
        _check_stopping(config, service, reading)


def _check_freezes(freezes: tuple[Freeze, ...], reading: Reading) -> None:
    first: dict[str, Freeze] = {}
    for freeze in freezes:
        if freeze.name in first:
            said = f"There are two freezes called `{freeze.name}`."
            reading.faults.add(said, freeze.origin, "Give each its own name: overrides and replies use it.")
        first.setdefault(freeze.name, freeze)
    named = sorted({service for freeze in freezes for service in freeze.services})
    groups = {tuple(f for f in freezes if f.holds_for(service)): service for service in ("", *named)}
    for group, service in list(groups.items())[:_MOST_GROUPS]:
        if group and _never_opens(group, service):
            whom = code(service) if service else "a rollout"
            said = f"The freezes leave no time in which {whom} could go on."
            remedy = "Make one of them shorter; a `deny` wins over an `allow`."
            reading.faults.add(said, reading.origins.get("freezes"), remedy)
            break


def _never_opens(freezes: tuple[Freeze, ...], service: str) -> bool:
    ended = [f.rule.until for f in freezes if f.kind == "allow" and f.rule.until is not None]
    begun = max((f.rule.anchor for f in freezes if f.rule.anchored), default=_SOME_DAY.date())
    start = max(_SOME_DAY, datetime(begun.year, begun.month, begun.day, tzinfo=UTC) - timedelta(days=1))
    return not ended and next_opening(freezes, start, service) is None


def _check_stopping(config: Config, service: str | None, reading: Reading) -> None:
    """Tell where a role may go on and may not stop."""
    own = config.permissions if service is None else config.of(service).permissions
    prefix = "permissions" if service is None else f"services.{service}.permissions"
    for verb in ("rollback", "hold"):
        for other in _GOING_ON:
            if not {verb, other} & own.keys():
                continue
            lowest = _lowest(config.may(other, service))
            if lowest is None or _covers(config.may(verb, service), lowest):
                continue
            key = verb if verb in own else other
            said = f"The role {lowest} may `{other}` and may not `{verb}`: stopping must not need more."
            remedy = f"Add `{lowest}` to `{verb}`, for example `{verb}: [{DEFAULT_ROLES[verb]}]`."
            reading.faults.add(said, config.origins.get(f"{prefix}.{key}"), remedy)
            break


def _lowest(who: tuple[Who, ...]) -> str | None:
    roles = [one.name for one in who if one.kind == "role"]
    return min(roles, key=ROLES.index, default=None)


def _covers(who: tuple[Who, ...], role: str) -> bool:
    lowest = _lowest(who)
    return lowest is not None and ROLES.index(lowest) <= ROLES.index(role)


def _check_gates(config: Config, sets: Mapping[str, RuleSet], reading: Reading) -> None:
    for name, service in config.services.items():
        rules = sets.get(config.rules_for(name))
        meant = f"services.{name}.rules" if f"services.{name}.rules" in reading.origins else "rules"
        if rules is None or meant in reading.broken:
            continue  # which one is meant is told to be unknown
        known = {**rules.gates, **config.gates}
        for gate in service.gates:
            if gate not in known:
                reading.faults.add(
                    f"{code(name)} names the gate {code(gate)}, and nothing defines it.",
                    config.origins.get(f"services.{name}.gates"),
                    f"Add it under `gates:`. The rule set {code(rules.id)} has: {', '.join(rules.gates) or 'none'}.",
                )
