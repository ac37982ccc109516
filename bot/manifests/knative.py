"""Knative Services and Routes in files: found, read, and edited byte for byte.

Covers ``serving.knative.dev/v1``, ``v1beta1`` and inline ``v1alpha1`` (``template`` and
``traffic``), also as entries of a ``kind: List``; Cloud Run's manifests are the same. An edit
touches the lines of the traffic block and of the revision's name, or is declined: every result
is read back first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests.documents import read_each
from bot.manifests.knative_edit import edit_name, edit_targets
from bot.manifests.knative_read import GROUP, KINDS, Document, looks_like_service, read_documents
from bot.manifests.knative_verify import verify
from bot.manifests.nodes import Mapping, Node, Scalar
from bot.manifests.source import Source
from bot.manifests.splices import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as ReadOnly

    from bot.core.traffic import Target

_GROUP = GROUP.encode()
_KINDS = tuple(kind.encode() for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Knative Service or Route of a file.

    ``document`` is the place of its document in the file, from 0; ``item`` its place in a
    ``kind: List``, else ``None``. Lines count from 1. A Route has no template: ``None``.
    ``template`` is ``spec.template`` as plain values, without ``metadata.name`` (and without
    ``metadata`` when nothing else is in it). ``targets`` are ``spec.traffic`` as written,
    with their places as ``slot``; empty when the block is missing, null or an empty list.
    ``urls`` are the places of those that set ``url``, which the API server refuses.
    """

    path: str
    api_version: str
    kind: str
    namespace: str | None
    name: str
    document: int
    line: int
    template_name: str | None
    template: Any
    annotations: ReadOnly[str, str]
    targets: tuple[Target, ...]
    has_traffic: bool
    traffic_lines: tuple[int, int] | None
    template_name_line: int | None
    urls: frozenset[int] = frozenset()
    item: int | None = None

    @property
    def id(self) -> str:
        """``namespace/name``, or ``/name`` where the file names no namespace; a Route's begins with ``Route:``."""
        kind = "" if self.kind == "Service" else f"{self.kind}:"
        return f"{kind}{self.namespace or ''}/{self.name}"


@dataclass(frozen=True, slots=True)
class Found:
    """The Services and Routes of a file, in its order, and what is wrong with those that cannot be read."""

    manifests: tuple[Manifest, ...]
    problems: tuple[Problem, ...]


def is_candidate(content: bytes) -> bool:
    """Whether a file may hold a Knative Service or Route; reads no YAML."""
    # UTF-16 is found too, so that it can be refused by name.
    text = content.replace(b"\0", b"")
    return _GROUP in text and any(kind in text for kind in _KINDS)


def find_services(content: bytes, path: str, *, name: str | None = None) -> Found:
    """Find the Knative Services and Routes of a file; never raises for what the file holds.

    Only documents are parsed whose text mentions the API group, ``Service`` or ``Route``, and
    ``name`` when it is given: then only objects of that name are given. Other documents may hold
    anything. An entry of a list that cannot be read is a problem, and leaves its neighbours.
    """
    if not is_candidate(content):
        return Found((), ())
    try:
        source = Source.read(content, path)
    except Declined as declined:
        return Found((), declined.problems)
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for outcome in _documents(source, name):
        if isinstance(outcome, Document):
            if name is None or outcome.name == name:
                manifests.append(_manifest(outcome))
        else:
            problems += outcome
    return Found(tuple(manifests), tuple(problems))


def edit_service(
    content: bytes,
    path: str,
    manifest: Manifest,
    *,
    targets: tuple[Target, ...] | None = None,
    template_name: str | None = None,
) -> bytes:
    """Give the file with another traffic block, another revision name, or both.

    Args:
        content: The file that ``manifest`` was found in.
        path: Its path, for problems.
        manifest: The Service or Route.
        targets: What the block holds afterwards, exactly. A target with a ``slot`` is that
            entry, edited in place; one without is new; entries that no target names are
            removed. A field that is ``None`` is not written. No targets: the block goes.
        template_name: What ``spec.template.metadata.name`` is afterwards; a Route has none.

    Raises:
        Declined: ``head-moved``, ``ambiguous-document``, ``traffic-block-unusual``,
            ``line-ends-unusual``, ``alias-in-block``, ``tag-in-block``, and all codes of
            the reader.
    """
    source = Source.read(content, path)
    doc = _the_document(source, manifest)
    draft = Draft(source)
    # The name first: where both stand behind one line, the template is closer to it.
    if template_name is not None and template_name != doc.template_name:
        edit_name(draft, doc, template_name)
    if targets is not None:
        edit_targets(draft, doc, targets)
    if not draft.splices:
        return content
    edited = Source.of(draft.text(), path, bom=source.bom)
    wanted = doc.targets if targets is None else targets
    verify(doc, edited, wanted, doc.template_name if template_name is None else template_name)
    return source.encode(edited.text)


def _documents(source: Source, name: str | None) -> Iterator[Document | tuple[Problem, ...]]:
    """Give each readable object of a file, or the problems of one that is not readable."""

    def may_be(text: str) -> bool:
        return GROUP in text and any(kind in text for kind in KINDS) and (name is None or name in text)

    return read_each(
        source,
        may_be=may_be,
        looks_like=looks_like_service,
        read=lambda chunk: read_documents(source, chunk, name),
        what="service",
    )


def _manifest(doc: Document) -> Manifest:
    lines = doc.lines_of(doc.traffic) if doc.traffic else None
    return Manifest(
        path=doc.source.path,
        api_version=doc.api_version,
        kind=doc.kind,
        namespace=doc.namespace,
        name=doc.name,
        document=doc.chunk.number,
        line=doc.source.line(doc.root.start) + 1,
        template_name=doc.template_name,
        template=doc.template_value,
        annotations=doc.annotations,
        targets=doc.targets,
        has_traffic=doc.entries is not None,
        traffic_lines=(lines[0] + 1, lines[1] + 1) if lines else None,
        template_name_line=doc.source.line(doc.name_pair.key.start) + 1 if doc.name_pair else None,
        urls=frozenset(i for i, item in enumerate(doc.entries.items) if _sets_url(item))
        if doc.entries
        else frozenset(),
        item=doc.item,
    )


def _sets_url(entry: Node) -> bool:
    pairs = entry.pairs if isinstance(entry, Mapping) else []
    return any(
        isinstance(key, Scalar)
        and key.value == "url"
        and not (isinstance(value, Scalar) and (value.is_null or not value.value))
        for key, value in pairs
    )


def _the_document(source: Source, manifest: Manifest) -> Document:
    """Find the one object that a manifest was read from.

    Raises:
        Declined: ``ambiguous-document``, ``head-moved``, or why it cannot be read.
    """
    outcomes = list(_documents(source, manifest.name))
    if not any(isinstance(outcome, Document) for outcome in outcomes):
        outcomes = list(_documents(source, None))  # the name may be written with escapes
    problems = [problem for outcome in outcomes if not isinstance(outcome, Document) for problem in outcome]
    found = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, Document)
        and (outcome.kind, outcome.namespace, outcome.name)
        == (manifest.kind, manifest.namespace, manifest.name)
    ]
    what = f"{manifest.kind.lower()} {code(manifest.name)}"
    if len(found) > 1:
        lines = ", ".join(str(source.line(doc.root.start) + 1) for doc in found)
        raise Declined(
            Problem(
                "ambiguous-document",
                f"The documents at lines {lines} are all the {what}.",
                "Remove all but one, or give them namespaces.",
                source.place(found[1].root.start),
            )
        )
    if not found and problems:
        raise Declined(*problems)
    if not found or found[0].targets != manifest.targets or found[0].template_name != manifest.template_name:
        raise Declined(
            Problem(
                "head-moved",
                f"The {what} is not what it was read as.",
                "",
                Place(source.path),
            )
        )
    return found[0]
