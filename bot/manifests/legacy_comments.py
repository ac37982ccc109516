"""The comments of one YAML document, told from ``#`` in values by the document's own nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.manifests.knative_read import all_nodes
from bot.manifests.nodes import Scalar

if TYPE_CHECKING:
    from bot.manifests.nodes import Node
    from bot.manifests.source import Chunk, Source

_COMMENT = re.compile(r"(?m)(?:^|(?<=[ \t\r\n]))#[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment. ``start`` is the offset of its ``#``; ``text`` begins there, without white space at its end."""

    start: int
    text: str


def comments_of(source: Source, chunk: Chunk, root: Node | None) -> tuple[Comment, ...]:
    """Give the comments of a document in its order, with those between it and its marks."""
    parts: list[str] = []
    at = chunk.start
    for start, end in sorted(_values(source, root)):
        if end > at:
            parts += [source.text[at:start], re.sub(r"[^\r\n]", "x", source.text[max(start, at) : end])]
            at = end
    masked = "".join([*parts, source.text[at : chunk.end]])
    found = _COMMENT.finditer(masked)
    return tuple(Comment(chunk.start + m.start(), m[0].rstrip()) for m in found)


def _values(source: Source, root: Node | None) -> list[tuple[int, int]]:
    """Give the spans in which a ``#`` is text."""
    spans: list[tuple[int, int]] = []
    for node in all_nodes(root) if root else ():
        if isinstance(node, Scalar) and not node.is_empty:
            block = node.style in {"|", ">"}
            # A comment may stand behind a block scalar's header, and ruamel's mark may lie behind those below it.
            start = source.line_end(source.line(node.start)) if block else node.start
            end = _block_end(source, node) if block else node.end
            spans.append((min(start, end), end))
    return spans


def _block_end(source: Source, node: Scalar) -> int:
    """Give where a block scalar ends that says nothing of its indentation: at the first line left of its text."""
    first = source.line(node.start)
    header = source.line_text(first)[source.column(node.start) :].partition("#")[0]
    if re.search("[1-9]", header):
        return node.end
    indent = None
    for number in range(first + 1, source.line(max(node.end - 1, 0)) + 1):
        text = source.line_text(number)
        own = len(text) - len(text.lstrip(" "))
        if not text.strip(" "):
            continue
        indent = own if indent is None else indent
        if own < indent:
            return source.line_start(number)
    return node.end
