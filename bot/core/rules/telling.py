"""A configuration in words: where each rule comes from, and what a change of it changes for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.recurrence import in_words
from bot.core.rules.strictness import looser_rules
from bot.core.rules.values import DEFAULT_ROLES
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    from bot.core.freezes import Freeze
    from bot.core.problems import Place
    from bot.core.rules.reading import Checked
    from bot.core.rules.values import Config, RuleSet, Who

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
DEFAULT = "default"


def span(duration: timedelta) -> str:
    """Give a duration as people say it: ``1 h 30 min``."""
    seconds, parts = round(duration.total_seconds()), []
    for unit, size in _UNITS:
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts) or "0 min"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that holds, with its value in words, and where it is said: ``file:line``, or ``default``."""

    name: str
    value: str
    origin: str


def explain(checked: Checked, service: str | None = None) -> tuple[Rule, ...]:
    """Give every rule that holds for a service, or for one that nothing is said of."""
    config = checked.config
    if config is None:
        return ()
    own = f"services.{service}." if service is not None else "\0"
    name = service or ""
    rules = checked.rules_of(name)

    def where(key: str) -> str:
        return _line(config.origins.get(own + key) or config.origins.get(key))

    def of_rules(key: str) -> str:
        return _line(rules.origins.get(key))

    made = [Rule("rules", config.rules_for(name), where("rules"))]
    if service is not None:
        said = config.of(service)
        made += [
            Rule(key, value, where(key))
            for key, value in (("file", said.file), ("route", said.route))
            if value
        ]
    made.append(Rule("steps", ", ".join(f"{s.weight} %" for s in rules.steps), of_rules("steps")))
    for index, step in enumerate(rules.steps[:-1]):
        if step.weight:
            more = ", ".join(step.gates)
            value = span(step.bake) + (f", then {more}" if more else "")
            made.append(Rule(f"bake at {step.weight} %", value, of_rules(f"steps.{index}.weight")))
    used = dict.fromkeys(gate for step in rules.steps for gate in step.gates)
    for gate in used:
        origin = config.origins.get(f"gates.{gate}") or rules.origins.get(f"gates.{gate}")
        made.append(Rule(f"gate {gate}", str(rules.gates[gate]), _line(origin)))
    made.append(
        Rule("auto", _yes(rules.auto), where("auto") if config.auto is not None else of_rules("auto"))
    )
    early = "hold" if rules.hold_on_early_merge else "continue"
    made.append(Rule("on-early-merge", early, of_rules("on-early-merge")))
    failing = where("on-fail") if config.on_fail is not None else of_rules("on-fail")
    made.append(Rule("on-fail", rules.on_fail, failing))
    made += [
        Rule("four-eyes", _yes(config.four_eyes_for(name)), where("four-eyes")),
        Rule("overlap", config.overlap, where("overlap")),
        Rule("naming", config.naming, where("naming")),
        Rule("keep-previous", _yes(config.keep_previous), where("keep-previous")),
        Rule("domain", config.domain_for(name) or "none", where("domain")),
        Rule("timezone", config.timezone, where("timezone")),
        *(_freeze_rule(freeze) for freeze in config.freezes if freeze.holds_for(name)),
        *(
            Rule(f"may {verb}", _people(config.may(verb, service)), _may(checked, verb, service))
            for verb in DEFAULT_ROLES
        ),
        Rule("labels", ", ".join(config.labels) or "none", where("labels")),
        Rule("reviewers", _people(config.reviewers), where("reviewers")),
    ]
    return tuple(made)


def _may(checked: Checked, verb: str, service: str | None) -> str:
    origins = checked.config.origins if checked.config is not None else {}
    return _line(origins.get(f"services.{service}.permissions.{verb}") or origins.get(f"permissions.{verb}"))


def _line(place: Place | None) -> str:
    return DEFAULT if place is None else f"{place.path}:{place.line}"


def _yes(value: bool) -> str:  # noqa: FBT001 - a value, no option
    return "yes" if value else "no"


def _people(who: Iterable[Who]) -> str:
    return ", ".join(map(str, who)) or "nobody"


def _freeze_rule(freeze: Freeze) -> Rule:
    return Rule(f"freeze {freeze.name}", window_of(freeze), _line(freeze.origin))


def window_of(freeze: Freeze) -> str:
    """Say when a freeze holds, in one line."""
    how = "frozen" if freeze.kind == "deny" else "open only"
    return f"{how} {in_words(freeze.rule)} for {span(freeze.length)}, {freeze.zone}"


# changes ----------------------------------------------------------------------------------------------


def changes(old: Checked, new: Checked) -> tuple[str, ...]:
    """Say what a change of the configuration changes for whom, in Markdown sentences; empty: nothing.

    Both were read without problems. Nothing about layout, comments or order is a change.
    """
    before, after = old.config, new.config
    if before is None or after is None:
        return ()
    told = [
        *_rules_changes(old, new),
        *_people_changes(before, after),
        *_freeze_changes(before, after),
        *_other_changes(before, after),
    ]
    return tuple(dict.fromkeys(told))


def _services(before: Config, after: Config) -> tuple[str | None, ...]:
    return (None, *sorted({*before.services, *after.services}))


def _whom(service: str | None) -> str:
    return "All other services" if service is None else code(service)


def _rules_changes(old: Checked, new: Checked) -> Iterator[str]:
    before, after = old.config, new.config
    if before is None or after is None:  # pragma: no cover - the caller looked
        return
    many = before.services or after.services
    for service in _services(before, after):
        name = service or ""
        was, now = old.rules_of(name), new.rules_of(name)
        whom = _whom(service) if many else "Every service"
        one = service is not None or not many
        were, are = before.rules_for(name), after.rules_for(name)
        if were != are:
            yield f"{whom} follow{'s' if one else ''} {code(are)} instead of {code(were)}{_compared(was, now)}."
        elif _what_counts(was) != _what_counts(now):
            yield f"{whom}: the rules change{_compared(was, now)}{_stricter(was, now)}."


def _what_counts(rules: RuleSet) -> tuple[object, ...]:
    used = {gate: rules.gates[gate] for step in rules.steps for gate in step.gates if gate in rules.gates}
    return (
        rules.steps,
        rules.auto,
        rules.hold_on_early_merge,
        rules.on_fail,
        tuple(sorted(used.items(), key=str)),
    )


def _compared(was: RuleSet, now: RuleSet) -> str:
    found = looser_rules(was, now)
    return f", which is looser: {'; '.join(found)}" if found else ""


def _stricter(was: RuleSet, now: RuleSet) -> str:
    found = looser_rules(now, was)
    if not found:
        return ""
    return (
        f"; stricter, for before {'; '.join(found)}" if not looser_rules(was, now) else "; in part stricter"
    )


def _people_changes(before: Config, after: Config) -> Iterator[str]:
    for service in _services(before, after):
        for verb in DEFAULT_ROLES:
            was, now = before.may(verb, service), after.may(verb, service)
            if service is not None and (before.may(verb), after.may(verb)) == (was, now):
                continue  # told for all
            on = f" on {code(service)}" if service is not None else ""
            for one in now:
                if one not in was:
                    yield f"{_starting(one)} may {code(verb)}{on} from now on."
            for one in was:
                if one not in now:
                    yield f"{_starting(one)} may not {code(verb)}{on} any more by that{_others(now)}."


def _starting(who: Who) -> str:
    shown = {"role": f"Everyone with the role {code(who.name)}", "codeowners": "Who owns the manifest"}
    return shown.get(who.kind) or f"{'Team' if who.kind == 'team' else 'The user'} {code(who.name)}"


def _others(now: tuple[Who, ...]) -> str:
    return f"; {', '.join(code(str(one)) for one in now)} may"


def _freeze_changes(before: Config, after: Config) -> Iterator[str]:
    was, now = {f.name: f for f in before.freezes}, {f.name: f for f in after.freezes}
    for name, freeze in now.items():
        whom = " and ".join(map(code, freeze.services)) or "every service"
        if name not in was:
            yield f"A new freeze {code(name)} for {whom}: {code(window_of(freeze))}."
        elif freeze != was[name]:
            old = was[name]
            whose = "" if freeze.services == old.services else f" It is for {whom}."
            yield f"The freeze {code(name)}: {code(window_of(freeze))}, before {code(window_of(old))}.{whose}"
    for name, freeze in was.items():
        if name not in now:
            whom = " and ".join(map(code, freeze.services)) or "every service"
            yield f"The freeze {code(name)} is gone: {whom} may go on in its time."


def _other_changes(before: Config, after: Config) -> Iterator[str]:
    for service in _services(before, after):
        name = service or ""
        if before.four_eyes_for(name) != after.four_eyes_for(name) and (
            service is None or before.four_eyes == after.four_eyes
        ):
            whom = _whom(service) if service is not None else "Every service without its own word"
            needs = "needs" if after.four_eyes_for(name) else "no longer needs"
            yield f"{whom} {needs} an approval by somebody who did not ask for the step."
    for name in sorted({*before.services, *after.services}):
        was, now = before.of(name), after.of(name)
        if was.file != now.file:
            yield f"{code(name)} is looked for in {_or_all(now.file)}, before in {_or_all(was.file)}."
        if was.route != now.route:
            yield f"{code(name)} is moved at {_or_route(now.route)}, before at {_or_route(was.route)}."
    for key, wording in _WORDS.items():
        if (old := getattr(before, key)) != (new := getattr(after, key)):
            yield wording.format(old=_shown(old), new=_shown(new))


def _or_all(path: str | None) -> str:
    return code(path) if path is not None else "the whole repository"


def _or_route(route: str | None) -> str:
    return f"the rule {code(route)}" if route is not None else "its only rule"


def _shown(value: object) -> str:
    if value == "":
        return "none"
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, tuple):
        return ", ".join(code(str(one)) for one in value) or "nothing"
    return code(str(value))


_WORDS: Mapping[str, str] = {
    "overlap": "A new rollout meets an unfinished one with {new}, before with {old}.",
    "naming": "Candidates without a name are named by {new}, before by {old}.",
    "keep_previous": "The old stable revision stays at 0 % after a rollout: {new}, before {old}.",
    "domain": "The URLs of tags are shown under {new}, before under {old}.",
    "timezone": "Times are those of {new}, before of {old}.",
    "labels": "The bot's pull requests get the labels {new}, before {old}.",
    "reviewers": "The bot asks {new} for reviews, before {old}.",
    "locked": "Repositories cannot loosen {new}, before {old}.",
}
