"""A second opinion on edits of weights, made with other readers than the editor's.

Positions come from libyaml's marks (YAML 1.1), values from libyaml and from ruamel's loader
(YAML 1.2), and the schemas are the platforms' own.
"""

from __future__ import annotations

import copy
import functools
import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tests.manifests.oracle import documents, text_of
from tests.shared import shared

if TYPE_CHECKING:
    from bot.manifests.weighted import Route

Values = tuple[int | None, ...]
CRDS = {
    "VirtualService": "networking.istio.io_virtualservices",
    "HTTPRoute": "gateway.networking.k8s.io_httproutes",
    "GRPCRoute": "gateway.networking.k8s.io_grpcroutes",
    "TCPRoute": "gateway.networking.k8s.io_tcproutes",
    "TLSRoute": "gateway.networking.k8s.io_tlsroutes",
}


def list_key(route: Route) -> str:
    return "route" if route.kind == "VirtualService" else "backendRefs"


def entries_of(data: Any, route: Route) -> list[dict[str, Any]]:
    """Give the destinations of the rule in a document's data."""
    own = data if route.item is None else data["items"][route.item]
    found = own["spec"][route.section][route.index][list_key(route)]
    assert isinstance(found, list)
    return found


def load(text: str, reader: str) -> Any:
    """Read a document as YAML ``1.1`` or ``1.2``."""
    if reader == "1.1":
        return yaml.load(text, Loader=yaml.CSafeLoader)
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        # ruamel's scanner knows no tabs between tokens.
        return YAML(typ="safe", pure=True).load(re.sub(r"(?<=[^\t\r\n])\t", " ", text))


def child(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


def entry_nodes(text: str, route: Route) -> list[Any]:
    node = yaml.compose(text, Loader=yaml.CBaseLoader)
    if route.item is not None:
        node = child(node, "items").value[route.item]
    rule = child(child(node, "spec"), route.section).value[route.index]
    return list(child(rule, list_key(route)).value)


def weight_pair(entry: Any) -> Any:
    return next(((k, v) for k, v in entry.value if k.value == "weight"), None)


def own_lines(text: str, route: Route) -> tuple[set[int], bool]:
    """Give the lines that may change, from 0, and whether other things stand on them."""
    lines: set[int] = set()
    shared_lines = False
    for entry in entry_nodes(text, route):
        pair = weight_pair(entry)
        if entry.flow_style:
            shared_lines = True
            lines.update(range(entry.start_mark.line, entry.end_mark.line + 1))
        elif pair is not None:
            end = pair[1].end_mark.line if pair[1].value else pair[0].end_mark.line
            lines.update(range(pair[0].start_mark.line, end + 1))
            shared_lines |= entry.value[0][0] is pair[0]
    return lines, shared_lines


def without_weights(text: str, route: Route) -> str:
    """Give a document without its rule's weights and without white space, commas and dashes."""
    spans = []
    for entry in entry_nodes(text, route):
        pair = weight_pair(entry)
        if pair is not None:
            end = pair[1].end_mark.index if pair[1].value else pair[0].end_mark.index + 1
            spans.append((pair[0].start_mark.index, end))
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return re.sub(r"[\s,-]", "", text)


def split_lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r|\Z)", text)


def bytes_outside(before: bytes, after: bytes, route: Route) -> int:
    """Count the bytes of lines that are no weight's and differ."""
    if before.startswith(b"\xef\xbb\xbf") != after.startswith(b"\xef\xbb\xbf"):
        return 3
    old, new = documents(before), documents(after)
    if len(old) != len(new):
        return max(len(before), len(after))
    count = 0
    for number, ((_, one), (_, other)) in enumerate(zip(old, new, strict=True)):
        if number != number_of(old, route):
            count += 0 if one == other else max(len(one), len(other))
            continue
        own_old, mixed_old = own_lines(one, route)
        own_new, mixed_new = own_lines(other, route)
        if mixed_old or mixed_new:
            # A weight shares its lines with other things: these are compared without white space.
            rest_old, rest_new = without_weights(one, route), without_weights(other, route)
        else:
            rest_old, rest_new = (
                "".join(line for number, line in enumerate(split_lines(text)) if number not in own)
                for text, own in ((one, own_old), (other, own_new))
            )
            if not one.endswith(("\n", "\r")):
                rest_old, rest_new = rest_old.rstrip("\r\n"), rest_new.rstrip("\r\n")
        count += 0 if rest_old == rest_new else max(len(rest_old), len(rest_new), 1)
    return count


def number_of(found: list[tuple[int, str]], route: Route) -> int:
    """Give the place of the route's document, by the line that it begins on."""
    return max(number for number, (first, text) in enumerate(found) if first < route.line and text)


def assert_right(before: bytes, after: bytes, route: Route, weights: Values) -> None:
    """Assert that an edit did what was asked, and nothing else."""
    old, new = documents(before), documents(after)
    number = number_of(old, route)
    for reader in ("1.1", "1.2"):
        wanted = copy.deepcopy(load(old[number][1], reader))
        for entry, weight in zip(entries_of(wanted, route), weights, strict=True):
            if weight is not None:
                entry["weight"] = weight
            elif entry.get("weight") is not None:
                del entry["weight"]
        read = load(new[number][1], reader)
        assert read == wanted, reader
        assert [type(e.get("weight")) for e in entries_of(read, route)] == [type(w) for w in weights]
    assert bytes_outside(before, after, route) == 0
    assert text_of(before).endswith("\n") == text_of(after).endswith("\n")
    if b"\n" not in before.replace(b"\r\n", b""):
        assert b"\n" not in after.replace(b"\r\n", b""), "a line ends with LF alone"


@functools.cache
def schemas(kind: str) -> dict[str, Any]:
    """Give the validators of a kind's versions."""
    text = (shared("crds") / f"{CRDS[kind]}.yaml").read_text("utf-8")
    crd = yaml.load(text, Loader=yaml.CSafeLoader)
    return {
        version["name"]: jsonschema_rs.Draft202012Validator(version["schema"]["openAPIV3Schema"])
        for version in crd["spec"]["versions"]
    }


def schema_errors(content: bytes, route: Route) -> list[str] | None:
    """Give what the CustomResourceDefinition says against the object; ``None`` where it lacks the version."""
    found = documents(content)
    data = load(found[number_of(found, route)][1], "1.1")
    own = data if route.item is None else data["items"][route.item]
    validator = schemas(route.kind).get(route.api_version.partition("/")[2])
    return None if validator is None else [error.message for error in validator.iter_errors(own)]
