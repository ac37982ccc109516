"""Strategies: manifests of every kind that a rollout can move, in every style that YAML has for them."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

PLAIN = re.compile(r"[a-z][-a-z0-9]*[a-z0-9]")
NOT_TEXT = {"yes", "no", "on", "off", "true", "false", "null", "none"}
NAMES = ("shop-00001", "shop-00002")
GATEWAY, ISTIO, KNATIVE = "gateway.networking.k8s.io", "networking.istio.io", "serving.knative.dev"

# values ------------------------------------------------------------------------------

Value = dict[str, Any]
TEMPLATES: tuple[Value, ...] = (
    {"spec": {"containers": [{"image": "registry.example/shop:1"}]}},
    {"metadata": {"name": NAMES[0]}, "spec": {"containers": [{"image": "shop"}]}},
    {
        "metadata": {"annotations": {"a.example/b": "# no comment"}, "name": NAMES[0]},
        "spec": {"containerConcurrency": 0, "containers": [{"image": "shop", "args": ["a: b", "- c", "é"]}]},
    },
    {"metadata": {"labels": {"traffic": "percent"}}, "spec": {"containers": [{"image": "shop"}]}},
)
TRAFFIC: tuple[list[Value] | None, ...] = (
    None,
    [{"latestRevision": True, "percent": 100}],
    [{"percent": 100, "latestRevision": True, "tag": "latest"}],
    [{"revisionName": NAMES[0], "percent": 100}],
    [{"tag": "current", "revisionName": NAMES[0], "percent": 100}, {"tag": "latest", "latestRevision": True}],
    [
        {"revisionName": NAMES[0], "percent": 90},
        {"revisionName": NAMES[1], "percent": 10, "tag": "candidate"},
    ],
    [
        {"percent": 60, "revisionName": NAMES[0], "latestRevision": False},
        {"percent": 0, "revisionName": "shop-00000", "tag": "old"},
        {"percent": 40, "revisionName": NAMES[1], "tag": "candidate", "latestRevision": False},
    ],
    [{"revisionName": "shop-00000", "percent": 50}, {"revisionName": NAMES[0], "percent": 50}],
)
ROUTES: tuple[list[Value], ...] = (
    [{"configurationName": "shop", "percent": 100, "latestRevision": True}],
    *(block for block in TRAFFIC if block and all("revisionName" in entry for entry in block)),
)
# What two destinations have, and a third one where there is one.
WEIGHTS: tuple[tuple[int | None, ...], ...] = (
    *((100, 0), (90, 10), (1000, 0), (1, 0), (9, 1), (0, 100), (750, 250), (2, 1), (1_000_000, 0), (7, 0)),
    *((100, None), (None, 100), (100, 0, 0), (0, 1000, 0), (50, 50)),
)
ONLY_GATEWAY: tuple[tuple[int | None, ...], ...] = ((None, None), (None, 0), (0, 0), (None, 3))


def ordered(draw: st.DrawFn, value: Value) -> Value:
    return {key: value[key] for key in draw(st.permutations(list(value)))}


@st.composite
def services(draw: st.DrawFn) -> Value:
    version = draw(st.sampled_from(["v1", "v1", "v1beta1", "v1alpha1"]))
    spec: Value = {"template": draw(st.sampled_from(TEMPLATES))}
    if (block := draw(st.sampled_from(TRAFFIC))) is not None:
        spec["traffic"] = [ordered(draw, entry) for entry in block]
    return _object(f"{KNATIVE}/{version}", "Service", ordered(draw, spec))


@st.composite
def knative_routes(draw: st.DrawFn) -> Value:
    version = draw(st.sampled_from(["v1", "v1beta1", "v1alpha1"]))
    block = [ordered(draw, entry) for entry in draw(st.sampled_from(ROUTES))]
    return _object(f"{KNATIVE}/{version}", "Route", {"traffic": block})


@st.composite
def legacy(draw: st.DrawFn) -> Value:
    spec = {"container": {"image": "registry.example/shop:1", "env": [{"name": "A", "value": "no"}]}}
    template = draw(st.sampled_from(["revisionTemplate", "template"]))
    body: Value = {"configuration": {template: {"spec": spec}}}
    if template == "template":
        body["configuration"][template]["spec"] = {"containers": [spec["container"]]}
    mode = draw(st.sampled_from(["runLatest", "pinned", "release", "release"]))
    if mode == "pinned":
        body["revisionName"] = NAMES[0]
    elif mode == "release":
        body["revisions"] = draw(st.sampled_from([[NAMES[0]], [*NAMES], [NAMES[0], "@latest"]]))
        share = draw(st.sampled_from([None, 0, 0, 10, 99] if len(body["revisions"]) > 1 else [None, 0]))
        body |= {} if share is None else {"rolloutPercent": share}
    return _object(f"{KNATIVE}/v1alpha1", "Service", {mode: ordered(draw, body)})


def _weighted(draw: st.DrawFn, weights: tuple[int | None, ...], make: Any) -> list[Value]:
    return [
        ordered(draw, make(number) | ({} if weight is None else {"weight": weight}))
        for number, weight in enumerate(weights)
    ]


@st.composite
def virtual_services(draw: st.DrawFn, section: str) -> Value:
    version = draw(st.sampled_from(["v1", "v1beta1", "v1alpha3"]))
    match: Value = {"match": [{"port": 443, "sniHosts": ["a.example"]}]} if section == "tls" else {}
    rules = []
    for _ in range(draw(st.integers(1, 2))):
        entries = _weighted(
            draw,
            draw(st.sampled_from(WEIGHTS)),
            lambda n: {"destination": {"host": "shop", "subset": f"v{n}"}},
        )
        own: Value = {"name": "main", "timeout": "3s"} if section == "http" and draw(st.booleans()) else {}
        rules.append(ordered(draw, {**match, **own, "route": entries}))
    spec = {"hosts": ["shop"], section: rules}
    return _object(f"{ISTIO}/{version}", "VirtualService", ordered(draw, spec))


VERSIONS = {
    "HTTPRoute": ("v1", "v1beta1"),
    "GRPCRoute": ("v1",),
    "TCPRoute": ("v1", "v1alpha2"),
    "TLSRoute": ("v1", "v1alpha2", "v1alpha3"),
}


@st.composite
def gateway_routes(draw: st.DrawFn, kind: str) -> Value:
    version = draw(st.sampled_from(VERSIONS[kind]))
    rules: list[Value] = []
    # The schemas of the last two kinds take one rule.
    for _ in range(draw(st.integers(1, 2)) if kind in {"HTTPRoute", "GRPCRoute"} else 1):
        entries = _weighted(
            draw,
            draw(st.sampled_from((*WEIGHTS, *ONLY_GATEWAY))),
            lambda n: {"name": f"shop-v{n}", "port": 80},
        )
        named = {"name": "main"} if not rules and kind != "TLSRoute" and draw(st.booleans()) else {}
        rules.append(ordered(draw, {**named, "backendRefs": entries}))
    hosts: Value = {} if kind == "TCPRoute" else {"hostnames": ["shop.example"]}
    parents = [{"name": "gateway"}]
    return _object(
        f"{GATEWAY}/{version}", kind, ordered(draw, {**hosts, "parentRefs": parents, "rules": rules})
    )


def _object(version: str, kind: str, spec: Value) -> Value:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "shop"}, "spec": spec}


KINDS: dict[str, st.SearchStrategy[Value]] = {
    "Service": services(),
    "Route": knative_routes(),
    "Service, mode": legacy(),
    "VirtualService http": virtual_services("http"),
    "VirtualService tcp": virtual_services("tcp"),
    "VirtualService tls": virtual_services("tls"),
    **{kind: gateway_routes(kind) for kind in VERSIONS},
}

# text --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Style:
    """How a value is written.

    ``flow`` is the share of collections in flow style, ``noise`` of places with a comment or a blank line,
    both in percent; ``lines`` spreads flow collections over lines; ``quotes`` are those that text may have.
    ``step`` is the indentation of mappings, ``dash`` that of lists, ``gap`` the spaces behind a dash.
    """

    flow: int
    noise: int
    lines: bool
    quotes: str
    step: int
    dash: int
    gap: int
    seed: int

    def text(self, value: Any) -> str:
        """Give a document."""
        return "\n".join(Writer(self).block(value, 0)) + "\n"


@dataclass
class Writer:
    style: Style

    def __post_init__(self) -> None:
        self.random = random.Random(self.style.seed)

    def chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        quote = self.random.choice(self.style.quotes)
        if quote == " " and PLAIN.fullmatch(value) and value not in NOT_TEXT:
            return value
        return f"'{value}'" if quote == "'" else json.dumps(value, ensure_ascii=False)

    def comment(self) -> str:
        words = self.random.choice(["why", "percent: 7", "- weight: 1", "{a: [b]}", "é", "'"])
        return f"{' ' * self.random.randint(1, 3)}# {words}" if self.chance(self.style.noise) else ""

    def between(self, indent: int) -> list[str]:
        """Give lines that may stand between others."""
        if not self.chance(self.style.noise // 2):
            return []
        column = self.random.choice([0, indent, indent, indent + 5])
        return [self.random.choice(["", "   ", " " * column + "# between", " " * column + "# - tag: x"])]

    def flow(self, value: Any, indent: int) -> list[str]:
        """Give a value in flow style; the first line goes behind what is there."""
        if not isinstance(value, dict | list) or not value:
            return [self.scalar(value) if not isinstance(value, dict | list) else json.dumps(value)]
        opens, closes = "{}" if isinstance(value, dict) else "[]"
        pairs = list(value.items()) if isinstance(value, dict) else [(None, entry) for entry in value]
        parts: list[list[str]] = []
        for key, entry in pairs:
            lines = self.flow(entry, indent + self.style.step)
            parts.append([("" if key is None else f"{self.scalar(key)}: ") + lines[0], *lines[1:]])
        if not self.style.lines or self.chance(30):
            gap = self.random.choice(["", " "])
            if all(len(part) == 1 for part in parts):
                return [opens + gap + ", ".join(part[0] for part in parts) + gap + closes]
        lead = " " * (indent + self.style.step)
        out = [opens]
        for place, part in enumerate(parts):
            comma = "," if place < len(parts) - 1 else ""
            out += [*self.between(indent), lead + part[0], *part[1:]]
            out[-1] += comma + self.comment()
        return [*out, " " * indent + closes]

    def block(self, value: Any, indent: int) -> list[str]:
        """Give a collection in block style, or in flow style where it falls to that."""
        if self.style.flow == 100:
            return self.flow(value, indent)
        lead = " " * indent
        out: list[str] = []
        for key, entry in value.items() if isinstance(value, dict) else ((None, e) for e in value):
            out += self.between(indent)
            if key is None:
                out += self._item(entry, lead)
            else:
                out += self._pair(lead + self.scalar(key) + ":", entry, indent)
        return out

    def _pair(self, head: str, entry: Any, indent: int) -> list[str]:
        if isinstance(entry, dict | list) and entry and not self.chance(self.style.flow):
            deeper = indent + (self.style.step if isinstance(entry, dict) else self.style.dash)
            return [head + self.comment(), *self.block(entry, deeper)]
        lines = self.flow(entry, indent)
        return [f"{head}{' ' * self.random.choice([1, 1, 2])}{lines[0]}", *lines[1:-1], *self._last(lines)]

    def _last(self, lines: list[str]) -> list[str]:
        return lines[-1:] if len(lines) > 1 else []

    def _item(self, entry: Any, lead: str) -> list[str]:
        if not isinstance(entry, dict | list) or not entry or self.chance(self.style.flow):
            lines = self.flow(entry, len(lead))
            return [f"{lead}- {lines[0]}", *lines[1:]]
        dash = lead + "-" + " " * self.style.gap
        lines = self.block(entry, len(dash))
        while lines and (not lines[0].strip() or lines[0].lstrip().startswith("#")):
            lines.pop(0)
        if self.chance(10):
            return [lead + "-" + self.comment(), *lines]
        return [dash + lines[0].lstrip(), *lines[1:]]


styles = st.builds(
    Style,
    flow=st.sampled_from([0, 0, 20, 50, 100]),
    noise=st.sampled_from([0, 0, 20, 60]),
    lines=st.booleans(),
    quotes=st.sampled_from([" ", " ", '"', "'", " \"'"]),
    step=st.sampled_from([2, 2, 4, 1]),
    dash=st.sampled_from([0, 2]),
    gap=st.sampled_from([1, 1, 3]),
    seed=st.integers(0, 2**16),
)
AROUND = (
    ("", ""),
    ("# a file\n", "# end\n"),
    ("---\n", "---\na: |+\n  percent: 1\n\n"),
    ("kind: Other\nmetadata: {name: shop}\n---\n", "...\n"),
    ("{{ if .Values.x }}\n---\n", "---\n{{ end }}\n"),
)


@dataclass(frozen=True)
class File:
    """A file with one workload, and how it was made."""

    content: bytes
    kind: str


@st.composite
def files(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS)) -> File:
    """Give a file with one workload of one of the kinds."""
    kind = draw(st.sampled_from(kinds))
    value: Any = draw(KINDS[kind])
    # The old modes are read as documents of their own only.
    if kind != "Service, mode" and draw(st.integers(0, 5)) == 5:
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}}
        value = {"apiVersion": "v1", "kind": "List", "items": draw(st.permutations([value, other]))}
    if draw(st.integers(0, 5)) == 5:
        text = json.dumps(value, indent=draw(st.sampled_from([None, 2, 4])), ensure_ascii=False) + "\n"
        behind = ""
    else:
        text = draw(styles).text(value)
        before, behind = draw(st.sampled_from(AROUND))
        text = before + text + behind
    text = {0: text, 1: text.rstrip("\n"), 2: text + "\n\n"}[draw(st.sampled_from([0, 0, 1, 2]))]
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return File((draw(st.sampled_from(["", "\ufeff"])) + text).encode(), kind)
