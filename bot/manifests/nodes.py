"""One YAML document as nodes with exact offsets.

The nodes are made from ruamel.yaml's events, not from its composer: events show aliases,
explicit tags and repeated keys, which ``compose()`` hides. Their offsets are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from bot.core.text import code
from bot.manifests.events import DEEPEST, composed, events
from bot.manifests.scalars import plain_value
from bot.manifests.source import refuse_different

if TYPE_CHECKING:
    from bot.core.problems import Declined
    from bot.manifests.source import Chunk, Source

LARGEST_EXPANSION = 100_000  # values that the aliases of a document may stand for


_TABBED = re.compile(r"([ \t]*(?:[-?][ \t]+)*)([^\r\n]*(?:[\r\n]+|\Z))")


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar as written; ``style`` is ``""`` (plain), a quote, ``|`` or ``>``.

    With an anchor or a tag, the span begins at it. An empty value has an empty span
    that lies anywhere up to the next token.
    """

    start: int
    end: int
    value: str
    style: str
    tag: str | None = None
    anchor: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written for the value."""
        return not self.style and not self.value and self.tag is None and self.anchor is None

    @property
    def is_null(self) -> bool:
        """Whether the value is a plain null."""
        return not self.style and self.tag is None and self.value in {"", "~", "null", "Null", "NULL"}


@dataclass(slots=True, eq=False)
class Alias:
    """A use of an anchor."""

    start: int
    end: int
    name: str
    to: Node


@dataclass(slots=True, eq=False)
class Mapping:
    """A mapping. The end of a block mapping is the start of the next token."""

    start: int
    end: int
    flow: bool
    tag: str | None = None
    anchor: str | None = None
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Sequence:
    """A sequence. A block sequence starts at its first dash and ends at the next token."""

    start: int
    end: int
    flow: bool
    tag: str | None = None
    anchor: str | None = None
    items: list[Node] = field(default_factory=list)


Node: TypeAlias = Scalar | Alias | Mapping | Sequence
Canon: TypeAlias = tuple[Any, ...]


def parse(source: Source, chunk: Chunk) -> Node | None:
    """Parse one document; ``None`` when it holds nothing.

    Raises:
        Declined: ``yaml-invalid``, ``template-language``.
    """
    refuse_different(source, chunk)
    text = source.text[chunk.start : chunk.end]
    try:
        return _build(source, chunk, text)
    except (YAMLError, RecursionError, ValueError) as error:
        spaced = _without_tabs(text)
        if spaced == text:
            raise _unreadable(source, chunk, error) from None
        try:
            return _build(source, chunk, spaced, text)
        except (YAMLError, RecursionError, ValueError) as second:
            raise _unreadable(source, chunk, second) from None


def compose(text: str) -> Any:
    """Compose a document with ruamel.yaml's own composer, for reading back.

    Raises:
        YAMLError: Not valid YAML.
    """
    try:
        return composed(text)
    except YAMLError:
        return composed(_without_tabs(text))


def _without_tabs(text: str) -> str:
    """Give a copy of the same length that ruamel's scanner reads.

    It rejects tabs that libyaml takes between tokens. Tabs in the indentation and behind a
    dash stay, and stay errors: libyaml, and with it Kubernetes, takes none there.
    """
    return _TABBED.sub(lambda line: line[1] + line[2].replace("\t", " "), text)


class _Builder:
    """Events to nodes."""

    def __init__(self, source: Source, at: int, original: str | None) -> None:
        """Args: the offset of the events' text, and what the file says where a copy is parsed."""
        self.source = source
        self.at = at
        self.original = original
        self.root: Node | None = None
        self.stack: list[Mapping | Sequence] = []
        self.keys: list[Node | None] = []  # the key that waits for its value, for each open collection
        self.anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        """Take one event."""
        start, end = self.at + event.start_mark.index, self.at + event.end_mark.index
        match event:
            case AliasEvent():
                if event.anchor not in self.anchors:
                    message = f"The anchor {code(event.anchor)} is not defined."
                    raise self.source.declined("yaml-invalid", message, start, end=end)
                self.add(Alias(start, end, event.anchor, self.anchors[event.anchor]))
            case ScalarEvent():
                value = event.value
                if self.original and "\t" in self.original[event.start_mark.index : event.end_mark.index]:
                    # The copy's spaces are not what the file says.
                    value = self.original[event.start_mark.index : event.end_mark.index]
                self.add(Scalar(start, end, value, event.style or "", _tag(event), event.anchor))
            case MappingStartEvent():
                self.open(Mapping(start, -1, bool(event.flow_style), _tag(event), event.anchor))
            case SequenceStartEvent():
                self.open(Sequence(start, -1, bool(event.flow_style), _tag(event), event.anchor))
            case MappingEndEvent() | SequenceEndEvent():
                self.keys.pop()
                self.stack.pop().end = end
            case _:  # the stream's and the document's ends
                pass

    def add(self, node: Node) -> None:
        """Put a node where it belongs."""
        if not isinstance(node, Alias) and node.anchor:
            self.anchors[node.anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (key := self.keys[-1]) is None:
            self.keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self.keys[-1] = None

    def open(self, node: Mapping | Sequence) -> None:
        """Put a collection where it belongs, and its content into it."""
        self.add(node)
        self.stack.append(node)
        self.keys.append(None)
        if len(self.stack) > DEEPEST:
            message = f"The document is nested deeper than {DEEPEST} levels."
            raise self.source.declined("yaml-invalid", message, node.start)


def _build(source: Source, chunk: Chunk, text: str, original: str | None = None) -> Node | None:
    builder = _Builder(source, chunk.start, original)
    documents = 0
    for event in events(text):
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                message = "A second document begins without `---`."
                raise source.declined("yaml-invalid", message, chunk.start + event.start_mark.index)
        builder.take(event)
    return builder.root


def _tag(event: Any) -> str | None:
    return str(event.tag) if event.tag is not None else None


def _unreadable(source: Source, chunk: Chunk, error: Exception) -> Declined:
    """Say where and why a document cannot be parsed."""
    index, reason = chunk.start, "nested too deeply"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        index = chunk.start + (mark.index if mark else 0)
        reason = error.problem or error.context or "not valid YAML"
    elif isinstance(error, ReaderError):
        index = chunk.start + error.position
        reason = f"the character U+{ord(source.text[index]):04X} is not allowed"
    elif not isinstance(error, RecursionError):
        reason = str(error)
    index = min(index, max(len(source.text) - 1, 0))
    line = source.line_start(source.line(index))
    for mark in ("{{", "{%", "<%"):
        found = source.text.find(mark, line, source.line_end(source.line(index)))
        if found < 0:
            found = source.text.find(mark, chunk.start, chunk.end)
        if found >= 0:
            return source.declined(
                "template-language",
                "The document holds template expressions; only plain YAML is edited.",
                found,
                end=found + len(mark),
                remedy="Set the split in what it is rendered with, or keep the rendered manifest and use that.",
            )
    return source.declined("yaml-invalid", f"The document cannot be read: {code(reason)}.", index)


def canon(node: Node, skip: frozenset[int] = frozenset()) -> Canon:
    """Give a value that two nodes share exactly when YAML says the same with them.

    Scalars keep their tag, anchor and quoting. ``skip`` holds ids of values of pairs that
    are left out.
    """
    match node:
        case Scalar():
            return ("scalar", node.tag, node.anchor, node.style, node.value)
        case Alias():
            return ("alias", node.name)
        case Sequence():
            return ("sequence", node.tag, node.anchor, tuple(canon(item, skip) for item in node.items))
        case Mapping():
            pairs = tuple(
                (canon(key, skip), canon(value, skip)) for key, value in node.pairs if id(value) not in skip
            )
            return ("mapping", node.tag, node.anchor, pairs)


class Reader:
    """Nodes to plain Python values, aliases and merge keys resolved."""

    def __init__(self, source: Source) -> None:
        """``source`` is the text that the nodes come from."""
        self._source = source
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def plain(self, node: Node) -> Any:
        """Give dicts, lists, strings, numbers, booleans and ``None``.

        A scalar that two YAML versions read differently becomes ``{"!plain": text}``,
        one with a tag of its own ``{"!tag": tag, "value": …}``.

        Raises:
            Declined: ``duplicate-key``, ``template-language``, ``yaml-invalid``.
        """
        return self._value(node)[0]

    def _value(self, node: Node) -> tuple[Any, int]:
        """Give the value, and how many values it stands for with all aliases written out."""
        if isinstance(node, Alias):
            node = node.to
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise self._source.declined("yaml-invalid", "An alias stands inside its own anchor.", node.start)
        self._open.add(id(node))
        size = 1
        result: Any
        match node:
            case Scalar():
                result = self._scalar(node)
            case Sequence():
                result = []
                for item in node.items:
                    value, more = self._value(item)
                    result.append(value)
                    size += more
            case Mapping():
                result, size = self._mapping(node)
        if size > LARGEST_EXPANSION:
            raise self._source.declined("yaml-invalid", "The aliases stand for too many values.", node.start)
        if not isinstance(node, Alias) and node.tag and not node.tag.startswith(("tag:yaml.org,2002:", "!!")):
            result = result if node.tag == "!" else {"!tag": node.tag, "value": result}
        self._open.discard(id(node))
        self._done[id(node)] = (result, size)
        return result, size

    def _scalar(self, node: Scalar) -> Any:
        if node.tag in {"tag:yaml.org,2002:str", "!"} or node.style:
            return node.value
        return plain_value(node.value)

    def _mapping(self, node: Mapping) -> tuple[dict[str, Any], int]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        size = 1
        for key, value in pairs(self._source, node).items():
            plain, more = self._value(value)
            size += more
            if key is not None:
                own[key] = plain
                continue
            for part in plain if isinstance(plain, list) else [plain]:
                if not isinstance(part, dict):
                    raise self._source.declined(
                        "yaml-invalid", "A merge key does not hold a mapping.", value.start
                    )
                merged = {**part, **merged}
        return {**merged, **own}, size


def pairs(source: Source, node: Mapping) -> dict[str | None, Node]:
    """Give the values of a mapping by key; a merge key's is ``None``.

    Raises:
        Declined: ``duplicate-key``, ``template-language``, ``yaml-invalid``.
    """
    found: dict[str | None, Node] = {}
    for key, value in node.pairs:
        named = key.to if isinstance(key, Alias) else key
        if not isinstance(named, Scalar):
            if source.text.startswith("{{", max(node.start - 1, 0)) or source.text.startswith(
                "{{", node.start
            ):
                raise source.declined(
                    "template-language",
                    "A template expression stands here; only plain YAML is edited.",
                    node.start,
                    remedy="Set the split in what it is rendered with, or keep the rendered manifest and use that.",
                )
            raise source.declined("yaml-invalid", "A key is not text.", key.start)
        name = None if named.value == "<<" and not named.style else named.value
        if name in found:
            raise source.declined(
                "duplicate-key",
                f"The key {code(named.value)} stands twice in one mapping.",
                key.start,
                end=key.end,
                remedy="Remove one of the two, or part two documents with `---`.",
            )
        found[name] = value
    return found
