"""Kustomize patches that set the traffic of a service once more.

Sources: Kustomize's ``patches``, ``patchesStrategicMerge`` and ``patchesJson6902``; Flux, ``Kustomization``
``spec.patches``. Only what stands in the tree is looked at.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from bot.core.doctor.catalogue import Finding
from bot.core.doctor.documents import at, entries, objects, place, read_all, text
from bot.core.doctor.weights import FIELDS, KNATIVE, Covers, pointer_covers
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_KNATIVE = tuple(key for key in FIELDS if key[0] == KNATIVE)


def judge(path: str, documents: tuple[Any, ...], files: Mapping[str, str]) -> Iterator[Finding]:
    """Give the patches of a file that set weights.

    Args:
        path: The file.
        documents: What it holds.
        files: The texts of the tree by path, for patches in files of their own.
    """
    for found in objects(documents):
        if "kustomize.toolkit.fluxcd.io/" in text(found.get("apiVersion")):
            spec = at(found, "spec")
            yield from _patches(path, at(spec, "patches"), {})
        elif posixpath.basename(path) in NAMES:
            for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
                yield from _patches(path, found.get(key), files)


def _patches(path: str, patches: Any, files: Mapping[str, str]) -> Iterator[Finding]:
    for number, patch in enumerate(entries(patches)):
        held = text(patch) or text(at(patch, "patch"))
        named = text(at(patch, "path")) or held
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), named)) if "\n" not in named else ""
        held = files.get(file, held)
        kind = at(patch, "target", "kind")
        if _sets_weights(held, None if kind is None else text(kind)):
            where = f" in {code(file)}" if file in files else ""
            yield Finding(
                "overlay-sets-traffic",
                f"A patch{where} sets the traffic block.",
                place(path, patches, number),
            )


def _sets_weights(patch: str, kind: str | None) -> bool:
    for document in read_all(patch) or ():
        if isinstance(document, dict):
            group = text(document.get("apiVersion")).partition("/")[0]
            if (group, text(document.get("kind"))) in FIELDS and _holds(document):
                return True
        # A list is a JSON patch; its target's kind is named beside it.
        elif kind is None or kind in {name for _, name in _KNATIVE}:
            paths = [text(at(change, "path")) for change in entries(document)]
            if any(pointer_covers(p, _KNATIVE) is Covers.YES for p in paths if p):
                return True
    return False


def _holds(document: dict[Any, Any]) -> bool:
    spec = at(document, "spec")
    return isinstance(spec, dict) and bool({"traffic", "release"} & set(spec))
