"""The v1alpha1 modes of a Knative Service: what the server says of them, and what they are in v1.

``runLatest``, ``pinned`` and ``release`` hold a configuration; ``rolloutPercent`` is the candidate's share.
Source: Knative Serving v0.17, ``pkg/apis/serving/v1alpha1`` (validation and conversion).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bot.core.admission import Facts, refusal
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.traffic import CANDIDATE_TAG, STABLE_TAG, Target, defaulted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LATEST = "@latest"
MODES = ("runLatest", "release", "pinned", "manual")  # the converter's order
DROPPED = ("generation", "servingState", "concurrencyModel")
LARGEST_PERCENT = 99
_MOST = 2  # revisions of a release
_BOTH, _NEITHER = "expected exactly one, got both", "expected exactly one, got neither"
_NOT_ALLOWED, _MISSING = "must not set the field(s)", "missing field(s)"


@dataclass(frozen=True, slots=True)
class Legacy:
    """A mode with what it says of traffic.

    ``revisions`` are none for ``runLatest``, one for ``pinned``, one or two for ``release`` (stable, candidate).
    ``percent`` is the candidate's, ``None`` where it is not written.
    """

    mode: str
    revisions: tuple[str, ...] = ()
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """A service in v1: ``template`` and the fields of each entry of ``traffic``, as plain values."""

    template: dict[str, Any]
    traffic: tuple[dict[str, Any], ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The entries as targets."""
        return tuple(
            Target(
                entry.get("revisionName") or None,
                entry.get("percent"),
                entry.get("tag"),
                entry.get("latestRevision"),
            )
            for entry in self.traffic
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a service cannot be converted; the converter's own text, but where the converter crashes."""

    text: str


# the arithmetic of a rollout --------------------------------------------------------


def start(legacy: Legacy, *, stable: str, candidate: str, percent: int) -> Legacy:
    """Give the release in which a candidate has ``percent`` of the traffic, 0 to 100.

    Raises:
        Declined: ``weight-out-of-range``, ``same-revision``.
    """
    if stable == candidate:
        message = f"Stable and candidate are both {code(stable)}."
        raise Declined(Problem("same-revision", message, "Name the revision that serves now."))
    return step(replace(legacy, mode="release", revisions=(stable, candidate)), percent)


def step(legacy: Legacy, percent: int) -> Legacy:
    """Give a release of two revisions with another share of the candidate; 100 ends it.

    Raises:
        Declined: ``weight-out-of-range``, ``unknown-candidate``.
    """
    _two(legacy)
    if not 0 <= percent <= 100:  # noqa: PLR2004 - percents
        raise Declined(Problem("weight-out-of-range", f"{percent} is outside 0–100.", "Use 0 to 100."))
    return replace(legacy, percent=percent) if percent <= LARGEST_PERCENT else finish(legacy)


def finish(legacy: Legacy) -> Legacy:
    """Give all traffic to the candidate.

    Raises:
        Declined: ``unknown-candidate``.
    """
    return replace(legacy, revisions=(_two(legacy)[1],), percent=0)


def roll_back(legacy: Legacy) -> Legacy:
    """Give all traffic to the stable revision.

    Raises:
        Declined: ``unknown-candidate``.
    """
    return replace(legacy, revisions=(_two(legacy)[0],), percent=0)


def _two(legacy: Legacy) -> tuple[str, ...]:
    if legacy.mode != "release" or len(legacy.revisions) != _MOST:
        message = "The service has no release of two revisions."
        raise Declined(Problem("unknown-candidate", message, "Start a canary first."))
    return legacy.revisions


def targets_of(legacy: Legacy) -> tuple[Target, ...]:
    """Give the v1 targets of a valid mode."""
    if legacy.mode == "runLatest":
        return (Target(percent=100, latest=True),)
    if legacy.mode == "pinned":
        return (Target(legacy.revisions[0] or None, 100),)
    two = len(legacy.revisions) == _MOST
    share = (legacy.percent or 0) if two else 0
    found = [_slot(legacy.revisions[0], STABLE_TAG, 100 - share)]
    if two:
        found.append(_slot(legacy.revisions[1], CANDIDATE_TAG, share))
    return (*found, Target(tag="latest", latest=True))


def _slot(revision: str, tag: str, percent: int) -> Target:
    if revision == LATEST:
        return Target(percent=percent, tag=tag, latest=True)
    return Target(revision or None, percent, tag)


# conversion -------------------------------------------------------------------------


def convert(spec: Mapping[str, Any]) -> Converted | Refusal:
    """Convert the ``spec`` of a v1alpha1 Service; as permissive as the server, so validate first."""
    mode = next((mode for mode in MODES if spec.get(mode) is not None), None)
    if mode == "manual":
        return Refusal("manual mode cannot be migrated forward.")
    body = spec if mode is None else _mapping(spec[mode])
    template = _template(body if mode is None else _mapping(body.get("configuration")))
    if isinstance(template, Refusal):
        return template
    if mode is None:
        return Converted(template, tuple(_renamed(entry) for entry in spec.get("traffic") or []))
    revisions: tuple[str, ...] = ()
    if mode == "pinned":
        revisions = (body.get("revisionName") or "",)
    elif mode == "release":
        revisions = tuple(body.get("revisions") or ())
        if not revisions:
            return Refusal("release without revisions cannot be migrated forward.")
    targets = targets_of(Legacy(mode, revisions, body.get("rolloutPercent")))
    return Converted(template, tuple(map(_entry, targets)))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _entry(target: Target) -> dict[str, Any]:
    fields = {
        "tag": target.tag,
        "revisionName": target.revision,
        "latestRevision": target.latest,
        "percent": target.percent,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _renamed(entry: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in entry.items() if key != "name"}
    return {"tag": entry["name"], **rest} if entry.get("name") else rest


def _template(configuration: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    if configuration.get("build") is not None:
        return Refusal("build cannot be migrated forward.")
    template = _one_of(configuration, "revisionTemplate", "template")
    if isinstance(template, Refusal):
        return template
    spec = _mapping(_mapping(template).get("spec"))
    container = _one_of(spec, "container", "containers")
    if isinstance(container, Refusal):
        return container
    kept = {key: value for key, value in spec.items() if key not in {*DROPPED, "container", "containers"}}
    containers = container if isinstance(container, list) else [container]
    return {
        "metadata": _mapping(_mapping(template).get("metadata")),
        "spec": {"containers": containers, **kept},
    }


def _one_of(holder: Mapping[str, Any], first: str, second: str) -> Any:
    found = [holder[key] for key in (first, second) if holder.get(key) is not None]
    if len(found) == 1:
        return found[0]
    return Refusal(f"{_BOTH if found else _NEITHER}: {first}, {second}")


# validation -------------------------------------------------------------------------


def alpha_refusal(name: str, spec: Mapping[str, Any]) -> str | None:
    """Give the v1alpha1 server's text against a service, one violation a line, or ``None``.

    It looks at modes, traffic, names and where a container stands; not into containers.
    """
    merged: dict[str, set[str]] = {}
    for message, path in _violations(name, spec):
        merged.setdefault(message, set()).add(path)
    return "\n".join(f"{message}: {', '.join(sorted(merged[message]))}" for message in sorted(merged)) or None


def _violations(name: str, spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    modes = [mode for mode in MODES if spec.get(mode) is not None]
    inline = any(spec.get(key) is not None for key in ("template", "revisionTemplate"))
    chosen = [*modes, *(["template"] if inline else [])]
    if modes and not inline and spec.get("traffic"):
        chosen.append("traffic")
    if len(chosen) != 1:
        for one in chosen or ("pinned", "release", "runLatest", "template"):
            yield _BOTH if chosen else _NEITHER, f"spec.{one}"
    for mode in modes:
        if mode == "manual":
            yield _NOT_ALLOWED, "spec.manual"
            continue
        body = _mapping(spec[mode])
        yield from _of_configuration(_mapping(body.get("configuration")), f"spec.{mode}.configuration")
        if mode == "pinned" and not body.get("revisionName"):
            yield _MISSING, "spec.pinned.revisionName"
        if mode == "release":
            yield from _of_release(body)
    if inline:
        yield from _of_inline(name, spec, moded=bool(modes))


def _of_configuration(configuration: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if not configuration:
        yield _MISSING, path
        return
    found = [key for key in ("revisionTemplate", "template") if configuration.get(key) is not None]
    if len(found) != 1:
        for key in ("revisionTemplate", "template"):
            yield _BOTH if found else _NEITHER, f"{path}.{key}"
        return
    spec = _mapping(_mapping(configuration[found[0]]).get("spec"))
    below = f"{path}.{found[0]}.spec"
    container, containers = spec.get("container"), spec.get("containers")
    if found[0] == "template" and container is not None:
        yield _NOT_ALLOWED, f"{below}.container"
    elif container is not None and containers is not None:
        yield _BOTH, f"{below}.container"
        yield _BOTH, f"{below}.containers"
    elif containers is None and not _mapping(container).get("image"):
        yield _MISSING, f"{below}.container.image"


def _of_release(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    revisions = body.get("revisions") or []
    percent = body.get("rolloutPercent") or 0
    if not revisions:
        yield _MISSING, "spec.release.revisions"
    elif len(revisions) > _MOST:
        yield f"expected 1 <= {len(revisions)} <= {_MOST}", "spec.release.revisions"
    for i, revision in enumerate(revisions):
        if revision != LATEST and (reason := _of_label(revision)):
            yield f"invalid value: {reason}", f"spec.release.revisions[{i}]"
    if not 0 <= percent <= LARGEST_PERCENT:
        yield f"expected 0 <= {percent} <= {LARGEST_PERCENT}", "spec.release.rolloutPercent"
    elif percent and len(revisions) < _MOST:
        yield "may not set rolloutPercent for a single revision", "spec.release.rolloutPercent"


def _of_label(name: str) -> str:
    # An empty revision is judged as a label, an empty service name as none.
    text = refusal(Facts(name=name or "-", targets=defaulted(()).targets))
    return text.removesuffix(": metadata.name") if text else ""


def _of_inline(name: str, spec: Mapping[str, Any], *, moded: bool) -> Iterator[tuple[str, str]]:
    if _mapping(_mapping(spec.get("template")).get("spec")).get("container") is not None:
        yield _NOT_ALLOWED, "spec.template.spec.container"
    traffic = spec.get("traffic") or []
    if moded and not traffic:
        yield _MISSING, "spec"  # the defaults are set for the mode only
        return
    for i, entry in enumerate(traffic):
        if entry.get("name"):
            yield _NOT_ALLOWED, f"spec.traffic[{i}].name"
    converted = convert({key: value for key, value in spec.items() if key not in MODES})
    text = v1_refusal(name, converted) if isinstance(converted, Converted) else None
    for message, paths in re.findall(
        r"(?m)^(.*): ((?:spec|metadata)\.[^ \n]+(?:, spec\.[^ \n]+)*)$", text or ""
    ):
        for path in paths.split(", "):
            yield message, path


def v1_refusal(name: str, converted: Converted) -> str | None:
    """Give the v1 server's text against a converted service, or ``None`` where it accepts."""
    return refusal(
        Facts(
            name=name,
            targets=defaulted(converted.targets).targets,
            template_name=converted.template["metadata"].get("name") or "",
            configurations=frozenset(
                i for i, entry in enumerate(converted.traffic) if entry.get("configurationName")
            ),
        )
    )
