"""What can be said of legacy Knative Services before they reach the platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.findings import Checked, Finding, Level, of_reader
from bot.core.legacy import alpha_refusal
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.validate import LONGEST_LABEL
from bot.manifests.fields import span
from bot.manifests.judge import server_violations
from bot.manifests.knative_read import GROUP, read_document
from bot.manifests.legacy import find_legacy
from bot.manifests.legacy_read import alpha_problem
from bot.manifests.nodes import Mapping, Reader, parse
from bot.manifests.source import Source, cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.manifests.knative import Found, Manifest
    from bot.manifests.legacy import LegacyService

LATER = "not-built-yet"  # what the reader of v1 says of a mode


def check_legacy(content: bytes, path: str, found: Found) -> tuple[Checked, tuple[Problem, ...]]:
    """Judge the legacy Services of a file.

    Args:
        content: The file.
        path: Its path, for problems.
        found: What the reader of v1 says of the file.

    Returns:
        The findings, and the problems of ``found`` that are left: those on documents that are none of ours.
    """
    legacy = find_legacy(content, path)
    findings = [of_reader(problem) for problem in legacy.problems]
    for service in legacy.services:
        findings += _of_service(content, service)
    for manifest in found.manifests:
        if manifest.api_version != f"{GROUP}/v1":
            findings += _of_inline(content, manifest)
    ours = [service.line for service in legacy.services]
    ours += [p.place.line for p in legacy.problems if p.place and p.place.line]
    left = _elsewhere(content, path, found.problems, ours)
    return Checked(1, len(legacy.services), tuple(findings)), left


def _elsewhere(
    content: bytes, path: str, problems: tuple[Problem, ...], ours: list[int]
) -> tuple[Problem, ...]:
    """Give the problems without those that only say that a mode is not read, of documents that were read."""
    if not ours or not any(problem.code == LATER for problem in problems):
        return problems
    source = Source.read(content, path)
    ends = [source.line(chunk.end - 1) + 1 for chunk in cut(source)]

    def document(line: int) -> int:
        return next((number for number, end in enumerate(ends) if line <= end), len(ends))

    read = {document(line) for line in ours}
    return tuple(
        p for p in problems if p.code != LATER or not p.place or document(p.place.line or 0) not in read
    )


def _of_service(content: bytes, service: LegacyService) -> Iterator[Finding]:
    source = Source.read(content, service.path)
    root = parse(source, cut(source)[service.document])
    assert isinstance(root, Mapping)  # noqa: S101 - it was read before
    yield _former(source, root, service.api_version)
    for target in service.targets:
        host = f"{target.tag}-{service.name}"
        if target.tag and len(host) > LONGEST_LABEL:
            message = f"The host name {code(host)} has {len(host)} characters, want at most {LONGEST_LABEL}."
            start, end = span(root, "metadata.name")
            remedy = "Shorten the service's name."
            yield Finding(source.problem("name-too-long", message, start, end=end, remedy=remedy))


def _of_inline(content: bytes, manifest: Manifest) -> Iterator[Finding]:
    """Give what v1alpha1 says besides v1, of a service that has v1's form."""
    source = Source.read(content, manifest.path)
    try:
        doc = read_document(source, cut(source)[manifest.document], manifest.item)
    except Declined:
        doc = None
    if doc is None:
        return
    yield _former(source, doc.root, manifest.api_version)
    if manifest.api_version.endswith("/v1alpha1") and manifest.kind == "Service":
        said = {violation.message for violation in server_violations(manifest, manifest.targets)}
        text = alpha_refusal(manifest.name, Reader(source).plain(doc.spec.value)) or ""
        for line in text.split("\n"):
            message = line.rpartition(": ")[0]
            if message and not any(message in one or one in message for one in said):
                yield Finding(alpha_problem(source, doc.root, manifest.name, line))


def _former(source: Source, root: Mapping, version: str) -> Finding:
    start, end = span(root, "apiVersion")
    former = version.rpartition("/")[2]
    message = f"Knative Serving has not served {former} since v0.19."
    remedy = "`canary migrate FILE` rewrites it for v1."
    return Finding(source.problem("unsupported-api", message, start, end=end, remedy=remedy), Level.NOTE)
