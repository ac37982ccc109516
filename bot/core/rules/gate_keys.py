"""The keys of a gate: what each takes, which belong together, and what is said of those that do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.core.problems import Declined
from bot.core.rules.composite import Field, ListOf, MapOf, Record
from bot.core.rules.gate_rules import KINDS, gate_from
from bot.core.rules.shapes import BROKEN, Choice, Duration, Number, Text, Whole, shown
from bot.core.rules.values import GateRule
from bot.core.rules.words import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bot.core.rules.nodes import Node
    from bot.core.rules.shapes import At, Reading

    _Fault = tuple[str, str, str]  # what, the key that it is about, remedy

NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(r"[.:/\\@\[\]%]|^(?:0x)?[0-9]+$|^localhost$", re.ASCII | re.IGNORECASE)
_MOMENT = timedelta(minutes=1)
_NUMBERS = frozenset({"max", "min", "min-requests", "window", "no-data", "unit", "max-wait"})
_BELONGS: dict[str, frozenset[str]] = {
    "query": frozenset({"query", "samples", "server", "compare", "tolerance", "slack"}) | _NUMBERS,
    "http": frozenset({"http", "verdict", "value", "count"}) | _NUMBERS,
    "checks": frozenset({"checks", "app", "environment", "max-wait"}),
    "environment": frozenset({"checks", "app", "environment", "max-wait"}),
    "live": frozenset({"live", "cluster", "namespace", "object", "max-wait"}),
    "reviewers": frozenset({"reviewers"}),
}


@dataclass(frozen=True, slots=True)
class OperatorsName:
    """A name that the operator's settings give to an address; the address itself stands nowhere else (T22)."""

    what: str
    example: str

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        value = node.value
        if node.kind == "scalar" and isinstance(value, str) and _ADDRESS.search(value):
            said = f"`{at.key}` is {shown(node)}, a host that is not on the operator's list."
            remedy = f"Name {self.what} of the operator's settings, like `{self.example}`; addresses stand there only."
            reading.faults.add(said, at.place, remedy)
            return BROKEN
        remedy = f"Write the name that the operator's settings give to its address, like `{self.example}`."
        return Text(NAME, f"the name of {self.what}", remedy).read(reading, node, at)

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:
        """Give it as JSON Schema."""
        return Text(NAME).schema(known_rules)


_POINTER = Text(r"(?:/(?:[^~/]|~[01])*)+", "a JSON pointer", "Write it like `/data/value` (RFC 6901).", 300)
_OBJECT = Text(
    r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", "a name of Kubernetes", "Small letters, digits, `-` and `.`."
)


def _gate(values: dict[str, Any], reading: Reading, node: Node, at: At) -> Any:
    name = at.key.rpartition(".")[2]
    given = {key.value: key.place for key, _ in node.pairs}
    asks = [kind for kind in KINDS if kind in given and not (kind == "environment" and "checks" in given)]
    found = list(_asked(name, asks, given))
    if not found:
        kind = asks[0]
        others = [k for k in given if k not in _BELONGS[kind] and any(k in b for b in _BELONGS.values())]
        found = [
            (f"`{k}` says nothing to a gate with `{kind}`.", k, f"Remove `{k}` from `{name}`.")
            for k in others
        ]
        found += _between(kind, name, values, given)
    rule = GateRule(**{key.replace("-", "_"): value for key, value in values.items()}, origin=at.place)
    # What is broken has been told; whether the rest could be asked is not known then.
    if not found and not any(f"{at.path}.{key}" in reading.broken for key in given):
        try:
            gate_from(name, rule, service="service", namespace="namespace")
        except Declined as declined:
            (problem,) = declined.problems
            said = f"The gate `{name}` cannot be asked: {problem.message}"
            found.append((said, asks[0], problem.remedy or "Ask something else."))
        else:
            return rule
    for said, key, remedy in found:
        reading.faults.add(said, given.get(key, node.place), remedy)
    return BROKEN


def _asked(name: str, asks: Sequence[str], given: Collection[str]) -> Iterator[_Fault]:
    """Tell of a gate that is not answered by one thing."""
    limit = next((key for key in ("max", "min", "compare") if key in given), "")
    if len(asks) > 1:
        told = " and ".join("reviewers" if kind == "reviewers" else f"`{kind}`" for kind in asks)
        yield f"The gate `{name}` has {told}; one of them answers it.", "", "Make two gates of it."
    elif not asks and limit:
        said = f"`query` is missing: the gate `{name}` has `{limit}`, and nothing to compare with it."
        yield said, "", "Add `query:`, or `http:`."
    elif not asks:
        remedy = "Add `query:` with `max:`, or `http:`, `checks:`, `environment:`, `live:` or `reviewers:`."
        yield f"The gate `{name}` has nothing to judge.", "", remedy


def _between(kind: str, name: str, values: dict[str, Any], given: Collection[str]) -> Iterator[_Fault]:
    """Tell what is wrong between the keys of one kind of gate."""
    limits = [key for key in ("max", "min", "compare") if key in given and key in _BELONGS[kind]]
    if len(limits) > 1:
        said = f"The gate `{name}` has `{limits[0]}` and `{limits[1]}`; it takes one limit."
        yield said, limits[1], "Make two gates of it."
    if kind == "query":
        yield from _of_query(name, limits, given)
    elif kind == "http":
        yield from _of_http(limits, given)
    elif "app" in given and "checks" not in given:
        yield "`app` says who made a check, and no `checks` are named.", "app", "Add `checks:`, or remove it."
    counts = {"query": "samples", "http": "count"}.get(kind)
    if counts and values.get("min-requests") and counts not in given:
        said = (
            f"`{counts}` is missing: the gate `{name}` wants a number of requests, and nothing counts them."
        )
        how = "a query that counts them" if kind == "query" else "a JSON pointer to their number"
        yield said, "", f"Add `{counts}:` with {how}."


def _of_query(name: str, limits: Collection[str], given: Collection[str]) -> Iterator[_Fault]:
    if not limits:
        said = f"`max` is missing: the gate `{name}` compares its query with a limit."
        yield said, "", "Add `max:`, `min:` or `compare: stable`."
    if "compare" in given and "tolerance" not in given:
        said = f"`tolerance` is missing: the gate `{name}` compares with stable, and never are two equal."
        yield said, "compare", "Add `tolerance: 0.2` for 20 %."
    for key in ("tolerance", "slack"):
        if key in given and "compare" not in given:
            yield f"`{key}` of the gate `{name}` is one next to stable.", key, "Add `compare: stable`."


def _of_http(limits: Collection[str], given: Collection[str]) -> Iterator[_Fault]:
    for key in ("value", "no-data", "unit"):
        if key in given and not limits:
            said = f"`{key}` says nothing without a limit: the endpoint's own verdict is taken."
            yield said, key, "Add `max:` or `min:`, or remove it."
    if limits and "verdict" in given:
        said = "`verdict` says nothing beside a limit: the number is compared."
        yield said, "verdict", "Remove it, or the limit."


GATES = MapOf(
    Record(
        "",
        (
            Field("query", Query(), "PromQL with one number as its answer."),
            Field("max", Number(), "The gate passes at this value or below it."),
            Field("min", Number(), "The gate passes at this value or above it."),
            Field(
                "compare",
                Choice(("stable",)),
                "`stable`: the same query of the stable revision over the same window is the limit.",
            ),
            Field("tolerance", Number(), "With `compare`: how much worse it may be, 0.2 for 20 %."),
            Field("slack", Number(), "With `compare`: what is allowed on top, in the query's own unit."),
            Field(
                "min-requests", Whole(0, 10**9), "With fewer samples in the window the gate is inconclusive."
            ),
            Field("samples", Query(), "PromQL that counts what the answer rests on."),
            Field(
                "server",
                OperatorsName("a server", "main"),
                "Which of the operator's Prometheus servers; an address never stands here.",
            ),
            Field("window", Duration(_MOMENT), "What the query looks at; put in for `{window}`."),
            Field(
                "no-data",
                Choice(("wait", "fail", "pass")),
                "What it means that there is no value; default: `wait`.",
            ),
            Field("unit", Choice(("ratio", "s", "ms")), "How the value is shown; a ratio of 0.01 is 1 %."),
            Field(
                "http",
                OperatorsName("an endpoint", "slo"),
                "Instead of a query: which of the operator's URLs answers JSON; an address never stands here.",
            ),
            Field(
                "verdict",
                _POINTER,
                "Where its answer says `pass`, `fail` or `inconclusive`; default: `/verdict`.",
            ),
            Field("value", _POINTER, "With a limit: where its answer has the number; default: `/value`."),
            Field("count", _POINTER, "Where its answer has the number of samples."),
            Field(
                "checks",
                ListOf(Text(r"[^`\r\n]{1,100}", "the name of a check"), "checks", least=1, most=20),
                "Instead of a query: checks or statuses of the merged commit that must be green.",
            ),
            Field(
                "app",
                Text(r"[a-z0-9](?:[a-z0-9-]{0,98})", "the slug of an App", "Write it like `github-actions`."),
                "Whose checks they must be; a workflow can make one of any name.",
            ),
            Field(
                "environment",
                Text(r"[^`\r\n]{1,255}", "an environment"),
                "A deployment of the merged commit to it that must have succeeded.",
            ),
            Field(
                "live",
                Choice(("knative", "argocd", "flux")),
                "Instead of a query: who says that the merged commit is live; the bake time counts from there.",
            ),
            Field(
                "cluster",
                OperatorsName("a cluster", "production"),
                "With `live`: which of the operator's clusters.",
            ),
            Field("namespace", _OBJECT, "With `live`: where the object is; default: the service's."),
            Field(
                "object",
                _OBJECT,
                "With `live`: the Service, Application or Kustomization; default: the service's name.",
            ),
            Field("reviewers", Whole(1, 10), "Instead of a query: how many people must approve the step."),
            Field(
                "max-wait",
                Duration(_MOMENT),
                "After so long without an answer people are asked, once; default: `24h`.",
            ),
        ),
        _gate,
    ),
    "gate",
    NAME,
    "Names have small letters, digits and `-`.",
)
