"""Read an edited Knative object back before anybody believes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from bot.core.problems import Declined
from bot.manifests.knative_read import Document, Pair, read_document
from bot.manifests.looks import FIELDS, fields_of
from bot.manifests.nodes import Canon, Mapping, Node, Scalar, canon, compose
from bot.manifests.source import cut
from bot.manifests.splices import unusual

if TYPE_CHECKING:
    from bot.core.traffic import Target
    from bot.manifests.source import Source


def verify(doc: Document, edited: Source, targets: tuple[Target, ...], name: str | None) -> None:
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
        new = read_document(edited, chunks[doc.chunk.number], doc.item)
    except Declined:
        raise refusal from None
    if new is None or not (
        new.targets == targets
        and new.template_name == name
        and _rest(new) == _rest(doc)
        and _entries_kept(doc, new, targets)
        and _ruamel_reads(new, targets, name)
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
    return canon(doc.whole, frozenset(skip))


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


def _ruamel_reads(new: Document, targets: tuple[Target, ...], name: str | None) -> bool:
    """Whether ruamel's own composer sees the wanted values, with the wanted types."""
    try:
        root = compose(new.source.text[new.chunk.start : new.chunk.end])
    except (YAMLError, RecursionError, ValueError):
        return False
    if new.item is not None:
        root = _item(_child(root, "items"), new.item)
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


def _item(node: Any, index: int) -> Any:
    return node.value[index] if isinstance(node, SequenceNode) and index < len(node.value) else None


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
