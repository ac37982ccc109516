"""What a working tree lacks: its configuration, its services, and what keeps their weights from the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.doctor import argocd, overlays, workflows
from bot.core.doctor.catalogue import Finding, could_not_look, in_order
from bot.core.doctor.documents import read_all
from bot.core.problems import Declined, Place, Problem
from bot.core.rules import CONFIG_PATH, Config, read_config, read_rules
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FLUX = "kustomize.toolkit.fluxcd.io/"
_ARGO_HOOK = "argocd.argoproj.io/hook"


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the tree, with where its document begins and its annotations."""

    name: str
    place: Place
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tree:
    """What was read of a working tree.

    ``config`` is the text of ``.github/canary.yaml``, ``None`` when there is none. ``texts`` are the files
    that may hold something of Argo CD, Flux, Kustomize or GitHub Actions, by path. ``paths`` are all files.
    ``unreadable`` are the documents that seem to be services and cannot be read, ``left_out`` the files that
    were not looked at, each with the reason in Markdown. ``known_rules`` are the ids of the rule sets, ``rule_sets``
    the texts of those that the configuration names by their paths, ``None`` for one that is not there.
    """

    config: str | None
    services: tuple[Service, ...]
    texts: Mapping[str, str]
    paths: frozenset[str]
    known_rules: tuple[str, ...]
    unreadable: tuple[Problem, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    rule_sets: Mapping[str, str | None] = field(default_factory=dict)


def judge(tree: Tree) -> tuple[Finding, ...]:
    """Give everything that a working tree lacks, the worst first."""
    return in_order(_all(tree))


def config_of(tree: Tree) -> Config | None:
    """Give the tree's configuration, ``None`` when it has a fault."""
    try:
        return Config() if tree.config is None else read_config(tree.config, tree.known_rules)
    except Declined:
        return None


def _all(tree: Tree) -> Iterator[Finding]:
    yield from _config(tree)
    if not tree.services:
        yield Finding("no-services", "No manifest of a Knative Service was found.")
    for problem in tree.unreadable:
        text = f"{problem.message} (`{problem.code}`)"
        yield Finding("manifest-unreadable", text, problem.place or "", problem.remedy)
    for service in tree.services:
        yield from _annotations(service)
    for path, why in tree.left_out:
        yield could_not_look(f"{code(path)}", why, Place(path))
    names = frozenset(service.name for service in tree.services)
    used = []
    for path, text in tree.texts.items():
        documents = read_all(text)
        if documents is None:
            if _is_telling(path, text):
                needs = (
                    "it is larger than is read here, or not plain YAML. Look at its ignore rules yourself."
                )
                yield could_not_look(code(path), needs, Place(path))
            continue
        if workflows.is_workflow(path):
            used += workflows.uses(path, documents)
            continue
        yield from argocd.judge(path, documents, names)
        yield from overlays.judge(path, documents, tree.texts)
    yield from workflows.judge(used)


def _is_telling(path: str, text: str) -> bool:
    words = ("canary-bot",) if workflows.is_workflow(path) else ("ignoreDifferences", "IgnoreDifferences")
    return any(word in text for word in words)


def _config(tree: Tree) -> Iterator[Finding]:
    if tree.config is None:
        return
    try:
        config = read_config(tree.config, tree.known_rules)
    except Declined as declined:
        for problem in declined.problems:
            yield Finding(
                "config-invalid", problem.message, problem.place or Place(CONFIG_PATH), problem.remedy
            )
        return
    yield from _rule_sets(tree)
    names = {service.name for service in tree.services}
    for name, wanted in config.services.items():
        if name not in names:
            text = f"No manifest here is called {code(name)}."
            yield Finding("config-service-unknown", text, Place(CONFIG_PATH))
        if wanted.file is not None and wanted.file not in tree.paths:
            text = f"{code(name)} is said to be in {code(wanted.file)}, and there is no such file."
            yield Finding("config-service-unknown", text, Place(CONFIG_PATH))


def _rule_sets(tree: Tree) -> Iterator[Finding]:
    for path, text in tree.rule_sets.items():
        if text is None:
            said = f"It names the rule set {code(path)}, and there is no such file."
            yield Finding("config-invalid", said, Place(CONFIG_PATH), "Look at the spelling.")
            continue
        try:
            read_rules(text, path)
        except Declined as declined:
            for problem in declined.problems:
                yield Finding("config-invalid", problem.message, problem.place or Place(path), problem.remedy)


def _annotations(service: Service) -> Iterator[Finding]:
    held = service.annotations
    if held.get(f"{_FLUX}reconcile", "").lower() == "disabled":
        yield _skipped("flux-skips-manifest", service, f"{_FLUX}reconcile")
    if held.get(f"{_FLUX}ssa", "").lower() in {"ignore", "ifnotpresent"}:
        yield _skipped("flux-skips-manifest", service, f"{_FLUX}ssa")
    if _ARGO_HOOK in held:
        yield _skipped("argocd-skips-manifest", service, _ARGO_HOOK)


def _skipped(kind: str, service: Service, annotation: str) -> Finding:
    value = code(service.annotations[annotation])
    return Finding(kind, f"{code(service.name)} has {code(annotation)}: {value}.", service.place)
