"""The lines of a legacy mode in block style as ``template`` and ``traffic``.

Lines are moved, not written anew: the template's lines lose the columns of the levels that go, the container's
become a list's entry, and comments of lines that go stand on or above the lines that replace them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.legacy import DROPPED, LATEST
from bot.manifests.knative_read import Pair, all_nodes, check_editable
from bot.manifests.legacy_comments import comments_of
from bot.manifests.legacy_flow import Inline, flow_template, is_flow, refuse_lost, traffic_lines
from bot.manifests.legacy_read import OWN, TEMPLATES
from bot.manifests.legacy_template import Spliced, dropped_note, edit_template, is_null, no_place
from bot.manifests.nodes import Mapping, Scalar, Sequence
from bot.manifests.splices import unusual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.legacy import Converted
    from bot.manifests.legacy_comments import Comment
    from bot.manifests.legacy_read import LegacyDocument
    from bot.manifests.legacy_template import Note
    from bot.manifests.source import Source

DASH = 2  # columns of "- "


@dataclass(slots=True)
class _Parts:
    """The new lines, without their breaks, in the order in which they are written."""

    head: list[str] = field(default_factory=list)
    template: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    traffic_head: list[str] = field(default_factory=list)
    traffic_tail: list[str] = field(default_factory=list)


class BlockMove:
    """One document's mode on its way to ``template`` and ``traffic``."""

    def __init__(self, doc: LegacyDocument, converted: Converted, notes: list[Note]) -> None:
        """``notes`` takes what is dropped."""
        self._doc = doc
        self._source = doc.source
        self._converted = converted
        self._notes = notes
        self._column = doc.source.column(doc.mode.key.start)
        self._comments = comments_of(doc.source, doc.chunk, doc.root)
        self._spliced = Spliced(doc)
        self._parts = _Parts()
        self._inline = Inline()
        self._above: list[Comment] = []  # ends of lines that go, to stand on the template's line or above it
        self.offset = list_offset(doc.root, doc.source)
        self.first = doc.source.line(doc.mode.key.start)
        last = self._last_line(doc.mode)
        self.last = self._tail_end(last + 1, len(doc.source.starts), self._column) - 1

    def lines(self, *, traffic_first: bool = False) -> list[str]:
        """Give the lines that replace ``first`` to ``last``, without breaks.

        Raises:
            Declined: ``traffic-block-unusual``, ``alias-in-block``, ``tag-in-block``.
        """
        self._above += self._at_end_of(self.first)
        self._walk_mode()
        parts = self._parts
        # The container's own lines may have said how far a list is moved in.
        entries = traffic_lines(self._converted, self._column, self.offset or 0, self._inline)
        traffic = [*parts.traffic_head, *entries, *parts.traffic_tail]
        template = [*parts.head, *parts.template, *parts.tail]
        return [*traffic, *template] if traffic_first else [*template, *traffic]

    # the levels --------------------------------------------------------------------

    def _walk_mode(self) -> None:
        parts, seen = self._parts, False
        body = self._doc.body
        for pair, lead, own, tail in self._pairs(body, self.first, self.last):
            key = pair.key.value
            if key == "configuration":
                parts.head += self._standing(lead)
                self._walk_configuration(pair, own.stop - 1, tail)
                seen = True
            elif key in OWN and not is_null(pair):
                parts.traffic_head += self._standing(lead)
                self._own(pair, own, tail)
            else:
                self._drop(pair, (lead, own, tail), parts.tail if seen else parts.head)
        rest = self._standing(self._rest)
        last = body.pairs[-1][0]
        behind = isinstance(last, Scalar) and last.value == "configuration"
        (parts.tail if behind else parts.traffic_tail).extend(rest)

    def _walk_configuration(self, pair: Pair, last: int, tail: range) -> None:
        parts, source = self._parts, self._source
        first = source.line(pair.key.start)
        template = self._doc.template
        assert template is not None  # noqa: S101 - a service without one is refused before
        check_editable(source, pair.value, "`configuration`")
        assert isinstance(pair.value, Mapping)  # noqa: S101 - the check lets nothing else through
        if pair.value.flow:
            parts.template += self._flow_template(pair)
            parts.tail += self._standing(tail)
            return
        self._above += self._at_end_of(first)
        seen = False
        for inner, lead, own, behind in self._pairs(pair.value, first, max(last, tail.stop - 1)):
            if inner.key.value in TEMPLATES and not is_null(inner):
                parts.head += self._standing(lead)
                self._template(inner, own, behind)
                seen = True
            else:
                self._drop(inner, (lead, own, behind), parts.tail if seen else parts.head)
        parts.tail += self._standing(self._rest)

    def _template(self, pair: Pair, own: range, tail: range) -> None:
        source, parts = self._source, self._parts
        delta = source.column(pair.key.start) - self._column
        container = edit_template(self._spliced, self._doc, pair, self._notes)
        own_comments = self._at_end_of(own.start) if not is_flow(pair) else []
        quote = pair.key.style if pair.key.style in {"'", '"'} else ""
        self._spliced.replace(pair.key.start, pair.key.end, f"{quote}template{quote}")
        first = self._spliced.line(own.start, -delta)
        above = self._above
        if len(above) == 1 and not own_comments and not is_flow(pair):
            first += self._gap(above[0]) + above[0].text
            above = []
        parts.head += [" " * self._column + comment.text for comment in above]
        parts.template.append(first)
        inside, extra, dash = self._list_entry(container, own, tail)
        dropped = {n: p for p in self._spliced.removed for n in self._lines(p)}
        for number in range(own.start + 1, max(own.stop, tail.stop)):
            if number in dropped:
                column = source.column(dropped[number].key.start) - delta
                where = source.line_start(number), source.line_end(number)
                parts.template += [" " * column + c.text for c in self._within(*where)]
            elif number == dash:
                line = self._spliced.line(number, 0)
                spaces = len(line) - len(line.lstrip(" ")) + extra - DASH
                parts.template.append(" " * spaces + "- " + line.lstrip(" "))
            else:
                moved = extra if number in inside else -delta
                if number in inside and number < dash:
                    moved -= DASH  # comments above the entry stand above its dash
                parts.template.append(self._spliced.line(number, moved))

    def _list_entry(self, container: Pair | None, own: range, tail: range) -> tuple[range, int, int]:
        """Give the lines of a container in block style, how far they move, and the line of the dash."""
        source = self._source
        template = self._doc.template
        assert template is not None  # noqa: S101 - as before
        delta = source.column(template.key.start) - self._column
        if container is None or not (isinstance(container.value, Mapping) and not container.value.flow):
            return range(0), -delta, -1
        key, child = source.column(container.key.start), source.column(container.value.start)
        if self.offset is None:
            self.offset = max(0, child - key - DASH)
        extra = key + self.offset + DASH - child - delta
        lines = self._lines(container)
        stop = self._tail_end(lines.stop, max(own.stop, tail.stop), child - 1)
        dash = source.line(container.value.start)
        begun = source.text[source.line_start(dash) : container.value.start]
        if begun.strip(" ") or dash == lines.start:
            raise unusual(source, container.value.start, "The container does not begin a line of its own.")
        return range(lines.start + 1, stop), extra, dash

    def _flow_template(self, configuration: Pair) -> list[str]:
        """Give ``template`` where only the configuration is in flow style."""
        source = self._source
        refuse_lost(self._doc, configuration, configuration, self._comments, self._notes)
        text = flow_template(self._doc, self._notes, self._column)
        first = " " * self._column + "template: " + text
        ending = self._at_end_of(source.line(configuration.value.end - 1))
        if ending:
            first += self._gap(ending[-1]) + ending[-1].text
        self._parts.head += [" " * self._column + comment.text for comment in self._above]
        return first.replace("\r\n", "\n").split("\n")

    # what goes -----------------------------------------------------------------------

    def _drop(self, pair: Pair, lines: tuple[range, range, range], part: list[str]) -> None:
        lead, own, tail = lines
        name = pair.key.value
        if not (is_null(pair) or name in DROPPED):
            raise no_place(self._source, pair)
        self._notes.append(dropped_note(self._source, pair))
        part += self._standing(lead)
        column = " " * self._column
        part += [column + c.text for n in own for c in self._in_line(n)]
        part += self._standing(tail)

    def _own(self, pair: Pair, own: range, tail: range) -> None:
        """Keep the comments of a pair whose lines go, on the lines that come instead."""
        source, key = self._source, pair.key.value
        left = {c.start: c for n in own for c in self._in_line(n)}
        legacy = self._doc.legacy
        names: list[tuple[int, int]] = []  # the line and the number of an entry
        if key == "revisionName":
            names = [(own.start, 0)]
        elif key == "rolloutPercent" and len(legacy.revisions) > 1:
            names = [(own.start, 1)]
        elif isinstance(pair.value, Sequence) and not pair.value.flow:
            names = [(source.line(item.start), slot) for slot, item in enumerate(pair.value.items)]
        for line, slot in names:
            named = "latestRevision" if legacy.revisions[slot] == LATEST else "revisionName"
            if key == "revisionName":
                named = "revisionName"
            for comment in self._at_end_of(line):
                wanted = "percent" if key == "rolloutPercent" else named
                self._inline.entries[slot, wanted] = self._gap(comment) + comment.text
                left.pop(comment.start, None)
        if key == "revisions" and own.start not in {line for line, _ in names}:
            for comment in self._at_end_of(own.start):
                if comment.start in left and not self._inline.head:
                    self._inline.head = self._gap(comment) + comment.text
                    del left[comment.start]
        self._parts.traffic_head += [" " * self._column + c.text for c in left.values()]
        self._parts.traffic_head += self._standing(tail)

    # lines and comments --------------------------------------------------------------

    def _pairs(self, node: Mapping, above: int, last: int) -> Iterator[tuple[Pair, range, range, range]]:
        """Give the pairs of a block mapping with the lines before, of and behind each; then ``_rest`` is what is left.

        ``above`` is the line of the mapping's key, ``last`` the last line that belongs to it.
        """
        source = self._source
        at = above + 1
        self._rest = range(at, at)
        rest = at
        for place, (key, value) in enumerate(node.pairs):
            assert isinstance(key, Scalar)  # noqa: S101 - the reader lets nothing else through
            pair = Pair(key, value, node)
            lines = self._lines(pair)
            if lines.start < at:
                raise unusual(source, key.start, "Two keys stand on one line.")
            following = node.pairs[place + 1 : place + 2]
            end = source.line(following[0][0].start) if following else last + 1
            stop = self._tail_end(lines.stop, end, source.column(key.start))
            yield pair, range(rest, lines.start), lines, range(lines.stop, stop)
            at, rest = lines.stop, stop
        self._rest = range(rest, last + 1)

    def _lines(self, pair: Pair) -> range:
        return range(self._source.line(pair.key.start), self._last_line(pair) + 1)

    def _last_line(self, pair: Pair) -> int:
        """Give the last line of a pair, with lines of spaces that are text of a block scalar."""
        source, last = self._source, self._doc.last_line(pair)
        leaf = pair.value
        while isinstance(leaf, Mapping | Sequence) and not leaf.flow:
            leaf = leaf.pairs[-1][1] if isinstance(leaf, Mapping) else leaf.items[-1]
        if not (isinstance(leaf, Scalar) and leaf.style in {"|", ">"}):
            return last
        first = source.line(leaf.start)
        inside = [source.line_text(n) for n in range(first + 1, last + 1)]
        indents = [len(text) - len(text.lstrip(" ")) for text in inside if text.strip()]
        header = source.line_text(first)[source.column(leaf.start) :].partition("#")[0]
        least = 0 if re.search("[1-9]", header) else min(indents, default=0)
        for number in range(last + 1, source.line(max(leaf.end - 1, 0)) + 1):
            if len(source.line_text(number)) > least:
                last = number
        return last

    def _tail_end(self, start: int, stop: int, column: int) -> int:
        """Give where comments end that are deeper than a column, from a line on."""
        end = start
        for number in range(start, stop):
            text = self._source.line_text(number)
            if not text.strip():
                continue
            if not text.lstrip().startswith("#") or len(text) - len(text.lstrip()) <= column:
                break
            end = number + 1
        return end

    def _standing(self, lines: range) -> list[str]:
        """Give lines of comments, and blank ones, at the mode's column."""
        found = [self._source.line_text(number) for number in lines]
        return [" " * self._column + text.strip() if text.strip() else text for text in found]

    def _within(self, start: int, end: int) -> list[Comment]:
        return [comment for comment in self._comments if start <= comment.start < end]

    def _in_line(self, line: int) -> list[Comment]:
        return self._within(self._source.line_start(line), self._source.line_end(line))

    def _at_end_of(self, line: int) -> list[Comment]:
        """Give the comment behind a line's content."""
        return [c for c in self._in_line(line) if self._source.is_content(line, until=c.start)]

    def _gap(self, comment: Comment) -> str:
        text = self._source.text[: comment.start]
        return text[len(text.rstrip(" \t")) :] or " "


def list_offset(root: Mapping, source: Source) -> int | None:
    """Give how far most block lists of a document stand right of their keys; ``None`` where it has none."""
    found: Counter[int] = Counter()
    for node in all_nodes(root):
        for key, value in node.pairs if isinstance(node, Mapping) and not node.flow else ():
            if isinstance(value, Sequence) and not value.flow and value.anchor is None and value.tag is None:
                found[source.column(value.start) - source.column(key.start)] += 1
    return found.most_common(1)[0][0] if found else None
