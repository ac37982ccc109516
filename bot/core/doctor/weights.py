"""Which fields hold weights, and whether a path of Argo CD or Kustomize covers one.

Sources: Knative Serving v1 and v1alpha1, Istio VirtualService, Gateway API routes; Argo CD, "Diff
Customization" (``jsonPointers`` are RFC 6901, ``jqPathExpressions`` are jq paths); RFC 6902.
"""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import fnmatchcase

ANY = "*"  # any entry of a list, and any key
LONGEST = 2_000  # characters of a jq expression that is read

KNATIVE = "serving.knative.dev"
_KNATIVE_FIELDS = (
    ("spec", "traffic", ANY, "percent"),
    ("spec", "traffic", ANY, "revisionName"),
    ("spec", "traffic", ANY, "latestRevision"),
    ("spec", "release", "rolloutPercent"),
    ("spec", "release", "revisions", ANY),
)
_ISTIO_FIELDS = tuple(("spec", route, ANY, "route", ANY, "weight") for route in ("http", "tcp", "tls"))
_GATEWAY_FIELDS = (("spec", "rules", ANY, "backendRefs", ANY, "weight"),)
FIELDS: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    (KNATIVE, "Service"): _KNATIVE_FIELDS,
    (KNATIVE, "Route"): _KNATIVE_FIELDS,
    ("networking.istio.io", "VirtualService"): _ISTIO_FIELDS,
    **{
        ("gateway.networking.k8s.io", kind): _GATEWAY_FIELDS
        for kind in ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")
    },
}
_WORDS = re.compile(
    r"\b(traffic|percent|weight|route|backendRefs|rolloutPercent|revisions?|revisionName)\b|\.\."
)


class Covers(Enum):
    """Whether a path covers a weight; ``MAYBE`` for an expression that decides while it runs."""

    NO = 0
    MAYBE = 1
    YES = 2


def kinds_of(group: str, kind: str) -> tuple[tuple[str, str], ...]:
    """Give the weighted kinds that a group and a kind select; both may be patterns with ``*``."""
    return tuple(key for key in FIELDS if fnmatchcase(key[0], group) and fnmatchcase(key[1], kind))


def pointer(text: str) -> tuple[str, ...] | None:
    """Give the segments of a JSON pointer (RFC 6901), ``None`` when it is none."""
    if text and not text.startswith("/"):
        return None
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def pointer_covers(text: str, keys: tuple[tuple[str, str], ...]) -> Covers:
    """Say whether a JSON pointer names a weight of one of the kinds, or something that holds it."""
    segments = pointer(text)
    return Covers.NO if segments is None else _covers(segments, keys)


def jq_covers(expression: str, keys: tuple[tuple[str, str], ...]) -> Covers:
    """Say whether a jq path expression selects a weight of one of the kinds, or something that holds it."""
    if len(expression) > LONGEST:
        return Covers.MAYBE
    found = Covers.NO
    for part in _parts(expression):
        segments = _segments(part)
        unclear = Covers.MAYBE if _WORDS.search(part) else Covers.NO
        covers = unclear if segments is None else _covers(segments, keys)
        found = max(found, covers, key=lambda c: c.value)
    return found


def _covers(segments: tuple[str, ...], keys: tuple[tuple[str, str], ...]) -> Covers:
    fields = {field for key in keys for field in FIELDS[key]}
    return Covers.YES if any(_is_above(segments, field) for field in fields) else Covers.NO


def _is_above(segments: tuple[str, ...], field: tuple[str, ...]) -> bool:
    if len(segments) > len(field):
        return False
    pairs = zip(segments, field, strict=False)
    return all(
        mine in {ANY, theirs} or (theirs == ANY and (mine.isdigit() or mine == "-")) for mine, theirs in pairs
    )


def _parts(expression: str) -> list[str]:
    """Cut at the commas outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, character in enumerate(expression):
        if character == '"' and expression[index - 1 : index] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character in "([{") - (character in ")]}")
            if character == "," and not depth:
                parts.append(expression[start:index])
                start = index + 1
    return [*parts, expression[start:]]


_STEP = re.compile(
    r"""\.?\["(?P<quoted>[^"\\]+)"\]"""  # ["name"]
    r"""|\.?\[(?P<index>-?\d*|-?\d*:-?\d*)\]"""  # [], [0], [1:2]
    r"""|\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|\."(?P<text>[^"\\]+)\""""
    r"""|(?P<whole>\.)(?=\||\Z)"""  # . alone
)


def _segments(expression: str) -> tuple[str, ...] | None:
    """Give the path of a plain jq expression, ``select(...)`` left out; ``None`` for any other."""
    left = _without_select(re.sub(r"\s+|\?", "", expression))
    while left.startswith("(") and left.endswith(")"):
        left = left[1:-1]
    segments: list[str] = []
    for part in left.split("|"):
        position = 0
        while position < len(part):
            step = _STEP.match(part, position)
            if step is None:
                return None
            if step["index"] is not None:
                segments.append(ANY)
            elif step["whole"] is None:
                segments.append(step["quoted"] or step["name"] or step["text"])
            position = step.end()
    return tuple(segments)


def _without_select(text: str) -> str:
    """Take ``|select(...)`` away: it narrows a path and never widens it."""
    while (start := text.find("select(")) >= 0:
        depth, end = 0, len(text)
        for index in range(start + len("select"), len(text)):
            depth += (text[index] == "(") - (text[index] == ")")
            if not depth:
                end = index + 1
                break
        before = text[:start].removesuffix("|")
        text = before + text[end:]
    return text
