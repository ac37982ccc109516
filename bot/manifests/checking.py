"""Everything that can be said of a file's traffic before it reaches the platform.

``READERS`` lists the kinds that are understood, one line each: what a file must hold to be read at
all (bytes, no YAML), and the function that reads and judges it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core import cloudrun, generated, owners
from bot.core.findings import Checked, Finding, Level, of_reader
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.core.validate import LONGEST_LABEL, is_label
from bot.core.weights import Platform
from bot.manifests.fields import span
from bot.manifests.holding import holder_of, on_cloud_run
from bot.manifests.judge import server_violations
from bot.manifests.knative import find_services, is_candidate
from bot.manifests.knative_read import read_document
from bot.manifests.legacy_check import check_legacy
from bot.manifests.source import Source, cut
from bot.manifests.weighted import find_routes, may_have_routes
from bot.manifests.workload import SERVICE, knative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.core.admission import Violation
    from bot.manifests.knative import Manifest
    from bot.manifests.nodes import Node
    from bot.manifests.weighted import Route
    from bot.manifests.workload import Workload

_LONGEST_WORDS = 1000  # characters of the server's own text; all of it, but for names that are longer

# What helps against the server's words, by what they hold; the first that fits.
_REMEDIES = (
    ("Traffic targets sum to", "Correct the percents so that they sum to 100."),
    ("Multiple definitions", "Give each target a tag of its own: it is a URL."),
    ("must have prefix", "Begin the revision's name with the service's name and a dash."),
    ("DNS 1035", "Use a–z, 0–9 and `-`, a letter first and at most 63 characters."),
    ("latestRevision is true", "Remove `latestRevision` or `revisionName`."),
    ("latestRevision is false", "Name the revision, or remove `latestRevision`."),
    ("expected 0 <=", "Write a percent from 0 to 100."),
    ("must not set", "Remove the field."),
    ("invalid key name", "Write a name that the platform takes, or move the annotation to the template."),
    ("rollout-duration", "Write whole seconds, such as `600s`, or remove the annotation."),
    ("invalid value", "Write a duration of whole seconds, such as `600s`, or remove the annotation."),
    ("name or generateName", "Give the service a name."),
)


@dataclass(frozen=True, slots=True)
class Reader:
    """One family of kinds: whether a file may hold it, and how it is judged."""

    may_hold: Callable[[bytes], bool]
    judge: Callable[[bytes, str], Checked]


def check(content: bytes, path: str) -> Checked:
    """Judge all traffic of a file; never raises for what the file holds. The findings are in the file's order."""
    objects = 0
    findings: dict[Finding, None] = {}  # two readers may say the same of a file
    for reader in READERS:
        if reader.may_hold(content):
            checked = reader.judge(content, path)
            objects += checked.objects
            findings |= dict.fromkeys(checked.findings)
    # A program's file is judged like any other; where to mend it is another question.
    written = generated.refusal(path, "", content=content) if objects else None
    if written is not None:
        findings[of_reader(written)] = None
    return Checked(1, objects, tuple(sorted(findings, key=_order)))


def may_hold_traffic(content: bytes) -> bool:
    """Whether a file is worth reading; reads no YAML."""
    return any(reader.may_hold(content) for reader in READERS)


def _order(finding: Finding) -> tuple[int, int]:
    place = finding.problem.place or Place()
    return place.line or 0, place.column or 0


# Knative -----------------------------------------------------------------------------------------


def _services(content: bytes, path: str) -> Checked:
    found = find_services(content, path)
    legacy, problems = check_legacy(content, path, found)
    findings = [*map(of_reader, problems), *legacy.findings]
    for manifest in found.manifests:
        where = _Finder(content, manifest)
        findings += _refused(manifest, where)
        findings += _later(manifest, where)
        findings += _around(content, knative(manifest))
    return Checked(1, len(found.manifests) + legacy.objects, tuple(findings))


def _refused(manifest: Manifest, where: _Finder) -> Iterator[Finding]:
    """Give what the API server says, in its own words, at the first field that it names."""
    for violation in server_violations(manifest, manifest.targets):
        words = f"{violation.message}: {', '.join(violation.paths)}"
        if violation.details:
            words += f" ({violation.details})"
        message = f"The API server refuses {code(manifest.name)}: {code(words, longest=_LONGEST_WORDS)}."
        yield Finding(where.problem("split-invalid", message, violation.paths[0], _remedy(violation)))


def _remedy(violation: Violation) -> str:
    words = f"{violation.message} {' '.join(violation.paths)}"
    return next((remedy for sign, remedy in _REMEDIES if sign in words), "")


def _later(manifest: Manifest, where: _Finder) -> Iterator[Finding]:
    """Give what the server accepts, and what shows when the Route is made."""
    for i, target in enumerate(manifest.targets):
        host = f"{target.tag}-{manifest.name}"
        if target.tag and is_label(target.tag) and len(host) > LONGEST_LABEL:
            message = f"The host name {code(host)} has {len(host)} characters, want at most {LONGEST_LABEL}."
            yield Finding(
                where.problem("name-too-long", message, f"spec.traffic[{i}].tag", "Shorten the tag.")
            )
        if target.revision and target.revision != manifest.template_name:
            name = code(target.revision)
            known = "is not the one of this file's template" if manifest.kind == SERVICE else "is in no file"
            message = f"The revision {name} {known}; the cluster must have it."
            path = f"spec.traffic[{i}].revisionName"
            yield Finding(where.problem("revision-elsewhere", message, path), Level.NOTE)


def _around(content: bytes, workload: Workload) -> Iterator[Finding]:
    """Give what Cloud Run refuses or does otherwise, and who else sets the split."""
    holder = holder_of(content, workload)
    for problem in owners.verdict(holder):
        yield of_reader(problem)
    for problem in owners.cautions(holder):
        yield Finding(problem, Level.WARNING)
    facts = on_cloud_run(workload, holder, workload.split)
    if facts is not None:
        for problem in cloudrun.problems(facts):
            yield Finding(problem)
        for problem in cloudrun.cautions(facts):
            yield Finding(problem, Level.NOTE)


class _Finder:
    """Finds the fields of a service in its file; the file is parsed again where something was found only."""

    def __init__(self, content: bytes, manifest: Manifest) -> None:
        self._content = content
        self._manifest = manifest
        self._read: tuple[Source, Node] | None = None

    def problem(self, name: str, message: str, path: str, remedy: str = "") -> Problem:
        """Give a problem at a field, or at the nearest field around it that is written."""
        try:
            source, root = self._read = self._read or self._document()
        except Declined:
            lines = self._manifest.traffic_lines or (self._manifest.line, 0)
            return Problem(name, message, remedy, Place(self._manifest.path, lines[0]))
        start, end = span(root, path)
        return source.problem(name, message, start, end=end, remedy=remedy)

    def _document(self) -> tuple[Source, Node]:
        source = Source.read(self._content, self._manifest.path)
        document = read_document(source, cut(source)[self._manifest.document], self._manifest.item)
        if document is None or document.name != self._manifest.name:
            raise Declined
        return source, document.root


# Istio, Gateway API ------------------------------------------------------------------------------


def _routes(content: bytes, path: str) -> Checked:
    found = find_routes(content, path)
    findings = [of_reader(problem) for problem in found.problems]
    for route in found.routes:
        findings += _of_route(route)
    owners = {(r.document, r.item, r.kind, r.id) for r in found.routes}
    return Checked(1, len(owners), tuple(findings))


def _of_route(route: Route) -> Iterator[Finding]:
    if route.foreign is not None:
        yield of_reader(route.foreign)
    weights, name = route.weights, f"`{route.where}` of {code(route.name)}"
    if weights.refusal is not None:
        largest = weights.platform.largest
        wrong = next((d for d in weights.destinations if not 0 <= (d.weight or 0) <= largest), None)
        place = Place(route.path, wrong.line) if wrong and wrong.line else route.place
        message = f"{weights.platform.value} refuses {name}: {code(weights.refusal)}."
        remedy = f"Write weights from 0 to {largest} that do not sum to 0."
        yield Finding(Problem("split-invalid", message, remedy, place))
    elif weights.platform is Platform.GATEWAY and weights.total == 0:
        message = f"All weights of {name} are 0: every request is answered with status 500."
        remedy = "Give a backend some weight."
        yield Finding(Problem("split-invalid", message, remedy, route.place), Level.WARNING)


READERS = (
    Reader(is_candidate, _services),
    Reader(may_have_routes, _routes),
)
