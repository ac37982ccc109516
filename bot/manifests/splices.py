"""Changes of a text as splices, found through nodes: nothing is ever dumped.

A collection is edited by a *plan*: its elements in their new order, an ``int`` for an
element that stays (by its place in the file) and a ``str`` for the text of a new one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bot.manifests.nodes import Alias, Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from bot.core.problems import Declined
    from bot.manifests.source import Source

Plan: TypeAlias = list["int | str"]
Span: TypeAlias = tuple[int, int]

_COLON = re.compile(r"[ \t]*:")
_KEEP = re.compile(r"[|>](?:[1-9]?\+|\+[1-9]?)")


@dataclass(frozen=True, slots=True)
class Splice:
    """The characters from ``start`` to ``end`` become ``text``."""

    start: int
    end: int
    text: str


def unusual(source: Source, index: int, why: str) -> Declined:
    """Give the refusal of a layout that cannot be edited alone."""
    return source.declined(
        "traffic-block-unusual",
        why,
        index,
        remedy="Write this part on lines of its own, or edit it by hand once.",
    )


@dataclass(slots=True)
class Draft:
    """Splices to come for one text. Splices at one offset apply in the order they were asked for."""

    source: Source
    splices: list[Splice] = field(default_factory=list)

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace characters."""
        self.splices.append(Splice(start, end, text))

    def line_break(self, line: int) -> str:
        """Give the break to end a new line with, next to a given line.

        Raises:
            Declined: ``line-ends-unusual``.
        """
        found = self.source.line_break(line) or (self.source.line_break(line - 1) if line else "") or "\n"
        if found == "\r":
            raise self.source.declined(
                "line-ends-unusual",
                "The lines end with a lone CR; no line can be added.",
                self.source.line_start(line),
                remedy="Save the file with LF or CR LF.",
            )
        return found

    def insert_lines(self, line: int, lines: list[str]) -> None:
        """Put new lines behind a line."""
        ending = self.line_break(line)
        at = self._line_end(line)
        self.replace(at, at, "".join(text + ending for text in lines))

    def remove_lines(self, first: int, last: int, *, whole: bool = False) -> None:
        """Remove whole lines.

        Where the last line of the text has no break, the line before loses its own in turn;
        not so with ``whole``, for when that line is none of ours.
        """
        end = self.source.line_end(last) if whole else self._line_end(last)
        self.replace(self.source.line_start(first), end, "")

    def _line_end(self, line: int) -> int:
        # A last line without break gets one for as long as the splices are applied.
        end = self.source.line_end(line)
        missing = not self.source.line_break(line)
        return end + len(self._last_break()) if missing else end

    def _last_break(self) -> str:
        """Give the break that the text lacks at its end."""
        last = len(self.source.starts) - 1
        if not self.source.line_text(last):
            return ""
        found = self.source.line_break(last - 1) if last else ""
        return found or "\n"

    def text(self) -> str:
        """Apply the splices.

        Raises:
            Declined: ``traffic-block-unusual`` when two of them overlap.
        """
        lent = self._last_break()
        text = self.source.text + lent
        parts: list[str] = []
        at = 0
        for splice in sorted(self.splices, key=lambda s: (s.start, s.end)):
            if splice.start < at:
                raise unusual(
                    self.source, min(splice.start, len(text) - 1), "Two changes meet on the same characters."
                )
            parts += [text[at : splice.start], splice.text]
            at = splice.end
        parts.append(text[at:])
        return "".join(parts).removesuffix(lent) if lent else "".join(parts)


def colon_end(source: Source, key: Node) -> int:
    """Give the offset behind the colon of a pair.

    Raises:
        Declined: ``traffic-block-unusual`` where the colon does not follow its key.
    """
    found = _COLON.match(source.text, key.end)
    if found is None:
        raise unusual(source, key.start, "The colon does not stand behind its key.")
    return found.end()


def content_end(source: Source, node: Node, floor: int) -> int:
    """Give an offset on, or just behind, the last line that a node's content stands on.

    A block collection's own end mark lies at the next token, behind comments and blank
    lines. ``floor`` is an offset at or before the node that is known to be content.
    The result minus one is an offset on the last line.
    """
    match node:
        case Scalar() if node.style in {"|", ">"}:
            keep = _KEEP.search(source.text, node.start, source.line_end(source.line(node.start)))
            return node.end if keep else node.start + len(source.text[node.start : node.end].rstrip())
        case Scalar() if node.is_empty:
            return floor
        case Scalar() | Alias():
            return node.end
        case Mapping() | Sequence() if node.flow:
            return node.end
        case Mapping():
            key, value = node.pairs[-1]
            return _last_content(source, content_end(source, value, key.end), value, node.end)
        case Sequence():
            floor = node.start + 1
            if len(node.items) > 1:
                floor = max(floor, content_end(source, node.items[-2], floor))
            return _last_content(source, content_end(source, node.items[-1], floor), node.items[-1], node.end)


def _last_content(source: Source, known: int, last: Node, limit: int) -> int:
    """Look for the dash or colon of an empty last value between known content and the next token."""
    while (
        isinstance(last, Mapping | Sequence)
        and not last.flow
        and (last.pairs if isinstance(last, Mapping) else last.items)
    ):
        last = last.pairs[-1][1] if isinstance(last, Mapping) else last.items[-1]
    if not (isinstance(last, Scalar) and last.is_empty):
        return known
    for line in range(source.line(min(limit, len(source.text))), source.line(known - 1), -1):
        until = min(limit, source.line_end(line))
        if source.is_content(line, until=until):
            text = source.text[source.line_start(line) : until]
            return source.line_start(line) + len(text.rstrip())
    return known


def last_line(source: Source, node: Node, floor: int) -> int:
    """Give the last line of a node's content, counted from 0."""
    return source.line(max(content_end(source, node, floor) - 1, 0))


# flow collections -------------------------------------------------------------------


def _separator(source: Source, start: int, spans: list[Span], near: int) -> str:
    """Give the text that parts a new element from its neighbour: copied where that is possible."""
    for left in (near, near - 1):
        if 0 <= left < len(spans) - 1:
            gap = source.text[spans[left][1] : spans[left + 1][0]]
            if gap.count(",") == 1 and "#" not in gap:
                return gap
    lead = source.text[start + 1 : spans[0][0]] if spans else ""
    if "\n" in lead and not lead.strip():
        return "," + lead
    inside = source.text[spans[0][0] : spans[0][1]] if spans else ""
    return "," if "," in inside and ", " not in inside and "\n" not in inside else ", "


def rewrite_flow(draft: Draft, node: Mapping | Sequence, plan: Plan) -> None:
    """Edit a flow collection by a plan.

    Raises:
        Declined: ``traffic-block-unusual`` where a comment or an empty value is in the way.
    """
    source = draft.source
    spans = flow_spans(source, node)
    if not spans:
        inner = source.text[node.start + 1 : node.end - 1]
        if inner.strip(" "):
            raise unusual(source, node.start, "Something stands between the empty brackets.")
        draft.replace(node.start + 1, node.end - 1, inner + ", ".join(map(str, plan)) + inner)
        return
    kept = [element for element in plan if isinstance(element, int)]
    if not kept:
        separator = _separator(source, node.start, spans, 0)
        _refuse_comments(source, spans[0][0], spans[-1][1])
        draft.replace(spans[0][0], spans[-1][1], separator.join(map(str, plan)))
        return
    for place, element in enumerate(plan):
        if isinstance(element, int):
            continue
        before = [other for other in plan[:place] if isinstance(other, int)]
        separator = _separator(source, node.start, spans, before[-1] if before else 0)
        if before:
            at = spans[before[-1]][1]
            draft.replace(at, at, separator + element)
        else:
            at = spans[kept[0]][0]
            draft.replace(at, at, element + separator)
    removed = [number for number in range(len(spans)) if number not in kept]
    while removed:
        first = last = removed.pop(0)
        while removed and removed[0] == last + 1:
            last = removed.pop(0)
        if last + 1 < len(spans):
            start, end = spans[first][0], spans[last + 1][0]
        else:
            start, end = spans[first - 1][1], spans[last][1]
        _refuse_comments(source, start, end)
        draft.replace(start, end, "")


def flow_spans(source: Source, node: Mapping | Sequence) -> list[Span]:
    """Give the spans of the elements of a flow collection.

    Raises:
        Declined: ``traffic-block-unusual`` where a value is not written.
    """
    spans: list[Span] = []
    elements = [(k, v) for k, v in node.pairs] if isinstance(node, Mapping) else [(i, i) for i in node.items]
    for first, last in elements:
        if isinstance(last, Scalar) and last.is_empty:
            raise unusual(source, first.start, "A value is missing here.")
        spans.append((first.start, last.end))
    return spans


def _refuse_comments(source: Source, start: int, end: int) -> None:
    """Refuse to drop a comment that stands between the elements of a flow collection."""
    found = re.search(r"(?m)(?:^|[ \t])#", source.text[start:end])
    if found:
        raise unusual(source, start + found.start(), "A comment stands between the entries.")


# block collections ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """The lines of one entry of a block sequence, counted from 0, and the text before its content."""

    first: int
    last: int
    lead: str


def block_items(source: Source, node: Sequence) -> list[Item]:
    """Find the lines of the entries of a block sequence.

    Raises:
        Declined: ``traffic-block-unusual``.
    """
    column = source.column(node.start)
    found: list[Item] = []
    for item in node.items:
        line = source.line(item.start)
        while True:
            text = source.line_text(line)
            if text[column : column + 1] == "-" and not text[:column].strip(" \t"):
                break
            if (source.is_content(line) and line != source.line(item.start)) or not line:
                raise unusual(source, item.start, "The dash of this entry is not found.")
            line -= 1
        start = source.line_start(line)
        lead = source.text[start : item.start]
        if "#" in lead:
            lead = text[: column + 1] + draft_break(source, line) + " " * source.column(item.start)
        found.append(Item(line, last_line(source, item, item.start + 1), lead))
    return found


def draft_break(source: Source, line: int) -> str:
    """Give the break that ends a line, or LF."""
    return source.line_break(line) or "\n"


def rewrite_block(draft: Draft, node: Sequence, plan: Plan) -> None:
    """Edit a block sequence by a plan; a new entry's text is its lines without the last break."""
    items = block_items(draft.source, node)
    kept = [element for element in plan if isinstance(element, int)]
    for number, item in enumerate(items):
        if number not in kept:
            draft.remove_lines(item.first, item.last)
    fresh: list[str] = []
    behind = items[kept[0]].first - 1 if kept else items[-1].last
    for element in [*plan, None]:
        if isinstance(element, str):
            fresh.append(element)
            continue
        if fresh:
            draft.insert_lines(behind, fresh)
            fresh = []
        if element is not None:
            behind = items[element].last
