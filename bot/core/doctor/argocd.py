"""Argo CD's rules that hide weights: in Applications, in ApplicationSets, and for the whole of Argo CD.

Source: Argo CD, "Diff Customization" (application level and system level), "Sync Options"
(``RespectIgnoreDifferences``), argocd-operator's ``ArgoCD`` resource (``resourceIgnoreDifferences``).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from bot.core.doctor.catalogue import Finding
from bot.core.doctor.documents import at, entries, objects, place, read_one, text, texts
from bot.core.doctor.weights import FIELDS, Covers, jq_covers, kinds_of, pointer_covers
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.problems import Place

HARMLESS = frozenset({"kube-controller-manager"})  # of Kubernetes itself; it knows none of the kinds
SHOWN = 3  # kinds or managers that a message names
RESPECT = "RespectIgnoreDifferences=true"
_RESPECTED = f"With `{RESPECT}` no sync writes them."
_PLAIN = "Automated sync does not start for them."
_CUSTOMIZATIONS = "resource.customizations"
_PREFIX = f"{_CUSTOMIZATIONS}.ignoreDifferences."


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a rule ignores, of which kinds, and where that is written; ``respected`` by syncs or not."""

    keys: tuple[tuple[str, str], ...]
    held: Any
    where: Place
    respected: bool = False


def judge(path: str, documents: tuple[Any, ...], services: frozenset[str]) -> Iterator[Finding]:
    """Give the rules of a file that cover weights.

    Args:
        path: The file.
        documents: What it holds.
        services: The names of the tree's services; a rule for another name hides none of their weights. With
            no name every rule counts: the services may be in another repository.
    """
    for found in objects(documents):
        for rule in _rules(path, found, services):
            yield from _judge(rule)
        patch = text(at(found, "spec", "templatePatch"))
        if found.get("kind") == "ApplicationSet" and "ignoreDifferences" in patch:
            message = "The `templatePatch` of an ApplicationSet holds `ignoreDifferences`."
            yield Finding("argocd-rule-unclear", message, place(path, found["spec"], "templatePatch"))


def _rules(path: str, found: dict[Any, Any], services: frozenset[str]) -> Iterator[_Rule]:
    kind, group = found.get("kind"), text(found.get("apiVersion")).partition("/")[0]
    if group == "argoproj.io" and kind == "Application":
        yield from _application(path, at(found, "spec"), services)
    elif group == "argoproj.io" and kind == "ApplicationSet":
        yield from _application(path, at(found, "spec", "template", "spec"), services)
    elif group == "argoproj.io" and kind == "ArgoCD":
        yield from _operator(path, at(found, "spec", "resourceIgnoreDifferences"))
    else:  # the ConfigMap, and the values of the Helm chart that makes it
        for holder in (
            at(found, "data"),
            at(found, "configs", "cm"),
            at(found, "server", "config"),
            at(found, "argo-cd", "configs", "cm"),
        ):
            if isinstance(holder, dict):
                yield from _system(path, holder)


def _application(path: str, spec: Any, services: frozenset[str]) -> Iterator[_Rule]:
    respected = RESPECT in texts(at(spec, "syncPolicy", "syncOptions"))
    rules = at(spec, "ignoreDifferences")
    for number, rule in enumerate(entries(rules)):
        keys = kinds_of(text(at(rule, "group")), text(at(rule, "kind")))
        name = text(at(rule, "name"))
        if name and services:
            hit = any(fnmatchcase(service, name) for service in services)
            keys = tuple(key for key in keys if hit or key[1] not in {"Service", "Route"})
        yield _Rule(keys, rule, place(path, rules, number), respected)


def _system(path: str, holder: dict[Any, Any]) -> Iterator[_Rule]:
    for key, held in holder.items():
        name = text(key)
        where = place(path, holder, key)
        if name.startswith(_PREFIX):
            yield _Rule(_named(name.removeprefix(_PREFIX)), _value(held), where)
        elif name == _CUSTOMIZATIONS:  # the old form, one text for all kinds
            whole = _value(held)
            for which, custom in whole.items() if isinstance(whole, dict) else ():
                named = text(which).replace("/", "_", 1)
                yield _Rule(
                    _named("all" if named == "*_*" else named), _value(at(custom, "ignoreDifferences")), where
                )


def _operator(path: str, held: Any) -> Iterator[_Rule]:
    if at(held, "all") is not None:
        yield _Rule(tuple(FIELDS), held["all"], place(path, held, "all"))
    for one in entries(at(held, "resourceIdentifiers")):
        keys = kinds_of(text(at(one, "group")), text(at(one, "kind")))
        yield _Rule(keys, at(one, "customization"), place(path, one))


def _named(name: str) -> tuple[tuple[str, str], ...]:
    """Give the kinds of ``all``, or of ``group_Kind`` as the key of a ConfigMap has it."""
    if name == "all":
        return tuple(FIELDS)
    group, _, kind = name.rpartition("_")
    return kinds_of(group, kind)


def _value(held: Any) -> Any:
    return read_one(held) if isinstance(held, str) else held


def _judge(rule: _Rule) -> Iterator[Finding]:
    if not rule.keys:
        return
    kinds = [f"`{kind}`" for _, kind in rule.keys]
    of = ", ".join(kinds[:SHOWN]) + (" and others" if len(kinds) > SHOWN else "")
    pointers = [(p, pointer_covers(p, rule.keys)) for p in texts(at(rule.held, "jsonPointers"))]
    queries = [(q, jq_covers(q, rule.keys)) for q in texts(at(rule.held, "jqPathExpressions"))]
    for shown, covers in pointers + queries:
        if covers is Covers.YES:
            how = _RESPECTED if rule.respected else _PLAIN
            message = f"Differences of {of} at {code(shown or '/')} are ignored. {how}"
            yield Finding("argocd-ignores-weights", message, rule.where)
        elif covers is Covers.MAYBE:
            message = f"The expression {code(shown)} for {of} is not a plain path, and it mentions weights."
            yield Finding("argocd-rule-unclear", message, rule.where)
    managers = [m for m in texts(at(rule.held, "managedFieldsManagers")) if m not in HARMLESS]
    if managers:
        named = ", ".join(code(manager) for manager in managers[:SHOWN])
        message = f"Fields that {named} wrote last are ignored; if one of them ever wrote weights, those too."
        yield Finding("argocd-rule-unclear", message, rule.where)
