"""Legacy Knative Services rewritten as ``serving.knative.dev/v1``, with every comment and every other byte.

A file's result is read back before anybody believes it: it holds what the server's own conversion gives, the server
of v1 accepts it, and no comment is lost. What cannot be done so is declined with file and line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.legacy import Refusal, convert, v1_refusal
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests.judge import server_refusal
from bot.manifests.knative import find_services
from bot.manifests.knative_read import GROUP, KINDS, Document, all_nodes, looks_like_service, read_document
from bot.manifests.legacy_block import BlockMove, list_offset
from bot.manifests.legacy_comments import comments_of
from bot.manifests.legacy_flow import edit_flow, is_flow
from bot.manifests.legacy_inline import InlineDocument, edit_inline, read_inline, wanted_inline
from bot.manifests.legacy_read import LegacyDocument, read_legacy
from bot.manifests.legacy_template import dropped_note, flow_span, is_null, no_place, wanted_template
from bot.manifests.nodes import Alias, Mapping, Reader, Scalar, canon
from bot.manifests.source import LARGEST_DOCUMENT, Source, candidates, cut
from bot.manifests.splices import Draft, unusual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.legacy import Converted
    from bot.manifests.legacy_template import Note

VERSION_ONE = f"{GROUP}/v1"
_OLD = ("v1alpha1", "v1beta1")
_AGAIN = "Correct it, and migrate again."
_Legacy = LegacyDocument | InlineDocument


@dataclass(frozen=True, slots=True)
class Migrated:
    """A file afterwards. ``services`` are the ids of what was rewritten; ``notes`` what changed besides the form."""

    content: bytes
    services: tuple[str, ...]
    notes: tuple[Note, ...]


def migrate(content: bytes, path: str, *, service: str | None = None) -> Migrated:
    """Rewrite the legacy Services of a file, or one of them.

    Args:
        content: The file.
        path: Its path, for problems.
        service: A name, or ``namespace/name``; the file's other services stay as they are.

    Returns:
        The file; the same bytes and no services where all of them are v1 already.

    Raises:
        Declined: ``no-service``, ``unknown-service``, ``split-invalid``, ``traffic-block-unusual``, and all codes
            of the reader. Nothing is given of a file of which a part is declined.
    """
    source = Source.read(content, path)
    problems: list[Problem] = []
    chosen: list[int] = []
    others: list[str] = []
    for number, outcome in _documents(source):
        if isinstance(outcome, tuple):
            problems += outcome
        elif service is None or service in _names(outcome):
            chosen.append(number)
        else:
            others.append(outcome.name)
    if problems and not (service and chosen):
        raise Declined(*problems)
    if not chosen:
        _refuse_others(content, path, service, others)
        return Migrated(content, (), ())
    notes: list[Note] = []
    names: list[str] = []
    # From the end, so that the lines of what comes before are still the file's.
    for number in reversed(chosen):
        doc = _read(source, number)
        told: list[Note] = []
        source = _edit(doc, told)
        names.insert(0, _names(doc)[0])
        notes[:0] = told
    return Migrated(source.encode(source.text), tuple(names), tuple(notes))


def _names(doc: _Legacy) -> tuple[str, str]:
    return f"{doc.namespace or ''}/{doc.name}", doc.name


def _refuse_others(content: bytes, path: str, service: str | None, others: list[str]) -> None:
    """Refuse a file, or a service's name, with nothing in it that is v1 already; ``others`` are not v1 yet."""
    found = find_services(content, path)
    wanted = [m for m in found.manifests if service is None or service in {m.name, m.id}]
    problems = [] if others else found.problems
    if wanted and not (problems and service is None):
        return
    if problems:
        raise Declined(*problems)
    file, place = code(path), Place(path)
    if service is None:
        message = f"{file} holds no Service of `{GROUP}`."
        raise Declined(Problem("no-service", message, "Name its manifest.", place))
    names = [*others, *(m.name for m in found.manifests)]
    remedy = f"It holds {', '.join(map(code, dict.fromkeys(names)))}." if names else "Name its manifest."
    raise Declined(Problem("unknown-service", f"{file} holds no service {code(service)}.", remedy, place))


def _documents(source: Source) -> Iterator[tuple[int, _Legacy | tuple[Problem, ...]]]:
    """Give each document of a former version with its number, or what is wrong with it."""

    def may_be(text: str) -> bool:
        return GROUP in text and any(k in text for k in KINDS) and any(version in text for version in _OLD)

    for chunk, text in candidates(source, may_be):
        if len(text) > LARGEST_DOCUMENT:
            if looks_like_service(text):
                place = Place(source.path, source.line(chunk.start) + 1)
                message = f"The document has {len(text)} characters; up to {LARGEST_DOCUMENT} are edited."
                yield (
                    chunk.number,
                    (Problem("file-too-large", message, "Move the service into a file of its own.", place),),
                )
            continue
        try:
            doc = read_legacy(source, chunk) or read_inline(source, chunk)
        except Declined as declined:
            if looks_like_service(text):
                yield chunk.number, declined.problems
            continue
        if doc is not None:
            yield chunk.number, doc


def _read(source: Source, number: int) -> _Legacy:
    chunk = cut(source)[number]
    doc = read_legacy(source, chunk) or read_inline(source, chunk)
    assert doc is not None  # noqa: S101 - it was read before
    return doc


# one document --------------------------------------------------------------------------


def _edit(doc: _Legacy, notes: list[Note]) -> Source:
    """Give the file with one document rewritten, read back.

    Raises:
        Declined: See ``migrate``.
    """
    source = doc.source
    if isinstance(doc, InlineDocument):
        draft = Draft(source)
        edit_inline(draft, doc)
        template, traffic = wanted_inline(doc)
    else:
        converted = convert(doc.plain)
        if isinstance(converted, Refusal):
            at, remedy = _refused_at(doc), "Take that part out, and migrate again."
            raise source.declined(
                "split-invalid", f"{code(converted.text)}", at.start, end=at.end, remedy=remedy
            )
        text = v1_refusal(doc.name, converted)
        if text is not None:
            message = f"The server of v1 would refuse the result: {code(' / '.join(text.splitlines()))}."
            raise source.declined(
                "split-invalid", message, doc.mode.key.start, end=doc.mode.key.end, remedy=_AGAIN
            )
        draft = Draft(source)
        _edit_mode(draft, doc, converted, notes)
        template, traffic = wanted_template(doc, converted), list(converted.traffic)
    _edit_version(draft, doc)
    edited = Source.of(draft.text(), source.path, bom=source.bom)
    _verify(doc, edited, template, traffic)
    return edited


def _refused_at(doc: LegacyDocument) -> Scalar:
    configuration = doc.pairs.get("configuration")
    value = configuration.value if configuration else None
    for key, _ in value.pairs if isinstance(value, Mapping) else ():
        if isinstance(key, Scalar) and key.value == "build":
            return key
    return doc.mode.key


def _edit_mode(draft: Draft, doc: LegacyDocument, converted: Converted, notes: list[Note]) -> None:
    source = doc.source
    comments = comments_of(source, doc.chunk, doc.root)
    for key, pair in doc.spec.items():
        if pair.key is doc.mode.key:
            continue
        if not (key == "generation" or is_null(pair)):
            raise no_place(source, pair)
        notes.append(dropped_note(source, pair))
        if pair.parent.flow:
            start, end = flow_span(pair)
            if any(start <= comment.start < end for comment in comments):
                raise unusual(source, pair.key.start, "A comment stands beside a field that goes.")
            draft.replace(start, end, "")
            continue
        first, last = source.line(pair.key.start), doc.last_line(pair)
        start, end = source.line_start(first), source.line_end(last)
        own = [c.text for c in comments if start <= c.start < end]
        if own:
            margin = source.text[start : pair.key.start]
            kept = draft.line_break(first).join(margin + text for text in own)
            draft.replace(start, end - len(source.line_break(last)), kept)
        else:
            draft.remove_lines(first, last)
    if is_flow(doc.mode):
        offset = list_offset(doc.root, source) or 0
        edit_flow(draft, doc, converted, comments, notes, offset=offset)
        return
    move = BlockMove(doc, converted, notes)
    last = move.last
    open_end = not source.line_break(last)
    literal = any(
        isinstance(node, Scalar) and node.style in {"|", ">"} and source.line(max(node.end - 1, 0)) == last
        for node in all_nodes(doc.mode.value)
    )
    # A block scalar that ends with the file has no last line break; a line behind it would give it one.
    lines = move.lines(traffic_first=open_end and literal)
    ending = draft.line_break(move.first)
    start, end = source.line_start(move.first), source.line_end(last)
    draft.replace(start, end, ending.join(lines) + source.line_break(last))


def _edit_version(draft: Draft, doc: _Legacy) -> None:
    node = doc.version.value
    if not isinstance(node, Scalar) or node.anchor is not None or node.tag is not None:
        what = "The `apiVersion` is an alias, or has an anchor or a tag."
        raise doc.source.declined("alias-in-block", what, doc.version.key.start, remedy="Write it out.")
    raw = doc.source.text[node.start : node.end]
    if raw.count(node.value) != 1:
        raise unusual(doc.source, node.start, "The `apiVersion` is written with escapes.")
    draft.replace(node.start, node.end, raw.replace(node.value, VERSION_ONE))


# reading back --------------------------------------------------------------------------


def _verify(doc: _Legacy, edited: Source, template: Any, traffic: list[dict[str, Any]]) -> None:
    """Read a migrated document back before anybody believes it.

    Raises:
        Declined: ``traffic-block-unusual``, ``split-invalid``.
    """
    old = doc.source
    at = doc.mode.key.start if isinstance(doc, LegacyDocument) else doc.root.start
    refusal = unusual(old, at, "The migrated document would not read back as exactly the wanted one.")
    chunks = cut(edited)
    if len(chunks) != len(cut(old)):
        raise refusal
    chunk = chunks[doc.chunk.number]
    try:
        new = read_document(edited, chunk)
    except Declined:
        raise refusal from None
    if new is None or not (
        new.api_version == VERSION_ONE
        and _plain(new, "traffic") == traffic
        and _without_nothing(_plain(new, "template")) == template
        and _rest(doc) == _rest(new)
        and _values(doc) == _values(new)
        and edited.text[: chunk.start] == old.text[: doc.chunk.start]
        and edited.text[chunk.end :] == old.text[doc.chunk.end :]
        and _texts(old, doc) == _texts(edited, new)
    ):
        raise refusal
    found = find_services(edited.encode(edited.text), old.path, name=doc.name).manifests
    manifest = next((m for m in found if m.document == chunk.number), None)
    if manifest is None:
        raise refusal
    text = server_refusal(manifest, manifest.targets)
    if text is not None:
        message = f"The server of v1 would refuse the result: {code(' / '.join(text.splitlines()))}."
        raise old.declined("split-invalid", message, at, remedy=_AGAIN)


def _plain(new: Document, key: str) -> Any:
    pair = new.traffic if key == "traffic" else new.template
    return None if pair is None else Reader(new.source).plain(pair.value)


def _without_nothing(template: Any) -> Any:
    if isinstance(template, dict) and not template.get("metadata"):
        return {key: value for key, value in template.items() if key != "metadata"}
    return template


def _rest(doc: _Legacy | Document) -> Any:
    """Give all that a document says outside of its version and ``spec``, and the order of it."""
    skip = {
        id(value)
        for key, value in doc.root.pairs
        if isinstance(key, Scalar) and key.value in {"apiVersion", "spec"}
    }
    return canon(doc.root, frozenset(skip))


def _values(doc: _Legacy | Document) -> Counter[Any]:
    """Give the texts below the containers and the template's metadata, with their quotes, tags and anchors."""
    pair = doc.template
    if pair is None:
        return Counter()
    found: Counter[Any] = Counter()
    for key, value in pair.value.pairs if isinstance(pair.value, Mapping) else ():
        name = key.value if isinstance(key, Scalar) else ""
        for inner, part in value.pairs if name == "spec" and isinstance(value, Mapping) else [(key, value)]:
            own = inner.value if isinstance(inner, Scalar) else ""
            if own in {"concurrencyModel", "containerConcurrency", "generation", "servingState"}:
                continue
            nodes = all_nodes(part)
            found.update(canon(node) for node in nodes if isinstance(node, Scalar | Alias))
    return found


def _texts(source: Source, doc: _Legacy | Document) -> Counter[str]:
    return Counter(comment.text for comment in comments_of(source, doc.chunk, doc.root))
