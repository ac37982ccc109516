"""Knative Services in files: found, read, and edited byte for byte.

Covers ``serving.knative.dev/v1``, ``v1beta1`` and inline ``v1alpha1`` (``template`` and
``traffic``); Cloud Run's manifests are the same. An edit touches the lines of the traffic
block and of the revision's name, or is declined: every result is read back first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests.knative_edit import edit_name, edit_targets
from bot.manifests.knative_read import GROUP, Document, Pair, looks_like_service, read_document
from bot.manifests.looks import FIELDS, fields_of
from bot.manifests.nodes import Canon, Mapping, Node, Scalar, canon, compose
from bot.manifests.source import LARGEST_DOCUMENT, Source, candidates, cut
from bot.manifests.splices import Draft, unusual

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as ReadOnly

    from bot.core.traffic import Target
    from bot.manifests.source import Chunk

_GROUP = GROUP.encode()


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Knative Service of a file.

    ``document`` is the place of its document in the file, from 0. Lines count from 1.
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

    @property
    def id(self) -> str:
        """``namespace/name``, or ``/name`` where the file names no namespace."""
        return f"{self.namespace or ''}/{self.name}"


@dataclass(frozen=True, slots=True)
class Found:
    """The services of a file, and what is wrong with documents that seem to be one."""

    manifests: tuple[Manifest, ...]
    problems: tuple[Problem, ...]


def is_candidate(content: bytes) -> bool:
    """Whether a file may hold a Knative Service; reads no YAML."""
    # UTF-16 is found too, so that it can be refused by name.
    text = content.replace(b"\0", b"")
    return _GROUP in text and b"Service" in text


def find_services(content: bytes, path: str, *, name: str | None = None) -> Found:
    """Find the Knative Services of a file; never raises for what the file holds.

    Only documents are parsed whose text mentions the API group, ``Service``, and ``name``
    when it is given. Other documents may hold anything.
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
        manifest: The service.
        targets: What the block holds afterwards, exactly. A target with a ``slot`` is that
            entry, edited in place; one without is new; entries that no target names are
            removed. A field that is ``None`` is not written. No targets: the block goes.
        template_name: What ``spec.template.metadata.name`` is afterwards.

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
    _verify(doc, edited, wanted, doc.template_name if template_name is None else template_name)
    return source.encode(edited.text)


def _documents(source: Source, name: str | None) -> Iterator[Document | tuple[Problem, ...]]:
    """Give each readable Service of a file, or the problems of one that is not readable."""

    def may_be(text: str) -> bool:
        return GROUP in text and "Service" in text and (name is None or name in text)

    try:
        found = candidates(source, may_be)
    except Declined as declined:
        yield declined.problems
        return
    for chunk, text in found:
        if len(text) > LARGEST_DOCUMENT:
            if looks_like_service(text):
                yield (_too_large(source, chunk),)
            continue
        try:
            doc = read_document(source, chunk)
        except Declined as declined:
            if looks_like_service(text):
                yield declined.problems
            continue
        if doc is not None:
            yield doc


def _too_large(source: Source, chunk: Chunk) -> Problem:
    return Problem(
        "file-too-large",
        f"The document has {chunk.end - chunk.start} characters; up to {LARGEST_DOCUMENT} are edited.",
        "Move the service into a file of its own.",
        Place(source.path, source.line(chunk.start) + 1),
    )


def _manifest(doc: Document) -> Manifest:
    lines = doc.lines_of(doc.traffic) if doc.traffic else None
    return Manifest(
        path=doc.source.path,
        api_version=doc.api_version,
        kind="Service",
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
    """Find the one document of a service.

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
        and (outcome.namespace, outcome.name) == (manifest.namespace, manifest.name)
    ]
    if len(found) > 1:
        lines = ", ".join(str(source.line(doc.root.start) + 1) for doc in found)
        raise Declined(
            Problem(
                "ambiguous-document",
                f"The documents at lines {lines} are all the service {code(manifest.name)}.",
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
                f"The service {code(manifest.name)} is not what it was read as.",
                "",
                Place(source.path),
            )
        )
    return found[0]


# reading back -----------------------------------------------------------------------


def _verify(doc: Document, edited: Source, targets: tuple[Target, ...], name: str | None) -> None:
    """Read an edited file back before anybody believes it.

    Raises:
        Declined: ``traffic-block-unusual``.
    """
    at = doc.traffic.key.start if doc.traffic else doc.root.start
    refusal = unusual(doc.source, at, "The edit would not read back as exactly the wanted change.")
    chunks = cut(edited)
    if len(chunks) != len(cut(doc.source)):
        raise refusal
    try:
        new = read_document(edited, chunks[doc.chunk.number])
    except Declined:
        raise refusal from None
    if new is None or not (
        new.targets == targets
        and new.template_name == name
        and _rest(new) == _rest(doc)
        and _entries_kept(doc, new, targets)
        and _ruamel_reads(edited, new.chunk, targets, name)
        and _same_outside(doc, new)
    ):
        raise refusal


def _rest(doc: Document) -> Canon:
    """Give all that a document says besides the traffic and the revision's name."""
    skip = {id(pair.value) for pair in (doc.traffic, doc.name_pair) if pair is not None}
    # A mapping that only the name made necessary counts as absent, as a null one does.
    for pair in (doc.template_metadata, doc.template):
        if pair is None:
            continue
        value = pair.value
        empty = isinstance(value, Mapping) and all(id(part) in skip for _, part in value.pairs)
        if empty or (isinstance(value, Scalar) and value.is_null):
            skip.add(id(value))
    return canon(doc.root, frozenset(skip))


def _entries_kept(old: Document, new: Document, targets: tuple[Target, ...]) -> bool:
    """Whether kept entries still hold their other fields, and new ones nothing else."""
    after = new.entries.items if new.entries else []
    for target, node in zip(targets, after, strict=True):
        others = _other_fields(node)
        if target.slot is None:
            if others or len(node.pairs if isinstance(node, Mapping) else []) != len(fields_of(target)):
                return False
        elif old.entries is None or others != _other_fields(old.entries.items[target.slot]):
            return False
    return True


def _other_fields(node: Node) -> list[tuple[Canon, Canon]]:
    pairs = node.pairs if isinstance(node, Mapping) else []
    return [(canon(k), canon(v)) for k, v in pairs if not (isinstance(k, Scalar) and k.value in FIELDS)]


def _ruamel_reads(source: Source, chunk: Chunk, targets: tuple[Target, ...], name: str | None) -> bool:
    """Whether ruamel's own composer sees the wanted values, with the wanted types."""
    try:
        root = compose(source.text[chunk.start : chunk.end])
    except (YAMLError, RecursionError, ValueError):
        return False
    spec = _child(root, "spec")
    if name is not None and _typed(_child(_child(_child(spec, "template"), "metadata"), "name")) != (
        "str",
        name,
    ):
        return False
    block = _child(spec, "traffic")
    items = block.value if isinstance(block, SequenceNode) else []
    if len(items) != len(targets):
        return False
    for item, target in zip(items, targets, strict=True):
        for key, value in fields_of(target).items():
            kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "str"
            text = str(value).lower() if kind == "bool" else str(value)
            seen = _typed(_child(item, key))
            if seen is None or (seen[0], seen[1].lower() if kind == "bool" else seen[1]) != (kind, text):
                return False
    return True


def _child(node: Any, key: str) -> Any:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _typed(node: Any) -> tuple[str, str] | None:
    if not isinstance(node, ScalarNode):
        return None
    return str(node.tag).rsplit(":", 1)[-1], str(node.value)


def _same_outside(old: Document, new: Document) -> bool:
    """Whether every byte outside the parts that an edit may touch is the byte that was there.

    The parts are found from each text's own nodes, so a wrong splice shows.
    """
    tail_old, tail_new = _tail(old), _tail(new)
    if not (old.traffic and new.traffic and tail_old != tail_new):
        return _outside(old, new, 0) == _outside(new, old, 0)
    # Comments before an entry that was the last one stay, and then lie behind the block.
    left = tail_new.removesuffix(tail_old)
    within = old.source.text[slice(*_part(old, old.traffic))]
    return (
        tail_new.endswith(tail_old)
        and left in within
        and _outside(old, new, 0) == _outside(new, old, len(left))
    )


def _tail(doc: Document) -> str:
    """Give the blank lines and comments behind a block that has its own lines."""
    if doc.traffic is None or doc.traffic.parent.flow:
        return ""
    source = doc.source
    line = first = doc.lines_of(doc.traffic)[1] + 1
    while line < len(source.starts) and not source.is_content(line):
        line += 1
    if first >= len(source.starts):
        return ""
    end = source.line_start(line) if line < len(source.starts) else len(source.text)
    return source.text[source.line_start(first) : end]


def _outside(doc: Document, other: Document, more: int) -> str:
    """Give a file's text without the parts that an edit may touch.

    ``other`` is the file before or after: a mapping that only one of the two has is one of
    the parts. ``more`` characters behind the block belong to it.
    """
    parts: list[tuple[int, int]] = []
    if doc.traffic is not None:
        start, end = _part(doc, doc.traffic)
        parts.append((start, end + more))
    named = doc.name_pair
    if named is None or other.name_pair is None:
        levels = ((doc.template_metadata, other.template_metadata), (doc.template, other.template))
        for mine, theirs in levels:
            bare = mine is None or theirs is None or not _has_more(mine) or not _has_more(theirs)
            named = mine if bare and mine is not None else named
    if named is not None:
        parts.append(_part(doc, named))
    text, at, kept = doc.source.text, 0, []
    for start, end in sorted(parts):
        kept.append(text[at:start])
        at = max(at, end)
    kept.append(text[at:])
    return "".join(kept)


def _has_more(pair: Pair) -> bool:
    """Whether a mapping holds something besides ``name`` and ``metadata``."""
    value = pair.value
    return isinstance(value, Mapping) and any(
        not (isinstance(key, Scalar) and key.value in {"name", "metadata"}) for key, _ in value.pairs
    )


def _part(doc: Document, pair: Pair) -> tuple[int, int]:
    """Give the lines of a pair, or in flow style its characters with the comma before (or behind) it."""
    source = doc.source
    if not pair.parent.flow:
        first, last = doc.lines_of(pair)
        return source.line_start(first), source.line_end(last)
    text = source.text
    start, end = pair.key.start, doc.end_of(pair)
    before, after = text[:start].rstrip(" \t\r\n"), text[end:].lstrip(" \t\r\n")
    if before.endswith(","):
        return len(before) - 1, end
    if after.startswith(","):
        end = len(text) - len(after[1:].lstrip(" \t\r\n"))
    return start, end
