"""What a manifest says of its split, read as plain values: a second opinion that knows nothing of ``bot.manifests``.

It takes what the story needs: a Knative ``traffic`` block, the old modes ``runLatest`` and ``release``, and the
``weight`` of Istio's destinations. Anything else it takes for no split, so that a change of it counts.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

_TRAILER = re.compile(r"^Canary-(Service|Route|Weight|Stable|Candidate): (.*)$", re.MULTILINE)
_KEY = re.compile(r"(.+)#(?:([A-Za-z]+):)?([^/]*)/(.+)")
_MODES = ("runLatest", "release")
_SECTIONS = ("http", "tcp", "tls")
_ALL = 100  # percent
LATEST = "@latest"


@dataclass(frozen=True, slots=True)
class Said:
    """Which split a commit of the bot is about and what it gives to whom, as its trailers say.

    ``weight`` is the candidate's, whole percent; ``route`` is empty for all but a VirtualService.
    """

    path: str
    kind: str
    namespace: str
    name: str
    route: str
    weight: int
    stable: str
    candidate: str

    @classmethod
    def read(cls, message: str) -> Said | None:
        """Read a commit's message; ``None`` where the trailers are not all there."""
        found = dict(_TRAILER.findall(message))
        key = _KEY.fullmatch(found.get("Service", ""))
        weight = re.fullmatch(r"[0-9]{1,3}", found.get("Weight", ""))
        if key is None or weight is None or not {"Stable", "Candidate"} <= found.keys():
            return None
        path, kind, namespace, name = key.groups()
        who = found["Stable"], found["Candidate"]
        return cls(path, kind or "Service", namespace, name, found.get("Route", ""), int(weight[0]), *who)

    def holds(self, content: bytes) -> bool:
        """Whether a file gives the candidate its weight and the stable one the rest."""
        own = [document for document in documents(content) if self._is(document)]
        got = shares(own[0], self.route) if len(own) == 1 else {}
        wanted = {self.stable: _ALL - self.weight, self.candidate: self.weight}
        return {name: share for name, share in got.items() if share} == {
            name: share for name, share in wanted.items() if share
        }

    def differs_elsewhere(self, before: bytes, after: bytes) -> bool:
        """Whether two versions of a file differ in anything but this split, types and order included."""
        old, new = documents(before), documents(after)
        if not old or not new:
            return True
        both = [[self._rest(document) for document in each] for each in (old, new)]
        return repr(both[0]) != repr(both[1])

    def _is(self, document: Any) -> bool:
        metadata = _at(document, "metadata")
        found = (_at(document, "kind"), _at(metadata, "namespace") or "", _at(metadata, "name"))
        return found == (self.kind, self.namespace, self.name)

    def _rest(self, document: Any) -> Any:
        return without_split(document, self.route) if self._is(document) else document


@lru_cache(maxsize=8)  # a commit begins with the file that the one before it ended with
def documents(content: bytes) -> list[Any]:
    """Give the documents of a file as plain values, to be read only; none where it is no YAML."""
    try:
        return list(YAML(typ="safe", pure=True).load_all(content))
    except (YAMLError, ValueError):
        return []


def named(content: bytes, name: str) -> Any:
    """Give the document of a file that holds a split and has that name; ``None`` where there is not one."""
    kinds = {"Service", "VirtualService"}
    every = [d for d in documents(content) if _at(d, "kind") in kinds]
    found = [d for d in every if _at(_at(d, "metadata"), "name") == name]
    return found[0] if len(found) == 1 else None


def shares(document: Any, route: str = "") -> dict[str, int]:
    """Give the percent of each revision or destination; those of a revision that is named twice are added up."""
    found: dict[str, int] = {}
    spec = _at(document, "spec")
    names = _at(_at(spec, "release"), "revisions") or []
    if names:
        share = _at(spec["release"], "rolloutPercent") or 0
        found = dict(zip(names, (_ALL - share, share), strict=True)) if len(names) > 1 else {names[0]: _ALL}
    elif _at(spec, "runLatest") is not None:
        found = {LATEST: _ALL}
    for entry in _at(spec, "traffic") or []:
        name = _at(entry, "revisionName") or LATEST
        found[name] = found.get(name, 0) + (_at(entry, "percent") or 0)
    for entry in _entries(spec, route):
        found[_destination(entry)] = _at(entry, "weight") or 0
    return found


def written(document: Any, route: str = "") -> list[str]:
    """Give what stands in the file for the split, one field a line; targets of Knative without a share are left out."""
    spec = _at(document, "spec")
    names = _at(_at(spec, "release"), "revisions") or []
    if names:
        share = _at(spec["release"], "rolloutPercent") or 0
        return [f"revisions: [{', '.join(names)}]", f"rolloutPercent: {share}"]
    if _at(spec, "runLatest") is not None:
        return ["runLatest"]
    traffic = [entry for entry in _at(spec, "traffic") or [] if _at(entry, "percent")]
    lines = [f"percent: {entry['percent']} → {entry.get('revisionName') or LATEST}" for entry in traffic]
    return lines + [f"weight: {_at(e, 'weight') or 0} → {_destination(e)}" for e in _entries(spec, route)]


def without_split(document: Any, route: str = "") -> Any:
    """Give a copy of a document without its split, and without the revision's name; the old modes are one."""
    rest = copy.deepcopy(document)
    spec = _at(rest, "spec")
    for mode in _MODES:
        if isinstance(_at(spec, mode), dict):
            body = spec.pop(mode)
            own = ("revisions", "rolloutPercent") if mode == "release" else ()
            spec["a mode"] = {key: value for key, value in body.items() if key not in own}
    if isinstance(spec, dict):
        spec.pop("traffic", None)
    metadata = _at(_at(spec, "template"), "metadata")
    if isinstance(metadata, dict):
        metadata.pop("name", None)
    for entry in _entries(spec, route):
        entry.pop("weight", None)
    return rest


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _entries(spec: Any, route: str) -> list[dict[str, Any]]:
    """Give the destinations of the one rule of that name or place; none is taken for the split without it."""
    return [
        entry
        for section in _SECTIONS
        for place, rule in enumerate(_at(spec, section) or [])
        # Behind ``~`` stands what the bot knows the rule again by; nothing moves rules here.
        if route and route.partition("~")[0] in {_at(rule, "name"), f"{section}[{place}]"}
        for entry in _at(rule, "route") or []
    ]


def _destination(entry: dict[str, Any]) -> str:
    host, subset = (_at(_at(entry, "destination"), key) for key in ("host", "subset"))
    return f"{host}/{subset}" if subset else str(host)
