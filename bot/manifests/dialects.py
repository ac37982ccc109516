"""How Istio and the Gateway API write weighted routes: where they lie, and what things are called.

Sources: Istio API, ``networking.istio.io`` v1, v1beta1 and v1alpha3 (one schema for all), and
Gateway API v1 with the earlier versions of ``gateway.networking.k8s.io``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.weights import Platform

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where an API keeps its weights: ``spec.<section>[].<destinations>[].weight``.

    ``matches`` is the key of a rule's conditions, ``hosts`` the key under ``spec`` of the names
    it answers to. A new weight goes behind the last of the keys ``before_weight``. ``names_of``
    gives the names of a destination, from short to long, empty where it has none, and then the
    short forms that a person may use.
    """

    platform: Platform
    group: str
    kinds: frozenset[str]
    sections: tuple[str, ...]
    destinations: str
    matches: str
    hosts: str
    before_weight: tuple[str, ...]
    names_of: Callable[[dict[str, Any]], tuple[tuple[str, ...], tuple[str, ...]]]


def _istio_names(entry: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``host/subset``, then ``host:port/subset``; in short, the subset."""
    destination = entry.get("destination")
    if not isinstance(destination, dict) or not (host := _text(destination.get("host"))):
        return (), ()
    subset = _text(destination.get("subset"))
    behind = f"/{subset}" if subset else ""
    port = destination.get("port")
    number = port.get("number") if isinstance(port, dict) else None
    names = [f"{host}{behind}"]
    if isinstance(number, int):
        names.append(f"{host}:{number}{behind}")
    return tuple(names), (subset,) if subset else ()


def _backend_names(entry: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``name``, then ``name:port``, then ``namespace/name:port``."""
    if not (name := _text(entry.get("name"))):
        return (), ()
    names = [name]
    if isinstance(port := entry.get("port"), int):
        names.append(f"{name}:{port}")
    if namespace := _text(entry.get("namespace")):
        names.append(f"{namespace}/{names[-1]}")
    return tuple(names), ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


ISTIO = Dialect(
    platform=Platform.ISTIO,
    group="networking.istio.io",
    kinds=frozenset({"VirtualService"}),
    sections=("http", "tls", "tcp"),
    destinations="route",
    matches="match",
    hosts="hosts",
    before_weight=("destination",),
    names_of=_istio_names,
)
GATEWAY = Dialect(
    platform=Platform.GATEWAY,
    group="gateway.networking.k8s.io",
    kinds=frozenset({"HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"}),
    sections=("rules",),
    destinations="backendRefs",
    matches="matches",
    hosts="hostnames",
    before_weight=("group", "kind", "name", "namespace", "port"),
    names_of=_backend_names,
)
DIALECTS = (ISTIO, GATEWAY)
# Gateway API v1alpha1, replaced in 2021: ``forwardTo`` with ``serviceName`` in the place of ``backendRefs``.
OLD_GROUP = "networking.x-k8s.io"
KINDS = frozenset(kind for dialect in DIALECTS for kind in dialect.kinds)


def dialect_of(api_version: str, kind: str) -> Dialect | None:
    """Give the dialect of an object, ``None`` for other objects."""
    group = api_version.partition("/")[0]
    return next((d for d in DIALECTS if d.group == group and kind in d.kinds), None)


def distinct(names: list[tuple[str, ...]]) -> list[str]:
    """Choose the shortest name of each that no other has; the longest where there is none.

    Each tuple has at least one name.
    """
    chosen = [0] * len(names)
    while True:
        current = [own[level] for own, level in zip(names, chosen, strict=True)]
        counts = Counter(current)
        longer = [
            number
            for number, name in enumerate(current)
            if counts[name] > 1 and chosen[number] + 1 < len(names[number])
        ]
        if not longer:
            return current
        for number in longer:
            chosen[number] += 1


def conditions(plain: Any) -> tuple[str, ...]:
    """Give the conditions of a rule in one line each: ``uri.prefix=/api, headers.x-test.exact=v2``."""
    entries = plain if isinstance(plain, list) else []
    return tuple(", ".join(_leaves(entry, "")) for entry in entries)


def _leaves(value: Any, path: str) -> list[str]:
    match value:
        case dict() if value:
            return [leaf for key, part in value.items() for leaf in _leaves(part, f"{path}.{key}")]
        case list() if value:
            return [leaf for part in value for leaf in _leaves(part, path)]
        case bool():
            return [f"{path.lstrip('.')}={str(value).lower()}"]
        case None | dict() | list():
            return [path.lstrip(".")]
        case _:
            return [f"{path.lstrip('.')}={value}"]
