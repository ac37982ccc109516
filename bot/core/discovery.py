"""Where in a repository a service lives: which files are worth reading, in which order, and which hit was meant.

Only paths and sizes are known before a file is read. A repository with few manifests is read whole; of a large
one the files come first whose path names the service. What was left unread is said, never guessed over.
Sources: Helm's layout of a chart (``Chart.yaml``, ``templates/``), the short names in the custom resource
definitions of Knative Serving 1.x and Istio 1.x.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.problems import Declined, Problem
from bot.core.rules import CONFIG_PATH
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_READ = 60  # files of one search that are not known yet
MOST_SHOWN = 8  # hits in one problem
SUFFIXES = (".yaml", ".yml", ".json")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Somebody else's files, or tools' own.
_FOREIGN = _set(
    "node_modules vendor third_party bower_components site-packages venv __pycache__ "
    ".vscode .idea .devcontainer .circleci .buildkite .husky .yarn .terraform .venv .tox"
)
# What has a format of its own, whatever the repository.
_NO_MANIFEST = re.compile(
    r"chart\.yaml|kustomization\.ya?ml|compose\.ya?ml|docker-compose[.-].*|pnpm-(lock|workspace)\.yaml|skaffold\.yaml"
    r"|cloudbuild\.ya?ml|mkdocs\.ya?ml|codecov\.ya?ml|(package|package-lock|composer|lerna|angular|renovate)\.json"
    r"|tsconfig.*\.json|.*\.schema\.json",
    re.ASCII,
)
_CHART = "Chart.yaml"
_PRACTICE = _set("test tests testdata fixtures e2e example examples sample samples docs")
_DEPLOYS = _set(
    "k8s kubernetes kube deploy deploys deployment deployments manifest manifests knative ksvc serving serverless "
    "cloudrun istio mesh gateway gateways gitops argo argocd flux app apps service services svc cluster clusters "
    "env envs environment environments overlays base kustomize infra prod production staging traffic canary "
    "virtualservice virtualservices vs vsvc route routes httproute httproutes grpcroute rollout"
)
_WORDS = re.compile(r"[a-z0-9]+", re.ASCII)
# Beside its own name and its plural. ``kubectl get ksvc`` and the like.
_SHORT = {
    "Service": ("ksvc", "kservice", "kservices"),
    "Route": ("rt",),
    "VirtualService": ("vs",),
}
_SERVING, _GATEWAY = "serving.knative.dev", "gateway.networking.k8s.io"
_GROUPS = {
    "Service": _SERVING,
    "Route": _SERVING,
    "VirtualService": "networking.istio.io",
    "HTTPRoute": _GATEWAY,
    "GRPCRoute": _GATEWAY,
    "TCPRoute": _GATEWAY,
    "TLSRoute": _GATEWAY,
}


@dataclass(frozen=True, slots=True)
class Hit:
    """An object of a file. ``namespace`` is empty where the file names none; ``line`` counts from 1."""

    path: str
    kind: str
    namespace: str
    name: str
    line: int

    @property
    def qualified(self) -> str:
        """``Kind/namespace/name``, or ``Kind/name`` where the file names no namespace."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def id(self) -> str:
        """As a workload has it: ``namespace/name`` of a Knative Service, ``Kind:namespace/name`` of others."""
        own = f"{self.namespace}/{self.name}"
        return own if self.kind == "Service" else f"{self.kind}:{own}"


@dataclass(frozen=True, slots=True)
class Search:
    """What a search came to.

    ``hits`` are all objects of the name, whatever their kind and namespace; ``unread`` the files that could hold
    another, the likeliest first; ``truncated`` says that not even all names of files are known. ``problems`` are
    those of documents that mention the name and cannot be read.
    """

    hits: tuple[Hit, ...]
    unread: tuple[str, ...] = ()
    truncated: bool = False
    problems: tuple[Problem, ...] = ()

    def is_cut(self, asked: str) -> bool:
        """Whether another hit for ``asked`` could lie in what was not read.

        A path that names the service counts as proof: once all such files were read and one of them is a hit,
        the others need not be read.
        """
        if self.truncated or not self.unread:
            return self.truncated
        name = name_of(asked)
        if any(names(path, name) for path in self.unread):
            return True
        return not any(matches(hit, asked) and names(hit.path, name) for hit in self.hits)


# --- which files -------------------------------------------------------------------------------


def candidates(sizes: Mapping[str, int], *, largest: int) -> list[str]:
    """Give the paths that may be manifests which the bot edits, by their names alone.

    Left out are what is under ``.git*``, other programs' files, and the templates and values of charts.

    Args:
        sizes: The size in bytes of each file of a commit, by its path.
        largest: The size of the largest file that is read.
    """
    charts = {path.removesuffix(_CHART) for path in sizes if path == _CHART or path.endswith(f"/{_CHART}")}
    return [
        path
        for path, size in sizes.items()
        if path.endswith(SUFFIXES) and size <= largest and _may_be_manifest(path, charts)
    ]


def _may_be_manifest(path: str, charts: set[str]) -> bool:
    *folders, file = path.split("/")
    if file.startswith(".") or _NO_MANIFEST.fullmatch(file.lower()):
        return False
    if any(folder in _FOREIGN or folder.lower().startswith(".git") for folder in folders):
        return False
    for depth in range(len(folders) + 1) if charts else ():
        if "".join(f"{folder}/" for folder in folders[:depth]) in charts:
            inside = [*folders, file][depth]
            if inside in {"templates", "crds"} or inside.startswith("values"):
                return False
    return True


def ranked(paths: Iterable[str], name: str, *, near: Iterable[str] = ()) -> list[str]:
    """Put paths in the order in which they are worth reading for a service of that name.

    First the files of ``near`` themselves, then paths that name the service, as a whole segment, as words of one,
    as a part of one; then the neighbours of ``near``; then folders that look like deployments. Tests and examples,
    JSON and deep files come later among their like.

    Args:
        paths: The candidates.
        name: The service's own name.
        near: Paths of files that the pull request changes.
    """
    changed = frozenset(near)
    folders = frozenset(_folder(path) for path in changed) - {""}
    return sorted(paths, key=lambda path: _rank(path, name, changed, folders))


def _rank(path: str, name: str, changed: frozenset[str], folders: frozenset[str]) -> tuple[object, ...]:
    low = path.lower()
    words = frozenset(_WORDS.findall(low.rpartition(".")[0]))
    deploys = not words.isdisjoint(_DEPLOYS)
    if path in changed:
        place = 0
    elif name in low:
        place = 1 if name in _segments(low) else 2 if names(path, name) else 3
    else:
        # As deep as the change lies, so that ``apps/a`` is no neighbour of ``apps/b``.
        place = 4 if _folder(path) in folders else 5 if deploys else 6
    practice = not words.isdisjoint(_PRACTICE)
    return (place, practice, not deploys, path.endswith(".json"), path.count("/"), path)


def names(path: str, name: str) -> bool:
    """Whether a folder, or the file itself, is called after a service: its name stands there as whole words."""
    low = path.lower()
    return name in low and any(
        re.search(rf"(?:\A|[._-]){re.escape(name)}(?:[._-]|\Z)", segment) for segment in _segments(low)
    )


def _segments(path: str) -> list[str]:
    *folders, file = path.split("/")
    return [*folders, _stem(file)]


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


# --- which hit ---------------------------------------------------------------------------------


def name_of(asked: str) -> str:
    """Give the object's own name out of what a person typed."""
    return _parts(asked)[-1]


def matches(hit: Hit, asked: str) -> bool:
    """Whether a hit is what a person typed.

    Args:
        hit: The object.
        asked: ``name``, ``namespace/name``, ``Kind/name`` or ``Kind/namespace/name``. A kind is written as in the
            file, in any case, in the plural, in short (``ksvc``, ``vs``), and with its group behind a dot; a colon
            may part it from the rest. Of two parts the first may be either.
    """
    match _parts(asked):
        case [name]:
            return hit.name == name
        case [first, name]:
            return hit.name == name and (hit.namespace == first or is_kind(first, hit.kind))
        case [kind, namespace, name]:
            return (hit.name, hit.namespace) == (name, namespace) and is_kind(kind, hit.kind)
        case _:
            return False


def is_kind(word: str, kind: str) -> bool:
    """Whether a word is a name of a kind, as ``kubectl`` takes it."""
    short, dot, group = word.lower().partition(".")
    own = kind.lower()
    known = _GROUPS.get(kind, "")
    # ``virtualservices.v1.networking.istio.io`` names a version, too.
    in_group = not dot or (bool(known) and (group == known or group.endswith(f".{known}")))
    return in_group and short in {own, f"{own}s", *_SHORT.get(kind, ())}


def _parts(asked: str) -> list[str]:
    first, slash, rest = asked.partition("/")
    return (first.replace(":", "/", 1) + slash + rest).split("/")


def choose(hits: Sequence[Hit], asked: str, *, cut: bool = False, unread: int = 0) -> Hit:
    """Give the one hit that was meant: nothing is guessed.

    Args:
        hits: All objects of the name; see ``Search.hits``.
        asked: As for ``matches``.
        cut: Whether there may be others; see ``Search.is_cut``.
        unread: How many files were not read, for the message.

    Raises:
        Declined: ``unknown-service``; ``which-service`` for several hits, and for one that may not be the only
            one; ``ambiguous-document`` where a file has the same object twice.
    """
    found = _exact([hit for hit in hits if matches(hit, asked)], asked)
    if not found:
        raise Declined(_unknown(hits, asked, cut=cut, unread=unread))
    if len(found) > 1:
        raise Declined(_several(found, asked))
    if cut:
        raise Declined(_not_alone(found[0], unread))
    return found[0]


def _exact(found: list[Hit], asked: str) -> list[Hit]:
    """Let ``Kind/name`` mean the one without a namespace where there is one: it has no longer name."""
    parts = _parts(asked)
    if len(parts) != 2 or any(hit.namespace == parts[0] for hit in found):  # noqa: PLR2004 - kind and name
        return found
    return [hit for hit in found if not hit.namespace] or found


def _unknown(hits: Sequence[Hit], asked: str, *, cut: bool, unread: int) -> Problem:
    message = f"No manifest {'that was read' if cut else 'of this repository'} holds {code(asked)}."
    if hits:
        message += f" There is {_listed(hits)}."
    if cut:
        message += f" {_left_out(unread)}"
    remedy = "Look at the spelling." if not cut else ""
    return Problem("unknown-service", message, f"{remedy} {_by_file(name_of(asked))}".strip())


def _several(found: Sequence[Hit], asked: str) -> Problem:
    whole = code(asked)
    if len({(hit.path, hit.qualified) for hit in found}) == 1:
        lines = ", ".join(str(hit.line) for hit in found)
        message = f"{len(found)} documents of {code(found[0].path)} are {whole} (lines {lines})."
        return Problem("ambiguous-document", message, "Keep one of them.")
    message = f"{len(found)} objects of this repository are called {whole}: {_listed(found)}."
    forms = [name for hit in found if (name := unambiguous(hit, found)) is not None]
    shown = ", ".join(code(name) for name in forms[:MOST_SHOWN])
    remedy = f"Name one: {shown}." if forms else ""
    if len(forms) < len(found):
        remedy = f"{remedy} {_by_file(found[0].name)}".strip()
    return Problem("which-service", message, remedy)


def _not_alone(hit: Hit, unread: int) -> Problem:
    message = f"{_shown(hit)} may not be the only one. {_left_out(unread)}"
    return Problem("which-service", message, _by_file(hit.name, hit.path))


def unambiguous(hit: Hit, hits: Iterable[Hit]) -> str | None:
    """Give the shortest name that means only this one of several hits, ``None`` where no name does."""
    forms = [hit.name, f"{hit.namespace}/{hit.name}" if hit.namespace else "", f"{hit.kind}/{hit.name}"]
    everyone = list(hits)
    for form in (*filter(None, forms), hit.qualified):
        if _exact([other for other in everyone if matches(other, form)], form) == [hit]:
            return form
    return None


def _listed(hits: Sequence[Hit]) -> str:
    shown = ", ".join(_shown(hit) for hit in hits[:MOST_SHOWN])
    left = len(hits) - MOST_SHOWN
    return f"{shown} and {left} more" if left > 0 else shown


def _shown(hit: Hit) -> str:
    return f"{code(hit.qualified)} in {code(f'{hit.path}:{hit.line}')}"


def _left_out(unread: int) -> str:
    if not unread:
        return "The repository has more files than can be listed."
    files = "1 file was" if unread == 1 else f"{unread} files were"
    return f"{files} not read: the repository has many, and a search reads at most {MOST_READ} new ones."


def _by_file(name: str, path: str = "PATH") -> str:
    return f"Name its file in `{CONFIG_PATH}`: {code(f'services: {{{name}: {{file: {path}}}}}')}."
