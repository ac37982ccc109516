"""The table of all keys: what each takes, what it is for, whether the service follows it, and what loosens it.

Whoever makes the service follow a key flips ``followed`` here, and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.core.freezes import Freeze
from bot.core.recurrence import Recurrence, RuleError, never_ends, parse
from bot.core.rules.composite import Field, ListOf, MapOf, Record
from bot.core.rules.gate_keys import GATES as GATES  # noqa: PLC0414 - the table is one, from two files
from bot.core.rules.gate_keys import NAME
from bot.core.rules.shapes import BROKEN, Choice, Duration, Flag, Text, Whole
from bot.core.rules.values import DEFAULT_ROLES, ON_FAIL, OVERLAPS, ServiceConfig, Step
from bot.core.rules.words import Day, Naming, Person, RulesName, RuleText, Zone

if TYPE_CHECKING:
    from bot.core.rules.nodes import Node
    from bot.core.rules.shapes import At, Reading

_NAMED = Text(NAME, "a name of small letters, digits and `-`", "Write it like `error-rate`.")
_TITLE = Text(r"[^`]{1,100}", "a name of at most 100 characters, without back-ticks", "Write a few words.")
_DOMAIN = Text(
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+",
    "a domain",
    "Write it like `shop.example.com`.",
    longest=200,
)
_MOMENT = timedelta(minutes=1)
ALL = 100
NEXT = ("wait", "hold", "rollback", "done")


# what keys say together ------------------------------------------------------------------------------


def _freeze(values: dict[str, Any], reading: Reading, node: Node, _at: At) -> Any:
    given = {key.value for key, _ in node.pairs}
    name = values.get("name", "?")
    if len(given & {"deny", "allow"}) != 1:
        how = "both `deny` and `allow`" if "deny" in given else "neither `deny` nor `allow`"
        remedy = "Keep one: `deny` freezes its windows, `allow` everything else."
        reading.faults.add(f"The freeze `{name}` has {how}.", node.place, remedy)
        return BROKEN
    kind = "deny" if "deny" in given else "allow"
    if kind not in values:
        return BROKEN
    text, where = values[kind]
    try:
        rule = parse(text, values.get("from"))
    except RuleError as error:
        reading.faults.add(str(error), where.place, error.remedy)
        return BROKEN
    if "for" not in values or "name" not in values:
        return BROKEN
    if kind == "deny" and never_ends(rule, values["for"]):
        said = f"The freeze `{name}` never ends: each window lasts until the next one begins."
        reading.faults.add(said, where.place, "Make `for` shorter, or name fewer days.")
        return BROKEN
    return _made_freeze(values, reading, node, rule, "deny" if kind == "deny" else "allow")


def _made_freeze(values: dict[str, Any], reading: Reading, node: Node, rule: Recurrence, kind: Any) -> Freeze:
    return Freeze(
        name=values["name"],
        kind=kind,
        rule=rule,
        length=values["for"],
        zone=values.get("timezone", reading.zone),
        services=values.get("services", ()),
        origin=node.place,
    )


def _service(values: dict[str, Any], _reading: Reading, _node: Node, _at: At) -> Any:
    return ServiceConfig(**{key.replace("-", "_"): value for key, value in values.items()})


def _step(values: dict[str, Any], reading: Reading, node: Node, _at: At) -> Any:
    weight = values.get("weight")
    if weight is None:
        return BROKEN
    if weight in {0, ALL} and (values.get("bake") or values.get("gates")):
        why = "no request meets the candidate" if weight == 0 else "nothing comes behind it"
        remedy = "Remove `bake` and `gates` from it."
        reading.faults.add(f"The step to {weight} % waits for nothing: {why}.", node.place, remedy)
    return Step(weight, values.get("bake", timedelta(0)), values.get("gates", ()))


# the tables ------------------------------------------------------------------------------------------

WHO = ListOf(Person(), "people", least=1, most=50)
PERMISSIONS = Record(
    "",
    tuple(
        Field(verb, WHO, f"Who may `{verb}`; by default everyone with the role {role} or a higher one.")
        for verb, role in DEFAULT_ROLES.items()
    ),
)
GATE_NAMES = ListOf(_NAMED, "gates", most=20)
FREEZE = Record(
    "A freeze",
    (
        Field("name", _TITLE, "What replies call it.", required=True),
        Field("deny", RuleText(), "When windows begin in which nothing goes on, as an RRULE; at midnight."),
        Field("allow", RuleText(), "When windows begin outside of which nothing goes on, as an RRULE."),
        Field("for", Duration(_MOMENT), "How long a window lasts, on the clock of its zone.", required=True),
        Field("from", Day(), "The first day; what `INTERVAL` and `COUNT` are counted from."),
        Field("timezone", Zone(), "Instead of the file's zone."),
        Field("services", ListOf(Text(longest=253), "services", least=1), "Only these; default: all."),
    ),
    _freeze,
)
SERVICE = Record(
    "",
    (
        Field("file", Text(what="a path"), "The manifest, where a search would find several."),
        Field("route", Text(what="a rule's name or place"), "Which rule of a mesh or gateway object."),
        Field("rules", RulesName(), "The rule set of this service."),
        Field("gates", GATE_NAMES, "Gates before each step, besides those that the step has."),
        Field("permissions", PERMISSIONS, "Who may, instead of the file's own."),
        Field("four-eyes", Flag(), "Who asks for a step is not its only approver."),
        Field("domain", _DOMAIN, "Of this service's URLs, instead of the file's own."),
    ),
    _service,
)
CONFIG_FIELDS = (
    Field("version", Choice((1,)), "The version of this format: 1.", required=True),
    Field(
        "rules",
        RulesName(),
        "The rule set of all services: a name, or a path in this repository.",
        looser="a rule set with a shorter bake time, a longer stride, fewer gates, or more that happens by itself",
    ),
    Field(
        "timezone",
        Zone(),
        "The zone of freezes; replies give times in UTC.",
        looser="another zone, which moves every freeze",
    ),
    Field(
        "permissions",
        PERMISSIONS,
        "Who may use which verb.",
        looser="more people for a verb that goes on; fewer for `rollback`, `hold` and `freeze`",
    ),
    Field(
        "freezes",
        ListOf(FREEZE, "freezes", most=20),
        "When no rollout goes on. Rollback and hold are never frozen.",
        looser="a freeze of the same name, or another `allow`, which allows more; further ones may be added",
    ),
    Field(
        "services",
        MapOf(SERVICE, "service"),
        "What differs for one service, by its name.",
    ),
    Field(
        "gates",
        GATES,
        "Gates besides those of the rule set.",
        looser="a gate of the same name with a higher limit, fewer requests or reviewers, or another query",
    ),
    Field(
        "four-eyes",
        Flag(),
        "Who asks for a step is not its only approver.",
        looser="`false` where it was `true`",
    ),
    Field(
        "auto",
        Flag(),
        "Steps merge themselves as soon as all rules pass; default: as the rule set says.",
        looser="`true` where it was `false`",
    ),
    Field(
        "on-fail",
        Choice(ON_FAIL),
        "What a failing gate leads to; default: as the rule set says.",
        looser="`hold` where it was `rollback`",
    ),
    Field(
        "overlap",
        Choice(OVERLAPS),
        "What a new rollout does to one that is not finished.",
        looser="an earlier one of `supersede`, `queue`, `refuse`",
    ),
    Field(
        "naming",
        Naming(),
        "The name of a candidate that has none.",
        looser="any other way, because others rely on names",
    ),
    Field(
        "keep-previous",
        Flag(),
        "At the end of a rollout the old stable revision stays at 0 % with the tag `previous`, so that no platform "
        "collects it. Only where the block has tags.",
    ),
    Field(
        "domain",
        _DOMAIN,
        "What stands behind `TAG-SERVICE.` in the URLs of tags, with the namespace where the platform puts it there.",
    ),
    Field(
        "labels",
        ListOf(
            Text(r"[^,`]{1,50}", "a label", "A label has at most 50 characters, and no comma."),
            "labels",
            most=20,
        ),
        "Labels of the bot's pull requests.",
        looser="a list without one of the labels",
    ),
    Field(
        "reviewers",
        ListOf(Person(roles=False), "people", most=15),
        "Who is asked to review the bot's pull requests.",
        looser="a list without one of them",
    ),
)
LOCKABLE = tuple(field.key for field in CONFIG_FIELDS if field.looser)
LOCKED = Field(
    "locked",
    ListOf(Choice(LOCKABLE), "keys", most=len(LOCKABLE)),
    "In an organisation's file: keys that a repository may make stricter, and not looser.",
)
EXAMPLE = Record(
    "An example",
    (
        Field("candidate", Whole(0, ALL), "The candidate's share.", required=True),
        Field("baked", Duration(), "How long it has held.", required=True),
        Field("failed", GATE_NAMES, "Gates that fail."),
        Field("inconclusive", GATE_NAMES, "Gates without an answer; all others pass."),
        Field("by", Choice(("person", "itself")), "Who merges that step."),
        Field(
            "next",
            Choice((*NEXT, *range(ALL + 1)), "a weight, `wait`, `hold`, `rollback` or `done`"),
            "What may follow: the next weight, `wait`, `hold`, `rollback` or `done`.",
            required=True,
        ),
    ),
)
STEP = Record(
    "A step",
    (
        Field("weight", Whole(0, ALL), "The candidate's share, whole percent.", required=True),
        Field("bake", Duration(), "How long it must hold before the next step."),
        Field("gates", GATE_NAMES, "Gates that must pass before the next step."),
    ),
    _step,
)
RULES_FIELDS = (
    Field("id", Text(NAME, "a name of small letters, digits and `-`"), "As the file's name.", required=True),
    Field("summary", Text(), "One sentence for those who choose.", required=True),
    Field("why", Text(), "Why these numbers, and for whom.", required=True),
    Field("steps", ListOf(STEP, "steps", least=1, most=101), "The weights; they rise to 100.", required=True),
    Field("gates", GATES, "The gates that steps name."),
    Field("auto", Flag(), "Steps merge themselves as soon as their gates pass."),
    Field("on-early-merge", Choice(("hold", "continue")), "When a person merges before the rules pass."),
    Field("on-fail", Choice(ON_FAIL), "What a failing gate leads to."),
    Field("examples", ListOf(EXAMPLE, "examples"), "Each is a test."),
)
