"""Legacy Knative Services (v1alpha1 ``runLatest``, ``pinned``, ``release``) in files: found and edited.

An edit touches the mode's name and the lines of ``revisions``, ``rolloutPercent`` and ``revisionName``, or is
declined: every result is read back first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.core.legacy import MODES, targets_of
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests.documents import read_each
from bot.manifests.knative_read import looks_like_service
from bot.manifests.legacy_edit import edit_mode, verify
from bot.manifests.legacy_read import VERSION, LegacyDocument, read_legacy
from bot.manifests.source import Source
from bot.manifests.splices import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as ReadOnly

    from bot.core.legacy import Legacy
    from bot.core.traffic import Target
    from bot.manifests.source import Chunk


@dataclass(frozen=True, slots=True)
class LegacyService:
    """One legacy Service of a file.

    ``document`` is the place of its document in the file, from 0. ``line`` is the mode's, ``lines`` the first and
    last line of the mode, all counted from 1. ``legacy`` is the mode with its revisions and percent.
    ``template`` is the mode's ``revisionTemplate`` or ``template`` as plain values, in the shape of
    ``bot.manifests.knative.Manifest.template``: without ``metadata.name`` (and without ``metadata`` when nothing
    else is in it). ``template_name_line`` is the line of that name, ``None`` where it is not written out.
    """

    path: str
    document: int
    line: int
    namespace: str | None
    name: str
    legacy: Legacy
    template_name: str | None
    lines: tuple[int, int]
    template: Any = None
    template_name_line: int | None = None
    annotations: ReadOnly[str, str] = field(default_factory=dict)
    api_version: str = VERSION
    kind: str = "Service"

    @property
    def id(self) -> str:
        """``namespace/name``, or ``/name`` where the file names no namespace."""
        return f"{self.namespace or ''}/{self.name}"

    @property
    def mode(self) -> str:
        """``runLatest``, ``pinned`` or ``release``."""
        return self.legacy.mode

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions as written: none, one, or stable and candidate."""
        return self.legacy.revisions

    @property
    def rollout_percent(self) -> int | None:
        """The candidate's share, ``None`` where it is not written."""
        return self.legacy.percent

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that the server makes of the mode."""
        return targets_of(self.legacy)


@dataclass(frozen=True, slots=True)
class FoundLegacy:
    """The legacy services of a file, and what is wrong with documents that seem to be one."""

    services: tuple[LegacyService, ...]
    problems: tuple[Problem, ...]


def find_legacy(content: bytes, path: str, *, name: str | None = None) -> FoundLegacy:
    """Find the legacy services of a file; never raises for what the file holds."""
    if VERSION.encode() not in content.replace(b"\0", b""):
        return FoundLegacy((), ())
    try:
        source = Source.read(content, path)
    except Declined as declined:
        return FoundLegacy((), declined.problems)
    services: list[LegacyService] = []
    problems: list[Problem] = []
    for outcome in legacy_documents(source):
        if not isinstance(outcome, LegacyDocument):
            problems += outcome
        elif name is None or outcome.name == name:
            services.append(_service(outcome))
    return FoundLegacy(tuple(services), tuple(problems))


def edit_legacy(content: bytes, service: LegacyService, wanted: Legacy) -> bytes:
    """Give the file with another mode, other revisions or another percent.

    Args:
        content: The file that ``service`` was found in.
        service: The service.
        wanted: What it says afterwards, see ``bot.core.legacy``: ``start``, ``step``, ``finish``, ``roll_back``.

    Raises:
        Declined: ``head-moved``, ``ambiguous-document``, ``traffic-block-unusual``, ``line-ends-unusual``, and
            all codes of the reader.
    """
    source = Source.read(content, service.path)
    doc = _the_document(source, service)
    if doc.legacy == wanted:
        return content
    draft = Draft(source)
    edit_mode(draft, doc, wanted)
    edited = Source.of(draft.text(), service.path, bom=source.bom)
    verify(doc, edited, wanted)
    return source.encode(edited.text)


def legacy_documents(source: Source) -> Iterator[LegacyDocument | tuple[Problem, ...]]:
    """Give each readable legacy Service of a file, or the problems of one that is not readable."""

    def may_be(text: str) -> bool:
        return VERSION in text and "Service" in text and any(mode in text for mode in MODES)

    def read(chunk: Chunk) -> Iterator[LegacyDocument]:
        doc = read_legacy(source, chunk)
        if doc is not None:
            yield doc

    return read_each(source, may_be=may_be, looks_like=looks_like_service, read=read, what="service")


def _service(doc: LegacyDocument) -> LegacyService:
    first, last = doc.source.line(doc.mode.key.start), doc.last_line(doc.mode)
    return LegacyService(
        path=doc.source.path,
        document=doc.chunk.number,
        line=first + 1,
        namespace=doc.namespace,
        name=doc.name,
        legacy=doc.legacy,
        template_name=doc.template_name,
        lines=(first + 1, last + 1),
        template=doc.template_value,
        template_name_line=doc.source.line(doc.name_pair.key.start) + 1 if doc.name_pair else None,
        annotations=doc.annotations,
    )


def _the_document(source: Source, service: LegacyService) -> LegacyDocument:
    outcomes = list(legacy_documents(source))
    docs = [outcome for outcome in outcomes if isinstance(outcome, LegacyDocument)]
    same = [doc for doc in docs if (doc.namespace, doc.name) == (service.namespace, service.name)]
    if len(same) > 1:
        message = f"Several documents of the file are the service {code(service.name)}."
        place = source.place(same[1].root.start)
        raise Declined(Problem("ambiguous-document", message, "Remove all but one.", place))
    if len(same) == 1 and same[0].legacy == service.legacy:
        return same[0]
    problems = [p for outcome in outcomes if not isinstance(outcome, LegacyDocument) for p in outcome]
    message = f"The service {code(service.name)} is not what it was read as."
    moved = Problem("head-moved", message, "", Place(source.path))
    raise Declined(*(problems if problems and not same else [moved]))
