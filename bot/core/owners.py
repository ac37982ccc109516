"""Who else sets the split of an object: progressive delivery controllers, seen from marks and from other files.

A controller that sets weights in the cluster and a bot that sets them in Git undo each other's work, so such
an object is refused. What only disturbs a rollout is a caution: a ``Problem`` for the reply and the check that
stops nothing.

Sources: Argo Rollouts, "Istio" (``trafficRouting.istio``; ``NAME.NAMESPACE`` is read as its ``util/istio`` does)
and its Gateway API plugin, "Quick start" (``httpRoute``, ``namespace``, the in-progress label); Flagger, "Knative
Canary Deployments" (``flagger.app/primary-revision``, ``targetRef``) and ``Canary.GetServiceNames`` (the service's
name, else the target's); Cloud Deploy, "Using annotations and labels" (automatic labels) and "Canary Deployments to
Cloud Run" (``automaticTrafficControl``); Kubernetes, "Owners and Dependents" (the one owner with ``controller:
true`` manages the object); Knative Serving, ``rollout-duration``; Flux, "Automate image updates" (markers).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from bot.core.doctor.documents import at, entries, objects, place, text
from bot.core.problems import Place, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ARGO, FLAGGER, CLOUD_DEPLOY = "Argo Rollouts", "Flagger", "Cloud Deploy"
_SERVING, _GATEWAY, _ISTIO = "serving.knative.dev", "gateway.networking.k8s.io", "networking.istio.io"
_DEPLOY = "deploy.cloud.google.com"
# A controller that sets weights leaves these. Argo CD's own keys end with argoproj.io too, and say nothing.
_KEY = re.compile(
    r"(?:[^/]+\.)?(flagger\.app|(?:argo-)?rollouts\.argoproj\.io|deploy\.cloud\.google\.com)/.*"
)
_BY_KEY = {"flagger.app": FLAGGER, _DEPLOY: CLOUD_DEPLOY}
_MANAGED_BY = "app.kubernetes.io/managed-by"
_MANAGERS = {"flagger": FLAGGER, "argo-rollouts": ARGO, "google-cloud-deploy": CLOUD_DEPLOY}
_OWNERS = {("flagger.app", "Canary"): FLAGGER, ("argoproj.io", "Rollout"): ARGO}
# Cloud Deploy labels everything that it renders, and sets the traffic of these only.
_DEPLOYED = frozenset({(_SERVING, "Service"), (_GATEWAY, "HTTPRoute")})
_DURATIONS = (f"{_SERVING}/rollout-duration", f"{_SERVING}/rolloutDuration")
_NO_DURATION = frozenset({"", "0", "0s"})
_IMAGE_UPDATER = "argocd-image-updater.argoproj.io/"
_IMAGE_MARKER = re.compile(rb"""#[ \t]*\{[ \t]*["']\$imagepolicy["'][ \t]*:""")
_PLUGIN = "gatewayapi"
_PLUGIN_FIELDS = {
    "HTTPRoute": "httpRoute",
    "GRPCRoute": "grpcRoute",
    "TCPRoute": "tcpRoute",
    "TLSRoute": "tlsRoute",
}
_PROVIDERS = {(_ISTIO, "VirtualService"): "istio", (_GATEWAY, "HTTPRoute"): "gatewayapi"}
_NAMING = (
    (b"argoproj.io", b"Rollout"),
    (b"flagger.app", b"Canary"),
    (_DEPLOY.encode(), b"DeliveryPipeline"),
    (b"skaffold/", b"rawYaml"),
)


@dataclass(frozen=True, slots=True)
class Holder:
    """An object that holds a split, as far as its owner shows.

    ``owners`` are its ``metadata.ownerReferences``, as plain values. ``place`` is where it stands; its path is
    the one that a delivery pipeline may name.
    """

    api_version: str
    kind: str
    name: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Any, ...] = ()
    place: Place = field(default_factory=Place)

    @property
    def group(self) -> str:
        """The API group, ``serving.knative.dev``."""
        return self.api_version.partition("/")[0]

    @property
    def what(self) -> str:
        """What of it is set, in words: ``the traffic of this service``."""
        if self.group == _SERVING:
            return f"the traffic of this {'service' if self.kind == 'Service' else 'route'}"
        return "the weights of this route"


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign that somebody else sets the split: who, and what shows it; both are Markdown."""

    who: str
    sign: str
    remedy: str

    def message(self, holder: Holder) -> str:
        """Say it in a sentence."""
        return f"{self.who} sets {holder.what} ({self.sign}); two writers would fight."


def holder_of(api_version: str, kind: str, metadata: Any, place: Place | None = None) -> Holder:
    """Give an object from its ``metadata`` as plain values, whatever they are."""
    return Holder(
        api_version=api_version,
        kind=kind,
        name=text(at(metadata, "name")),
        namespace=text(at(metadata, "namespace")) or None,
        labels=_strings(at(metadata, "labels")),
        annotations=_strings(at(metadata, "annotations")),
        owners=tuple(entries(at(metadata, "ownerReferences"))),
        place=place or Place(),
    )


def marks(holder: Holder) -> tuple[Mark, ...]:
    """Give who sets the split by the object's own labels, annotations and owners; each of them once."""
    found: dict[str, Mark] = {}
    for mark in _marks(holder):
        found.setdefault(mark.who, mark)
    return tuple(found.values())


def verdict(holder: Holder) -> tuple[Problem, ...]:
    """Give why the object is not the bot's to edit, from its own marks (``foreign-controller``); empty if it is."""
    return tuple(
        Problem("foreign-controller", mark.message(holder), mark.remedy, holder.place)
        for mark in marks(holder)
    )


def cautions(holder: Holder) -> tuple[Problem, ...]:
    """Give what will disturb a rollout and does not forbid it (``rollout-duration``, ``image-updater``)."""
    return tuple(_cautions(holder))


def image_marker(content: bytes, path: str) -> Problem | None:
    """Give the caution about Flux' image markers in a file (``image-updater``), with the first one's line."""
    found = _IMAGE_MARKER.search(content)
    if found is None:
        return None
    return _image_updater("Flux", Place(path, content.count(b"\n", 0, found.start()) + 1))


def may_name_owner(content: bytes) -> bool:
    """Whether a file may hold an object that owns another one's split; reads no YAML."""
    plain = content.replace(b"\0", b"")  # UTF-16 is found too
    return any(all(word in plain for word in words) for words in _NAMING)


def named_by(holder: Holder, files: Iterable[tuple[str, tuple[Any, ...]]]) -> tuple[Problem, ...]:
    """Give the objects of other files that set the split (``foreign-controller``), each with its place.

    A namespace that is not written, here or there, is taken to be the same one: an overlay fills both in.

    Args:
        holder: The object that holds the split.
        files: Path and documents of each file that may name it, as ``bot.core.doctor.documents.read_all``
            gives them: their lines come out then.
    """
    read = [(path, found) for path, documents in files for found in objects(documents)]
    problems = [
        _named(holder, who, path, found)
        for path, found in read
        for who in [_owner(holder, found)]
        if who is not None
    ]
    return (*problems, *_pipelines(holder, read))


# marks of the object itself ------------------------------------------------------------------------


def _strings(value: Any) -> dict[str, str]:
    return {str(key): str(held) for key, held in value.items()} if isinstance(value, dict) else {}


def _marks(holder: Holder) -> Iterator[Mark]:
    for what, held in (("label", holder.labels), ("annotation", holder.annotations)):
        for key, value in held.items():
            who = ""
            if found := _KEY.fullmatch(key):
                who = _BY_KEY.get(found[1], ARGO)
            elif key == _MANAGED_BY:
                who = _MANAGERS.get(value.lower(), "")
            if who and (who != CLOUD_DEPLOY or (holder.group, holder.kind) in _DEPLOYED):
                yield Mark(who, f"its {what} {code(key)}", _remedy(holder, who))
    for owner in holder.owners:
        group, kind = text(at(owner, "apiVersion")).partition("/")[0], text(at(owner, "kind"))
        shown = f"the {code(kind)} {code(text(at(owner, 'name')))}"
        if who := _OWNERS.get((group, kind), ""):
            yield Mark(who, f"{shown} owns it", _remedy(holder, who))
        elif at(owner, "controller") is True:
            remedy = f"Change {shown}, which makes this object, or take the object away from it first."
            yield Mark(f"The controller of {shown}", "`ownerReferences` name it", remedy)


def _remedy(holder: Holder, who: str) -> str:
    thing = "service" if holder.what.endswith("service") else "route"
    return f"Roll out with {who}, or take the {thing} away from it first."


def _cautions(holder: Holder) -> Iterator[Problem]:
    if holder.group == _SERVING:
        for key in _DURATIONS:
            if holder.annotations.get(key, "").strip() not in _NO_DURATION:
                yield Problem(
                    "rollout-duration",
                    f"{code(key)} moves the weight of targets with `latestRevision: true` by time alone; it waits "
                    "for no gate, and does nothing for revisions that are named.",
                    "Remove the annotation: the steps of the rollout take its place.",
                    holder.place,
                )
    if any(key.startswith(_IMAGE_UPDATER) for key in holder.annotations):
        yield _image_updater("Argo CD Image Updater", holder.place)


def _image_updater(who: str, where: Place) -> Problem:
    return Problem(
        "image-updater",
        f"{who} writes new images here. A new image under an old revision name is refused by the platform, and "
        "during a rollout it is a second candidate.",
        "Let it open pull requests, on which a command can name the revision; or pause it while a rollout runs.",
        where,
    )


# other objects that name it ------------------------------------------------------------------------


def _owner(holder: Holder, found: dict[Any, Any]) -> str | None:
    group, kind = text(found.get("apiVersion")).partition("/")[0], text(found.get("kind"))
    if (group, kind) == ("argoproj.io", "Rollout"):
        return ARGO if any(_is(holder, *named) for named in _routed(holder, found)) else None
    if (group, kind) == ("flagger.app", "Canary"):
        return FLAGGER if _flagger_owns(holder, found) else None
    return None


def _is(holder: Holder, name: str, namespace: str) -> bool:
    same = not namespace or holder.namespace is None or namespace == holder.namespace
    return bool(name) and name == holder.name and same


def _routed(holder: Holder, rollout: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """Give name and namespace of the objects of the holder's kind that a Rollout sets weights of."""
    routing = at(rollout, "spec", "strategy", "canary", "trafficRouting")
    own = text(at(rollout, "metadata", "namespace"))
    if (holder.group, holder.kind) == (_ISTIO, "VirtualService"):
        istio = at(routing, "istio")
        for one in (at(istio, "virtualService"), *entries(at(istio, "virtualServices"))):
            name, _, rest = text(at(one, "name")).partition(".")
            yield name, rest.partition(".")[0] or own
    elif holder.group == _GATEWAY and holder.kind in _PLUGIN_FIELDS:
        key = _PLUGIN_FIELDS[holder.kind]
        plugins = at(routing, "plugins")
        for name, plugin in plugins.items() if isinstance(plugins, dict) else ():
            if text(name).rpartition("/")[2].lower() == _PLUGIN:
                where = text(at(plugin, "namespace")) or own
                yield text(at(plugin, key)), where
                for one in entries(at(plugin, f"{key}s")):
                    yield text(at(one, "name")), text(at(one, "namespace")) or where


def _flagger_owns(holder: Holder, canary: dict[Any, Any]) -> bool:
    spec, namespace = at(canary, "spec"), text(at(canary, "metadata", "namespace"))
    target = at(spec, "targetRef")
    if holder.group == _SERVING:
        group, kind = text(at(target, "apiVersion")).partition("/")[0], text(at(target, "kind"))
        return (group, kind) == (holder.group, holder.kind) and _is(
            holder, text(at(target, "name")), namespace
        )
    provider = _PROVIDERS.get((holder.group, holder.kind))
    # Without a provider of its own a Canary has the one that Flagger was started with.
    if provider is None or not (text(at(spec, "provider")) or provider).startswith(provider):
        return False
    return _is(holder, text(at(spec, "service", "name")) or text(at(target, "name")), namespace)


def _named(holder: Holder, who: str, path: str, found: dict[Any, Any]) -> Problem:
    where = place(path, found)
    shown = f"{text(found.get('kind'))} {code(text(at(found, 'metadata', 'name')))} in {code(str(where))}"
    return Problem(
        "foreign-controller",
        f"{who} sets {holder.what}: the {shown} names it. Two writers would fight.",
        _remedy(holder, who),
        where,
    )


def _pipelines(holder: Holder, read: list[tuple[str, dict[Any, Any]]]) -> Iterator[Problem]:
    """Give the Skaffold files that hand the holder's file to a pipeline with automatic traffic control."""
    automatic = [(path, found) for path, found in read if _controls_traffic(found)]
    if not automatic or (holder.group, holder.kind) != (_SERVING, "Service"):
        return
    for path, found in read:
        if text(found.get("apiVersion")).startswith("skaffold/") and _lists(path, found, holder.place.path):
            pipeline_path, pipeline = automatic[0]
            where = place(path, found)
            yield Problem(
                "foreign-controller",
                f"{CLOUD_DEPLOY} sets {holder.what}: {code(str(where))} renders it, and "
                f"{code(str(place(pipeline_path, pipeline)))} has automatic traffic control. Two writers would fight.",
                _remedy(holder, CLOUD_DEPLOY),
                where,
            )


def _controls_traffic(found: dict[Any, Any]) -> bool:
    if not text(found.get("apiVersion")).startswith(f"{_DEPLOY}/") or found.get("kind") != "DeliveryPipeline":
        return False
    return any(
        at(stage, "strategy", "canary", "runtimeConfig", "cloudRun", "automaticTrafficControl") is True
        for stage in entries(at(found, "serialPipeline", "stages"))
    )


def _lists(path: str, skaffold: dict[Any, Any], wanted: str) -> bool:
    folder = posixpath.dirname(path)
    for part in (skaffold, *entries(skaffold.get("profiles"))):
        for listed in entries(at(part, "manifests", "rawYaml")):
            pattern = posixpath.normpath(posixpath.join(folder, text(listed) or "."))
            if wanted and fnmatchcase(wanted, pattern):
                return True
    return False
