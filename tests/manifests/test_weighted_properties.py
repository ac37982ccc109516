"""Properties of edits of weights over generated manifests, and over damaged ones."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from bot.core.problems import Declined
from bot.core.weights import Shifted, shift
from bot.manifests.weighted import Route, find_routes, set_weights
from tests.manifests.weighted_examples import EXAMPLES, routes
from tests.manifests.weighted_oracle import Values, assert_right, bytes_outside, schema_errors

SHAPES = (
    ("networking.istio.io/v1", "VirtualService", "http"),
    ("networking.istio.io/v1beta1", "VirtualService", "tcp"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "rules"),
    ("gateway.networking.k8s.io/v1", "GRPCRoute", "rules"),
    ("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "rules"),
)
weights = st.none() | st.integers(0, 1000)
noise = st.sampled_from(["", "", "", "   # why", "  ", " # weight: 1"])


@st.composite
def entries(draw: st.DrawFn, kind: str) -> list[dict[str, Any]]:
    """Give the destinations of a rule, with their keys in any order."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        entry: dict[str, Any]
        if kind == "VirtualService":
            entry = {"destination": {"host": "reviews", "subset": f"v{number}"}}
        else:
            entry = {"name": f"reviews-v{number}", "port": 80}
        if (weight := draw(weights)) is not None:
            entry["weight"] = weight
        found.append({key: entry[key] for key in draw(st.permutations(list(entry)))})
    return found


def block_entry(draw: st.DrawFn, entry: dict[str, Any], lead: str, quote: str) -> list[str]:
    """Give the lines of a destination in block style; the first ones are to get a dash."""
    lines: list[str] = []
    for key, value in entry.items():
        name = f"{quote}{key}{quote}:"
        if isinstance(value, dict) and draw(st.booleans()):
            lines += [name + draw(noise), *(f"  {k}: {v}{draw(noise)}" for k, v in value.items())]
        else:
            lines.append(f"{name} {json.dumps(value)}{draw(noise)}")
    return [lead + line for line in lines]


@st.composite
def lists(draw: st.DrawFn, kind: str, key: str) -> list[str]:
    """Give the lines of a list of destinations, with its key."""
    found = draw(entries(kind))
    style = draw(st.sampled_from(["block", "block", "block", "items", "list", "json"]))
    if style == "list":
        return [
            f"{key}: [" + draw(st.sampled_from([", ", ","])).join(map(json.dumps, found)) + "]" + draw(noise)
        ]
    if style == "json":
        return (f"{key}: " + json.dumps(found, indent=draw(st.sampled_from([None, 2])))).split("\n")
    lines = [f"{key}:" + draw(noise)]
    indent, gap = " " * draw(st.sampled_from([0, 0, 2])), " " * draw(st.sampled_from([1, 1, 3]))
    for entry in found:
        lines += draw(st.lists(st.sampled_from(["", "# between", "      # deep"]), max_size=2))
        if style == "items":
            lines.append(f"{indent}-{gap}{json.dumps(entry)}{draw(noise)}")
            continue
        own = block_entry(draw, entry, f"{indent} {gap}", draw(st.sampled_from(["", "", '"', "'"])))
        lines += [f"{indent}-{gap}" + own[0].lstrip(), *own[1:]]
    return lines


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    version, kind, section = draw(st.sampled_from(SHAPES))
    key = "route" if kind == "VirtualService" else "backendRefs"
    lines = [f"apiVersion: {version}", f"kind: {kind}", "metadata: {name: reviews}", "spec:" + draw(noise)]
    lines += ["  hosts: [reviews]"] if kind == "VirtualService" else []
    lines.append(f"  {section}:")
    # The schemas of the experimental kinds take one rule.
    for _ in range(1 if kind == "TCPRoute" else draw(st.integers(1, 2))):
        own = draw(lists(kind, key))
        lines += [f"  - {own[0]}", *(f"    {line}" if line else line for line in own[1:])]
    lines += draw(
        st.sampled_from([[], ["# end"], ["", "  # end", "x-note: {}"], ["---", "a: |+", "  b", ""]])
    )
    if draw(st.booleans()):
        lines = ["# a file", "---", "kind: Other", "---", *lines]
    text = "\n".join(lines) + draw(st.sampled_from(["\n", "\n", "", "\n\n"]))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return (draw(st.sampled_from(["", "\ufeff"])) + text).encode()


def again(content: bytes, route: Route) -> Route:
    return next(r for r in routes(content) if r.where == route.where)


def written(route: Route) -> Values:
    return tuple(d.weight for d in route.weights.destinations)


class TestEdit:
    """The result holds exactly the wanted weights, and every other byte is the byte that was there."""

    @given(content=manifests(), data=st.data())
    def test_set_and_take_back(self, content: bytes, data: st.DataObject) -> None:
        route = data.draw(st.sampled_from(routes(content)))
        before = written(route)
        # A weight that is written stays written: with it, its comment would go.
        wanted = tuple(
            data.draw(st.integers(1, 1000) if old is not None else st.none() | st.integers(1, 1000))
            for old in before
        )
        if route.kind == "VirtualService" and len(before) > 1 and not any(wanted):
            wanted = (1, *wanted[1:])
        after = set_weights(content, route, wanted)
        assert_right(content, after, route, wanted)
        assert not schema_errors(after, route)
        assert set_weights(after, again(after, route), wanted) is after
        if route.kind == "VirtualService" and len(before) > 1 and not any(before):
            return  # what Istio would refuse is not written, not even to take an edit back
        assert set_weights(after, again(after, route), before) == content

    @given(
        content=manifests(), percents=st.lists(st.integers(0, 100), min_size=1, max_size=3), data=st.data()
    )
    def test_a_rollout(self, content: bytes, percents: list[int], data: st.DataObject) -> None:
        route = data.draw(st.sampled_from(routes(content)))
        if len(written(route)) != 2:
            return
        for percent in percents:
            shifted = shift(route.weights, stable=0, candidate=1, percent=percent)
            after = set_weights(content, route, shifted.weights)
            assert_right(content, after, route, shifted.weights)
            content, route = after, again(after, route)
            assert list(route.weights.shares) == [100 - percent, percent]
            assert shift(route.weights, stable=0, candidate=1, percent=percent) == Shifted(written(route))


DAMAGE = (
    *("", " ", "\n", "\n  ", ":", ": ", "- ", "#", " #", '"', "'", "{", "}", "[", "]", ",", "&a ", "*a"),
    *("!x ", "|", ">", "\t", "\r", "? ", "---\n", "\n---\n", "...", "%", "<<: ", "0", "\u2028", "\x00", "é"),
    *("weight: 1", "\n    weight: 1\n", "null"),
)


class TestDamage:
    """Whatever a file holds: found and edited right, or refused in words."""

    @given(kind=st.sampled_from(sorted(EXAMPLES)), data=st.data())
    def test_damaged_file(self, kind: str, data: st.DataObject) -> None:
        text = EXAMPLES[kind]
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text)))
            gone = data.draw(st.sampled_from([0, 0, 1, 2, 5]))
            text = text[:at] + data.draw(st.sampled_from(DAMAGE)) + text[at + gone :]
        content = text.encode()
        found = find_routes(content, "x.yaml")
        assert all(problem.place and problem.place.line for problem in found.problems)
        for route in found.routes:
            wanted = tuple(7 + slot for slot in range(len(written(route))))
            try:
                after = set_weights(content, route, wanted)
            except Declined as declined:
                assert declined.problems  # noqa: PT017 - either way is fine
                continue
            try:
                assert_right(content, after, route, wanted)
            except yaml.YAMLError:
                continue  # libyaml does not read the damaged file at all
            except YAMLError:
                pass  # ruamel's own loader does not know all tabs
            assert bytes_outside(content, after, route) == 0
