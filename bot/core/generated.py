"""Files that a program writes: rendered branches, chart templates, copies of others, generated files.

An edit of such a file is lost at the next rendering, or is an edit of a text that is no manifest; the source is
the place to edit. Only what a path, a branch's name, and the comments before a file's content show is looked at.

Sources: GitOps Promoter, "Tutorial" (branches ``environment/NAME`` and ``environment/NAME-next``); Argo CD,
"Source Hydrator" (``syncSource.targetBranch``, ``hydrateTo.targetBranch`` with ``-next``; the file
``hydrator.metadata`` in what was hydrated); Helm, "Charts" (``templates/`` beside ``Chart.yaml``) and ``helm
template`` (``# Source: CHART/templates/FILE`` before each document); Go, "Generate" (``Code generated ... DO NOT
EDIT``), which generators of YAML took over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.core.problems import Place, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

HYDRATED = "hydrator.metadata"  # what Argo CD's hydrator and GitOps Promoter leave beside rendered manifests
CHART = "Chart.yaml"
LARGEST_HEADER = 20_000  # bytes from the start of a file in which its header may stand

_RENDERED = re.compile(r"environments?/.+|env/.+-next|(?:hydrated|rendered)(?:/.+)?")
_GENERATED = re.compile(r"\b(?:auto-?)?generated\b", re.IGNORECASE)
_HANDS_OFF = re.compile(
    r"\bdo(?: not|n[’']t)\s+(?:manually\s+)?(?:edit|modify|change|touch)\b", re.IGNORECASE
)
_ALL_IN_ONE = re.compile(r"@generated\b")
_HELM_SOURCE = re.compile(rb"(?m)^# Source: (\S{1,300}?)/templates/\S{1,300}[ \t]*\r?$")
# ``vendor`` is a copy where a package manager says so; elsewhere it may be the name of a service.
_VENDORING = ("go.mod", "composer.json", "vendor/modules.txt")


def refusal(
    path: str, branch: str, *, paths: Container[str] | None = None, content: bytes = b""
) -> Problem | None:
    """Give why a file is not to be edited where it is, ``None`` if it is.

    Args:
        path: The file, from the root of the repository.
        branch: The branch that it would be edited on, ``main``; empty where there is none.
        paths: What else is in the branch: a set of paths, or anything that answers ``in``; it is asked for a few
            names a folder on the way to the file. ``None`` where it is not known: folders' names alone decide.
        content: The file, or its beginning.

    Returns:
        ``generated-branch``, ``vendored-file``, ``helm-template`` or ``generated-file``, the first that fits.
    """
    return (
        _rendered_branch(path, branch, paths)
        or _vendored(path, paths)
        or _helm_template(path, paths)
        or _header(path, content)
    )


def is_rendered_branch(branch: str) -> bool:
    """Whether a branch has a name that tools give to branches with rendered manifests."""
    return _RENDERED.fullmatch(branch.removeprefix("refs/heads/")) is not None


def _folders(path: str) -> Iterator[tuple[str, str]]:
    """Give each folder on the way to a file, from the root: what stands before it with a slash, and its name."""
    parts = path.split("/")
    for index, name in enumerate(parts[:-1]):
        yield "".join(f"{part}/" for part in parts[:index]), name


def _rendered_branch(path: str, branch: str, paths: Container[str] | None) -> Problem | None:
    name = branch.removeprefix("refs/heads/")
    said = ""
    if is_rendered_branch(name):
        said = f"The branch {code(name)} has the name of one with rendered manifests"
    else:
        inside = [HYDRATED, *(f"{before}{folder}/{HYDRATED}" for before, folder in _folders(path))]
        found = next((file for file in reversed(inside) if file in (paths or ())), None)
        if found is not None:
            said = f"{code(found)} says that the manifests here were rendered"
    if not said:
        return None
    return Problem(
        "generated-branch",
        f"{said}; the next rendering overwrites an edit.",
        "Edit the branch that they are rendered from (the dry one): open the pull request there.",
        Place(path),
    )


def _vendored(path: str, paths: Container[str] | None) -> Problem | None:
    for before, folder in _folders(path):
        copied = folder == "vendor" and (
            not before or any(before + file in (paths or ()) for file in _VENDORING)
        )
        if folder == "node_modules" or copied:
            return Problem(
                "vendored-file",
                f"{code(before + folder)} holds copies of other people's files; the next install overwrites an edit.",
                "Edit the file where it comes from, or copy it out of the folder.",
                Place(path),
            )
    return None


def _helm_template(path: str, paths: Container[str] | None) -> Problem | None:
    for before, folder in _folders(path):
        in_chart = "charts" in before.split("/") if paths is None else before + CHART in paths
        if folder == "templates" and in_chart:
            chart = before.rstrip("/").rpartition("/")[2]
            of = f" {code(chart)}" if chart else ""
            return Problem(
                "helm-template",
                f"The file is a template of the Helm chart{of}, and no manifest.",
                "Let the template take the split from the chart's values and change it there; or keep the rendered "
                "manifest in the repository, and let the bot edit that.",
                Place(path),
            )
    return None


def _header(path: str, content: bytes) -> Problem | None:
    head = content[:LARGEST_HEADER]
    if found := _HELM_SOURCE.search(head):
        chart = code(found[1].decode("utf-8", "replace"))
        return _generated(
            path,
            head.count(b"\n", 0, found.start()) + 1,
            f"`helm template` wrote the file, from the chart {chart}; the next run overwrites an edit.",
            "Change the chart's values, and render again.",
        )
    comments = list(_comments(head))
    whole = " ".join(text for _, text in comments)
    if not (_ALL_IN_ONE.search(whole) or (_GENERATED.search(whole) and _HANDS_OFF.search(whole))):
        return None
    signs = (_ALL_IN_ONE, _GENERATED)
    line = next((number for number, text in comments if any(sign.search(text) for sign in signs)), 1)
    return _generated(
        path,
        line,
        "The file says that it is generated and not to be edited; the next run overwrites an edit.",
        "Change what it is made from, and make it again. If nothing makes it any more, remove that comment.",
    )


def _generated(path: str, line: int, message: str, remedy: str) -> Problem:
    return Problem("generated-file", message, remedy, Place(path, line))


def _comments(head: bytes) -> Iterator[tuple[int, str]]:
    """Give number and text of the comment lines before the first line with content."""
    for number, line in enumerate(head.decode("utf-8", "replace").removeprefix("\ufeff").split("\n"), 1):
        text = line.strip()
        if text.startswith("#"):
            yield number, text.lstrip("#").strip()
        elif text and text != "---" and not text.startswith("%"):
            return
