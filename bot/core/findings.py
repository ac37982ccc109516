"""What a check of files found, and its forms: text, JSON, SARIF.

A ``Finding`` is a ``Problem`` with its weight. Sources: SARIF 2.1.0 (OASIS), sections 3.19.24, 3.27, 3.29, 3.30, 3.49;
RFC 3986 for its addresses of files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.core.problems import CODES
from bot.core.text import LONGEST_LINE, pointed, printable

if TYPE_CHECKING:
    from bot.core.problems import Problem

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "SRCROOT"  # what relative addresses begin at, in the words of GitHub's code scanning


class Level(StrEnum):
    """How much a finding weighs; only errors fail a check. The values are SARIF's."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


# What the bot does not read or edit, and the platform may well accept once it is rendered.
_NOT_JUDGED = frozenset(
    {
        "alias-in-block",
        "foreign-controller",
        "generated-branch",
        "generated-file",
        "helm-template",
        "not-built-yet",
        "tag-in-block",
        "template-language",
        "unsupported-api",
        "vendored-file",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on a file."""

    problem: Problem
    level: Level = Level.ERROR


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at: how many files, how many objects with traffic in them, and the remarks in order."""

    files: int
    objects: int
    findings: tuple[Finding, ...]

    @property
    def fails(self) -> bool:
        """Whether there is an error."""
        return any(f.level is Level.ERROR for f in self.findings)

    @property
    def summary(self) -> str:
        """Say in one sentence how it went."""
        counts = [(level, sum(f.level is level for f in self.findings)) for level in Level]
        said = ", ".join(_count(n, str(level)) for level, n in counts if n)
        seen = f"{_count(self.objects, 'object')} with traffic in {_count(self.files, 'file')}"
        return f"{said}; looked at {seen}." if said else f"Found nothing wrong: {seen}."


def of_reader(problem: Problem) -> Finding:
    """Give a reader's problem its weight: what could not be judged is a warning, not an error."""
    return Finding(problem, Level.WARNING if problem.code in _NOT_JUDGED else Level.ERROR)


def as_text(finding: Finding) -> str:
    """Give a finding for a prompt: place, level, words, code, the line with carets, remedy."""
    problem = finding.problem
    where = f"{printable(str(problem.place), longest=LONGEST_LINE)}: " if problem.place else ""
    lines = [f"{where}{finding.level}: {problem.message} ({problem.code})"]
    if problem.source is not None and problem.caret is not None:
        block = pointed(problem.source, problem.caret).split("\n")[1:-1]  # without the fences
        lines += [f"    {line}" for line in block]
    if problem.remedy:
        lines.append(f"    {problem.remedy}")
    return "\n".join(lines)


def as_json(checked: Checked) -> dict[str, Any]:
    """Give everything for a script."""
    return {
        "files": checked.files,
        "objects": checked.objects,
        "valid": not checked.fails,
        "findings": [_json_of(finding) for finding in checked.findings],
    }


def as_sarif(checked: Checked, version: str) -> dict[str, Any]:
    """Give a SARIF 2.1.0 log of one run; its rules are the codes that occur, from the catalogue.

    Args:
        checked: The findings. Relative paths are taken to begin at the repository's root.
        version: The program's.
    """
    used = sorted({f.problem.code for f in checked.findings})
    driver: dict[str, Any] = {
        "name": "canary-bot",
        "version": version,
        "rules": [{"id": name, "shortDescription": {"text": CODES[name]}} for name in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, used) for finding in checked.findings],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _json_of(finding: Finding) -> dict[str, Any]:
    problem, place = finding.problem, finding.problem.place
    return {
        "level": str(finding.level),
        "code": problem.code,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "message": problem.message,
        "remedy": problem.remedy,
        "source": problem.source,
    }


def _result(finding: Finding, rules: list[str]) -> dict[str, Any]:
    problem, place = finding.problem, finding.problem.place
    words = f"{problem.message} {problem.remedy}".strip()
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": rules.index(problem.code),
        "level": str(finding.level),
        "message": {"text": words, "markdown": words},
    }
    if place is not None and place.path:
        physical: dict[str, Any] = {"artifactLocation": _location(place.path)}
        if place.line is not None:
            physical["region"] = {"startLine": place.line}
            if place.column is not None:
                physical["region"]["startColumn"] = place.column
        result["locations"] = [{"physicalLocation": physical}]
    return result


def _location(path: str) -> dict[str, str]:
    # A name that is not UTF-8 keeps its bytes.
    address = quote(path, safe="/", errors="surrogateescape")
    if path.startswith("/"):
        return {"uri": f"file://{address}"}
    return {"uri": address} if path.startswith("../") else {"uri": address, "uriBaseId": _ROOT}
