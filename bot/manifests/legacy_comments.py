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
            parts += [source.text[at:start], "x" * (end - max(start, at))]
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
            # A comment may stand behind a block scalar's header.
            start = source.line_end(source.line(node.start)) if block else node.start
            spans.append((min(start, node.end), node.end))
    return spans
