"""What makes rules looser, and the organisation's file over a repository's.

Looser is what lets more happen, sooner, by fewer people, on less evidence. Where two ways cannot be compared, like
two queries, another one counts as looser: a lock is there so that nobody has to look.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core.problems import Place, Problem
from bot.core.rules.gate_rules import KINDS, WINDOW
from bot.core.rules.reading import adjusted
from bot.core.rules.values import CONFIG_PATH, OVERLAPS, ROLES, STOPPING, Config, RuleSet
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bot.core.rules.values import GateRule, Who

ALL = 100
_OF_RULES = ("auto", "on-fail", "gates")  # keys that change what a rule set says


def merge(
    organisation: Config, repository: Config, sets: Mapping[str, RuleSet]
) -> Config | tuple[Problem, ...]:
    """Put a repository's configuration over the organisation's.

    A key that the repository does not say is the organisation's. Permissions and gates go over by their names, and
    freezes are added. What the organisation locked may be made stricter, and not looser.

    Args:
        organisation: Of the ``.github`` repository.
        repository: Of the repository itself.
        sets: The rule sets of both, by id or path.

    Returns:
        The configuration that holds, or every place where the repository loosens what is locked.
    """
    problems = tuple(_problems(organisation, repository, sets))
    return problems or _over(organisation, repository)


def _over(organisation: Config, repository: Config) -> Config:
    said = {key for key in repository.origins if "." not in key}
    taken = {
        key.replace("-", "_"): getattr(organisation, key.replace("-", "_"))
        for key in (
            "rules",
            "timezone",
            "four-eyes",
            "auto",
            "on-fail",
            "overlap",
            "naming",
            "keep-previous",
            "domain",
            "labels",
            "reviewers",
        )
        if key not in said
    }
    named = {freeze.name for freeze in repository.freezes}
    return replace(
        repository,
        **taken,
        permissions={**organisation.permissions, **repository.permissions},
        gates={**organisation.gates, **repository.gates},
        freezes=(*(f for f in organisation.freezes if f.name not in named), *repository.freezes),
        locked=organisation.locked,
        origins={**organisation.origins, **repository.origins},
    )


def _problems(organisation: Config, repository: Config, sets: Mapping[str, RuleSet]) -> Iterator[Problem]:
    for key in organisation.locked:
        for path, why in dict.fromkeys(LOOSER[key](organisation, repository, sets)):
            origin = organisation.origins.get(key)
            place = repository.origins.get(path) or repository.origins.get(path.rpartition(".")[0])
            yield Problem(
                "config-invalid",
                f"The organisation locked {code(key)}{f' in {code(str(origin))}' if origin else ''}: {why}.",
                f"Remove {code(path)}, or make it stricter.",
                place or Place(CONFIG_PATH),
            )


# one definition for each key --------------------------------------------------------------------------


def looser_rules(old: RuleSet, new: RuleSet) -> tuple[str, ...]:
    """Say what a rule set allows that another one does not; empty when it is as strict.

    Both are compared at every weight: bake time, gates and their limits, the next stride; then what happens by itself.
    """
    told = dict.fromkeys((*_looser_steps(old, new), *_looser_gates(old, new)))
    if new.auto and not old.auto:
        told["it merges by itself"] = None
    if old.hold_on_early_merge and not new.hold_on_early_merge:
        told["it goes on after an early merge"] = None
    if old.on_fail == "rollback" and new.on_fail == "hold":
        told["it does not turn back when a gate fails"] = None
    return tuple(told)


def _looser_steps(old: RuleSet, new: RuleSet) -> Iterator[str]:
    for weight in sorted({1, *(s.weight for s in old.steps), *(s.weight for s in new.steps)} - {0, ALL}):
        if new.bake_at(weight) < old.bake_at(weight):
            yield f"it bakes shorter at {weight} %"
        for gate in old.gates_at(weight):
            if gate not in new.gates_at(weight):
                yield f"at {weight} % it does not ask the gate {code(gate)}"
    for weight in (0, *(s.weight for s in new.steps if s.weight < ALL)):
        theirs, ours = _next(new, weight), _next(old, weight)
        if theirs > ours:
            yield f"it goes from {weight} % to {theirs} %, and not to {ours} %"


def _looser_gates(old: RuleSet, new: RuleSet) -> Iterator[str]:
    for gate, rule in old.gates.items():
        if gate in new.gates:
            yield from (f"its gate {code(gate)} {why}" for why in _looser_gate(rule, new.gates[gate]))


def _next(rules: RuleSet, weight: int) -> int:
    return min((s.weight for s in rules.steps if s.weight > weight), default=ALL)


def _looser_gate(old: GateRule, new: GateRule) -> Iterator[str]:
    kinds = [next((k for k in KINDS if getattr(rule, k)), "") for rule in (old, new)]
    if kinds[0] != kinds[1]:
        yield f"is answered by {code(kinds[1])}, and not by {code(kinds[0])}"
        return
    for attribute, words in _OTHERS.items():
        if getattr(old, attribute) != getattr(new, attribute):
            yield words
    if (old.samples or old.count) and (old.samples, old.count) != (new.samples, new.count):
        yield "counts other samples"
    yield from _looser_limit(old, new)
    yield from _looser_signals(old, new)
    if new.min_requests < old.min_requests:
        yield f"needs {new.min_requests} requests instead of {old.min_requests}"
    if (new.window or WINDOW) < (old.window or WINDOW):
        yield "looks at a shorter window"
    if _NO_DATA.index(new.no_data) < _NO_DATA.index(old.no_data):
        yield f"says {code(new.no_data)} where there is no data, and not {code(old.no_data)}"
    if new.reviewers < old.reviewers:
        yield f"needs {new.reviewers} reviewers instead of {old.reviewers}"


def _looser_signals(old: GateRule, new: GateRule) -> Iterator[str]:
    if set(old.checks) - set(new.checks):
        yield f"does not ask for {' and '.join(code(c) for c in old.checks if c not in new.checks)}"
    if old.app and old.app != new.app:
        yield f"takes checks of others than {code(old.app)}"
    if old.environment and old.environment != new.environment:
        yield f"does not ask for a deployment to {code(old.environment)}"


_NO_DATA = ("pass", "wait", "fail")  # each stricter than the one before
_OTHERS = {
    "query": "asks another query",
    "server": "asks another server",
    "http": "asks another endpoint",
    "verdict": "takes the verdict from another place",
    "value": "takes the number from another place",
    "live": "asks somebody else what is live",
    "cluster": "asks another cluster",
    "namespace": "asks about another namespace",
    "object": "asks about another object",
}
"""What cannot be compared: another one counts as looser."""


def _looser_limit(old: GateRule, new: GateRule) -> Iterator[str]:
    ways = [next((w for w in ("compare", "max", "min") if _has(rule, w)), "") for rule in (old, new)]
    if ways[0] != ways[1]:
        yield f"has another limit: {new.limit or 'none'}, and not {old.limit or 'none'}"
    elif ways[0] == "compare":
        if new.tolerance > old.tolerance or new.slack > old.slack:
            yield f"has the limit {new.limit}, and not {old.limit}"
    elif (new.max or 0) > (old.max or 0):
        yield f"has the limit {new.max:g} instead of {old.max or 0:g}"
    elif (new.min or 0) < (old.min or 0):
        yield f"has the limit {new.min:g} instead of {old.min or 0:g}"


def _has(rule: GateRule, way: str) -> bool:
    return getattr(rule, way) not in {None, ""}


def _rules(
    organisation: Config, repository: Config, sets: Mapping[str, RuleSet]
) -> Iterator[tuple[str, str]]:
    """Compare what holds in the end: a key beside the rule set may loosen it as well."""
    whole = _over(organisation, repository)
    for name in ("", *repository.services):
        own = f"services.{name}.rules"
        path = own if own in repository.origins else "rules"
        if path not in repository.origins:
            path = next((key for key in _OF_RULES if key in repository.origins), "")
        followed, locked = sets.get(whole.rules_for(name)), sets.get(organisation.rules)
        if locked is None or followed is None:
            yield path, f"{code(whole.rules_for(name))} cannot be compared with {code(organisation.rules)}"
        elif found := looser_rules(adjusted(locked, organisation, ""), adjusted(followed, whole, name)):
            yield (
                path,
                f"{code(whole.rules_for(name))} is looser than {code(organisation.rules)}: {'; '.join(found)}",
            )


def _timezone(
    organisation: Config, repository: Config, _: Mapping[str, RuleSet]
) -> Iterator[tuple[str, str]]:
    if "timezone" in repository.origins and repository.timezone != organisation.timezone:
        yield "timezone", f"the zone is {code(organisation.timezone)}"


def covers(who: Iterable[Who], one: Who) -> bool:
    """Whether somebody who may is among others who may: named alike, or of a role that is high enough."""
    return any(
        other == one
        or (other.kind == one.kind == "role" and ROLES.index(other.name) <= ROLES.index(one.name))
        for other in who
    )


def _permissions(
    organisation: Config, repository: Config, _: Mapping[str, RuleSet]
) -> Iterator[tuple[str, str]]:
    held = {f"permissions.{verb}": (verb, who) for verb, who in repository.permissions.items()} | {
        f"services.{name}.permissions.{verb}": (verb, who)
        for name, one in repository.services.items()
        for verb, who in one.permissions.items()
    }
    for path, (verb, who) in held.items():
        ours = organisation.may(verb)
        if verb in STOPPING:
            lost = [one for one in ours if not covers(who, one)]
            if lost:
                yield path, f"{_people(lost)} may {code(verb)}, and would lose it"
        else:
            gained = [one for one in who if not covers(ours, one)]
            if gained:
                yield path, f"{_people(gained)} may not {code(verb)}"


def _people(who: Iterable[Who]) -> str:
    return " and ".join(code(str(one)) for one in who)


def _freezes(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    ours = {freeze.name: freeze for freeze in organisation.freezes}
    allows = any(freeze.kind == "allow" for freeze in organisation.freezes)
    for index, freeze in enumerate(repository.freezes):
        path = f"freezes.{index}.name"
        if freeze.name in ours:
            if freeze != ours[freeze.name]:
                yield path, f"the freeze {code(freeze.name)} is the organisation's, and this is another one"
        elif freeze.kind == "allow" and allows:
            yield path, f"the `allow` of {code(freeze.name)} adds to what the organisation allows"


def _gates(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    for name, rule in organisation.gates.items():
        other = repository.gates.get(name)
        if other is not None:
            for why in _looser_gate(rule, other):
                yield f"gates.{name}", f"the gate {code(name)} {why}"


def _four_eyes(
    organisation: Config, repository: Config, _: Mapping[str, RuleSet]
) -> Iterator[tuple[str, str]]:
    if not organisation.four_eyes:
        return
    if "four-eyes" in repository.origins and not repository.four_eyes:
        yield "four-eyes", "every step needs a second person"
    for name, one in repository.services.items():
        if one.four_eyes is False:
            yield f"services.{name}.four-eyes", "every step needs a second person"


def _auto(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    if organisation.auto is False and repository.auto:
        yield "auto", "a person merges each step"


def _on_fail(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    if organisation.on_fail == "rollback" and repository.on_fail == "hold":
        yield "on-fail", "a failing gate turns the rollout back"


def _overlap(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    if "overlap" in repository.origins and OVERLAPS.index(repository.overlap) < OVERLAPS.index(
        organisation.overlap
    ):
        yield "overlap", f"{code(repository.overlap)} is looser than {code(organisation.overlap)}"


def _naming(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    if "naming" in repository.origins and repository.naming != organisation.naming:
        yield "naming", f"names are made by {code(organisation.naming)}"


def _labels(organisation: Config, repository: Config, _: Mapping[str, RuleSet]) -> Iterator[tuple[str, str]]:
    lost = [one for one in organisation.labels if one not in repository.labels]
    if "labels" in repository.origins and lost:
        yield "labels", f"{', '.join(map(code, lost))} would be missing"


def _reviewers(
    organisation: Config, repository: Config, _: Mapping[str, RuleSet]
) -> Iterator[tuple[str, str]]:
    lost = [one for one in organisation.reviewers if one not in repository.reviewers]
    if "reviewers" in repository.origins and lost:
        yield "reviewers", f"{_people(lost)} would not be asked"


LOOSER: dict[str, Callable[[Config, Config, Mapping[str, RuleSet]], Iterator[tuple[str, str]]]] = {
    "rules": _rules,
    "timezone": _timezone,
    "permissions": _permissions,
    "freezes": _freezes,
    "gates": _gates,
    "four-eyes": _four_eyes,
    "auto": _auto,
    "on-fail": _on_fail,
    "overlap": _overlap,
    "naming": _naming,
    "labels": _labels,
    "reviewers": _reviewers,
}
"""What loosens each key that can be locked: the places in the repository's file, each with the reason."""
