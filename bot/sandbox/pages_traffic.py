"""The traffic blocks of manifests, read for a picture.

Not the bot's reader: a page that showed the split through the code that wrote it would
agree with it also where both are wrong. What cannot be read is no picture.
Source: Knative Serving v1 ``TrafficTarget``, v1alpha1 ``runLatest``, ``pinned``, ``release``; Istio
``HTTPRouteDestination.weight``; Gateway API ``BackendRef.weight``, 1 where it is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.sandbox.pages_view import Share, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 256 * 1024  # bytes of a file that is looked at
MOST_SERVICES = 50  # of one file
_ALL = 100  # percent
_ABSENT = {"networking.istio.io": 0, "gateway.networking.k8s.io": 1}  # what a missing weight counts as


def is_manifest(path: str) -> bool:
    """Whether a file may hold a manifest, by its name."""
    return path.endswith((".yaml", ".yml", ".json"))


def traffic_of(path: str, content: bytes) -> tuple[Traffic, ...]:
    """Give the splits of all services and routes of a file; nothing where it cannot be read."""
    if len(content) > LARGEST or not any(group in content for group in (b"knative", b"networking")):
        return ()
    try:
        documents = list(YAML(typ="safe", pure=True).load_all(content.decode("utf-8-sig")))
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return ()
    found: list[Traffic] = []
    for document in documents[:MOST_SERVICES]:
        found.extend(_traffic(path, document))
    return tuple(found)


def _traffic(path: str, document: Any) -> Iterable[Traffic]:
    if not isinstance(document, dict):
        return
    kind, version = document.get("kind"), str(document.get("apiVersion", ""))
    group = version.partition("/")[0]
    if group in _ABSENT:
        yield from _routes(path, document, _ABSENT[group])
        return
    if kind not in {"Service", "Route"} or not version.startswith("serving.knative.dev/"):
        return
    spec, name = _map(document.get("spec")), _map(document.get("metadata")).get("name")
    shares = _legacy(spec) if {"runLatest", "pinned", "release"} & spec.keys() else _targets(spec)
    yield Traffic(str(name or "?"), path, tuple(shares))


def _routes(path: str, document: dict[str, Any], absent: int) -> Iterable[Traffic]:
    """Give the rules that have several destinations, each as a picture of its own."""
    spec, name = _map(document.get("spec")), str(_map(document.get("metadata")).get("name") or "?")
    for section in ("http", "tls", "tcp", "rules"):
        rules = spec.get(section)
        for number, rule in enumerate(rules if isinstance(rules, list) else []):
            found = _map(rule).get("backendRefs" if section == "rules" else "route")
            ends = [_map(end) for end in found] if isinstance(found, list) else []
            if len(ends) > 1:
                weights = [_weight(end.get("weight"), absent) for end in ends]
                total = sum(weights) or 1
                names = [_destination(end) for end in ends]
                shares = (Share(n, round(100 * w / total)) for n, w in zip(names, weights, strict=True))
                yield Traffic(f"{name} {section}[{number}]", path, tuple(shares))


def _destination(end: dict[str, Any]) -> str:
    there = _map(end.get("destination"))
    parts = [end.get("name"), there.get("host"), there.get("subset")]
    return "/".join(str(part) for part in parts if part) or "?"


def _weight(value: Any, absent: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else absent


def _targets(spec: dict[str, Any]) -> Iterable[Share]:
    block = spec.get("traffic")
    targets = [target for target in block if isinstance(target, dict)] if isinstance(block, list) else []
    if not targets:
        yield Share("@latest", _ALL)
    for target in targets:
        revision, floats = target.get("revisionName"), target.get("latestRevision") is True
        name = "@latest" if floats or not revision else str(revision)
        yield Share(name, _percent(target.get("percent")), str(target.get("tag") or ""))


def _legacy(spec: dict[str, Any]) -> Iterable[Share]:
    if "runLatest" in spec:
        yield Share("@latest", _ALL)
    elif "pinned" in spec:
        yield Share(str(_map(spec["pinned"]).get("revisionName", "?")), _ALL)
    else:
        release = _map(spec["release"])
        revisions = release.get("revisions")
        names = [str(one) for one in revisions] if isinstance(revisions, list) else []
        moved = _percent(release.get("rolloutPercent")) if len(names) > 1 else 0
        for name, percent, tag in zip(names, (_ALL - moved, moved), ("current", "candidate"), strict=False):
            yield Share(name, percent, tag)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _percent(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _ALL else 0
