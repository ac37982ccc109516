"""``canary doctor``: what a repository lacks, and the remedy for each.

The working tree is looked at offline; GitHub only where ``--repo`` names a repository. Nothing is written.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.adapters.local_git import Git
from bot.adapters.rulebook import built_in
from bot.core.checks import NAMES
from bot.core.doctor import tree as trees
from bot.core.doctor.catalogue import Finding, Severity, could_not_look, in_order
from bot.core.doctor.overlays import NAMES as KUSTOMIZATIONS
from bot.core.doctor.workflows import is_workflow
from bot.core.problems import OutsideFailure, Place, Problem
from bot.core.rules import CONFIG_PATH, named_files
from bot.core.text import code
from bot.entry import show
from bot.entry.locate import SUFFIXES
from bot.manifests.source import LARGEST_FILE
from bot.manifests.workload import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bot.adapters.github.inspection import Access
    from bot.core.rules import Config

MOST_FILES = 50_000
_SKIPPED = frozenset({".git", ".hg", "node_modules", ".venv", "venv", "__pycache__"})
# What a file must hold to be read as more than a manifest.
_TELLING = re.compile(
    rb"argoproj\.io|resource\.customizations|ignoreDifferences|kustomize\.toolkit\.fluxcd\.io|/spec/traffic"
    rb"|serving\.knative\.dev"
)
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+", re.ASCII)
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class BadUse(Exception):  # noqa: N818 - an answer
    """The arguments or settings cannot be used; in words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments. ``repository`` is ``owner/name``, empty for the working tree alone."""

    folder: Path
    repository: str = ""


def run(asked: Asked, *, as_json: bool = False, color: bool = True) -> int:
    """Look, print, and give the exit status: 0 without errors, 1 with errors, 2 when used wrongly."""
    try:
        findings = look(asked)
    except BadUse as reason:
        show.talk(f"canary doctor: {reason}")
        return 2
    if as_json:
        show.out(json.dumps([_as_json(f) for f in findings], ensure_ascii=False, indent=2))
    else:
        _print(findings, color=color)
    return 1 if any(f.severity is Severity.ERROR for f in findings) else 0


def look(asked: Asked) -> tuple[Finding, ...]:
    """Give everything that the working tree and the repository lack, the worst first.

    Raises:
        BadUse: There is no such folder, the name is none, or the settings are wrong.
    """
    if not asked.folder.is_dir():
        raise BadUse(f"{show.one_line(str(asked.folder))} is no folder.")
    if asked.repository and not _REPOSITORY.fullmatch(asked.repository):
        raise BadUse("--repo takes OWNER/NAME.")
    tree = read_tree(asked.folder)
    findings = list(trees.judge(tree))
    if asked.repository:
        findings += _forge(asked.repository, trees.config_of(tree))
    return in_order(findings)


# the working tree ---------------------------------------------------------------------------------------


def read_tree(folder: Path) -> trees.Tree:
    """Read the files of the working tree that a folder belongs to: what Git tracks, or would.

    Links are not followed; files above a megabyte are left out and named.
    """
    try:
        git = Git.around(folder)
        root = git.top if git else folder.resolve()
        paths = _tracked(git) if git else sorted(_walk(root))
    except OutsideFailure as failure:
        raise BadUse(show.one_line(str(failure))) from None
    left_out: list[tuple[str, str]] = []
    if len(paths) > MOST_FILES:
        left_out.append((".", f"there are {len(paths)} files; the first {MOST_FILES} were read."))
    texts: dict[str, str] = {}
    services: list[trees.Service] = []
    unreadable: list[Problem] = []
    there: set[str] = set()
    config: str | None = None
    for path in paths[:MOST_FILES]:
        if not (path.endswith(SUFFIXES) or Path(path).name in KUSTOMIZATIONS):
            continue
        content = _content(root / path, path, left_out)
        if content is None:
            continue
        there.add(path)
        if path == CONFIG_PATH:
            config = content.decode("utf-8", "replace")
        found = find(content, path)
        services += [
            trees.Service(w.name, Place(w.path, w.line), dict(w.annotations)) for w in found.workloads
        ]
        unreadable += found.problems
        if is_workflow(path) or Path(path).name in KUSTOMIZATIONS or _TELLING.search(content):
            texts[path] = content.decode("utf-8", "replace").removeprefix("\ufeff")
    # Only what was listed: no path leads out of the tree.
    named = {path: root / path if path in there else None for path in named_files(config or "")}
    sets = {path: None if place is None else _content(place, path, left_out) for path, place in named.items()}
    return trees.Tree(
        config=config,
        services=tuple(services),
        texts=texts,
        paths=frozenset(there),
        known_rules=built_in().ids,
        rule_sets={
            path: None if held is None else held.decode("utf-8", "replace") for path, held in sets.items()
        },
        unreadable=tuple(unreadable),
        left_out=tuple(left_out),
    )


def _tracked(git: Git) -> list[str]:
    said = git.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({os.fsdecode(word) for word in said.split(b"\0") if word})


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        yield from ((Path(folder) / name).relative_to(root).as_posix() for name in files)


def _content(place: Path, path: str, left_out: list[tuple[str, str]]) -> bytes | None:
    """Give a plain file's bytes; ``None`` for a link, for what is gone, and for what cannot be read."""
    try:
        found = place.lstat()
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > LARGEST_FILE:
            left_out.append((path, f"it has {found.st_size} bytes; up to {LARGEST_FILE} are read."))
            return None
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        left_out.append((path, f"it cannot be read: {error.strerror}."))
        return None


# GitHub -------------------------------------------------------------------------------------------------


def _forge(name: str, config: Config | None) -> Iterable[Finding]:
    # Nothing of this is needed offline.
    from bot.adapters.github.inspection import inspect  # noqa: PLC0415 - see above
    from bot.core.doctor import forge  # noqa: PLC0415 - same
    from bot.entry.app_manifest import EVENTS, PERMISSIONS  # noqa: PLC0415 - same
    from bot.ports import Missing, Refused  # noqa: PLC0415 - same

    where = code(name)
    access = _access()
    if access is None:
        return [Finding("repository-unreadable", "There are no credentials to look with.", where)]
    try:
        facts = inspect(access, name, checks=NAMES, merging=_merging(config))
    except (Missing, Refused, OutsideFailure) as failure:
        said = code(str(failure)) if str(failure) else "no reason given"
        return [Finding("repository-unreadable", f"GitHub says: {said}.", where)]
    findings = list(forge.judge(facts, forge.Asked(PERMISSIONS, EVENTS)))
    if config is None:
        findings.append(
            could_not_look("which rules merge by themselves", f"needs a right {code(CONFIG_PATH)}.")
        )
    return findings


def _merging(config: Config | None) -> tuple[str, ...]:
    """Give the ids of the rule sets in use that merge by themselves."""
    if config is None:
        return ()
    rules = built_in()
    used = (config.rules, *(one.rules for one in config.services.values() if one.rules))
    return tuple(dict.fromkeys(name for name in used if rules.get(name).auto))


def _access() -> Access | None:
    """Give the App's credentials, else a token's, from the environment; ``None`` where there are neither.

    Raises:
        BadUse: A setting is wrong.
    """
    from bot.adapters.clock import SystemClock  # noqa: PLC0415 - only with --repo
    from bot.adapters.github.client import Wire  # noqa: PLC0415 - same
    from bot.adapters.github.inspection import Access  # noqa: PLC0415 - same
    from bot.entry.settings import SHORTEST_WEBHOOK_SECRET, SettingsUnusable, load, plain_address  # noqa: PLC0415 - same

    held = os.environ
    app_id = held.get("CANARY_APP_ID", "").strip()
    if app_id and (held.get("CANARY_PRIVATE_KEY") or held.get("CANARY_PRIVATE_KEY_FILE")):
        try:
            # Nothing is served, so the webhook's secret is not needed here.
            settings = load(webhook_secret="-" * SHORTEST_WEBHOOK_SECRET)
        except SettingsUnusable as error:
            raise BadUse(" ".join(error.reasons)) from None
        key = settings.private_key.get_secret_value()
        access = Access(Wire(settings.github_api_url, SystemClock()), settings.app_id, private_key=key)
        access.wire.redact.learn(key)
        return access
    token = held.get("GITHUB_TOKEN") or held.get("GH_TOKEN") or ""
    if not token:
        return None
    url = held.get("CANARY_GITHUB_API_URL") or held.get("GITHUB_API_URL") or "https://api.github.com"
    try:
        wire = Wire(plain_address(url), SystemClock())
    except ValueError as error:
        raise BadUse(f"CANARY_GITHUB_API_URL or GITHUB_API_URL is wrong: {error}.") from None
    wire.redact.learn(token)
    number = int(app_id) if re.fullmatch(r"[0-9]{1,18}", app_id, re.ASCII) else None
    return Access(wire, number, token=token)


# telling ------------------------------------------------------------------------------------------------


def _as_json(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "severity": str(finding.severity),
        "code": finding.code,
        "message": finding.message,
        "where": finding.shown_where.replace("`", ""),
        "path": place.path or None,
        "line": place.line,
        "column": place.column,
        "remedy": finding.remedy,
    }


def _print(findings: Sequence[Finding], *, color: bool) -> None:
    counts = [(s, sum(f.severity is s for f in findings)) for s in Severity]
    said = ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for s, n in counts if n)
    summary = f"{said}. docs/doctor.md explains each code." if said else "Found nothing that is lacking."
    if not (color and sys.stdout.isatty()):
        lines = [line for f in findings for line in (*_lines(f), "")]
        show.out("\n".join([*lines, summary]))
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.padding import Padding  # noqa: PLC0415 - same
    from rich.text import Text  # noqa: PLC0415 - same

    console = Console(highlight=False)
    for finding in findings:
        head, *rest = _lines(finding)
        console.print(Text(head, style=_STYLES[finding.severity]))
        for line in rest:
            console.print(Padding(Text(line.strip()), (0, 0, 0, 2)))
        console.print()
    console.print(Text(summary, style="bold"))


def _lines(finding: Finding) -> list[str]:
    where = f"  {finding.shown_where}" if finding.where else ""
    return [
        f"{finding.severity}  {finding.code}{where}",
        f"  {finding.message}",
        f"  Remedy: {finding.remedy}",
    ]
