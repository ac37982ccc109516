"""A legacy mode in flow style, JSON included, as ``template`` and ``traffic``; and the new entries' text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.legacy import DROPPED
from bot.manifests.knative_read import Pair, check_editable
from bot.manifests.legacy_read import OWN, TEMPLATES
from bot.manifests.legacy_template import Spliced, dropped_note, edit_template, is_null, no_place
from bot.manifests.looks import Look
from bot.manifests.nodes import Mapping
from bot.manifests.splices import unusual

if TYPE_CHECKING:
    from bot.core.legacy import Converted
    from bot.manifests.legacy_comments import Comment
    from bot.manifests.legacy_read import LegacyDocument
    from bot.manifests.legacy_template import Note
    from bot.manifests.splices import Draft


@dataclass(slots=True)
class Inline:
    """Comments at the end of the new lines, with the white space before them; of entries by place and field."""

    head: str = ""
    entries: dict[tuple[int, str], str] = field(default_factory=dict)


def traffic_lines(converted: Converted, column: int, offset: int, inline: Inline) -> list[str]:
    """Give the lines of the block, without breaks; ``offset`` is the dash's from the key."""
    look = Look()
    lines = [" " * column + "traffic:" + inline.head]
    for slot, entry in enumerate(converted.traffic):
        lead = " " * (column + offset) + "- "
        for key, value in entry.items():
            lines.append(lead + look.pair(key, value) + inline.entries.get((slot, key), ""))
            lead = " " * len(lead)
    return lines


def edit_flow(
    draft: Draft,
    doc: LegacyDocument,
    converted: Converted,
    comments: tuple[Comment, ...],
    notes: list[Note],
    *,
    offset: int,
) -> None:
    """Ask for the splices of a mode whose value is a flow mapping.

    Raises:
        Declined: ``traffic-block-unusual``, ``alias-in-block``, ``tag-in-block``.
    """
    source, mode = doc.source, doc.mode
    assert doc.template is not None  # noqa: S101 - a service without one is refused before
    for name, pair in doc.pairs.items():
        if name == "configuration" or (name in OWN and not is_null(pair)):
            continue
        if not is_null(pair):
            raise no_place(source, pair)
    refuse_lost(doc, mode, doc.pairs["configuration"], comments, notes)
    text = flow_template(doc, notes, _indent(source.line_text(source.line(mode.key.start))))
    key = mode.key
    quote = key.style if key.style in {"'", '"'} else ""
    new = f"{quote}template{quote}: {text}"
    if not mode.parent.flow:
        draft.replace(key.start, mode.value.end, new)
        lines = traffic_lines(converted, source.column(key.start), offset, Inline())
        draft.insert_lines(doc.last_line(mode), lines)
        return
    look = Look(quote)
    entries = [
        "{" + ", ".join(look.pair(field, value) for field, value in entry.items()) + "}"
        for entry in converted.traffic
    ]
    gap = source.text[source.line_start(source.line(key.start)) : key.start]
    parted = f",{draft.line_break(source.line(key.start))}{gap}" if gap and not gap.strip() else ", "
    draft.replace(key.start, mode.value.end, f"{new}{parted}{quote}traffic{quote}: [{', '.join(entries)}]")


def flow_template(doc: LegacyDocument, notes: list[Note], column: int) -> str:
    """Give the value of a template in flow style, its further lines moved to begin at ``column`` or right of it."""
    source, template = doc.source, doc.template
    assert template is not None  # noqa: S101 - a service without one is refused before
    spliced = Spliced(doc)
    edit_template(spliced, doc, template, notes)
    first, *rest = spliced.text(template.value.start, template.value.end).split("\n")
    moved = max(0, _indent(source.line_text(source.line(template.key.start))) - column)
    return "\n".join([first, *(line[min(moved, _indent(line)) :] for line in rest)])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def refuse_lost(
    doc: LegacyDocument, outer: Pair, configuration: Pair, comments: tuple[Comment, ...], notes: list[Note]
) -> None:
    """Refuse what would be lost when only the template stays of a flow mapping.

    Raises:
        Declined: ``traffic-block-unusual``, ``alias-in-block``, ``tag-in-block``.
    """
    source, template = doc.source, doc.template
    assert template is not None  # noqa: S101 - a service without one is refused before
    for key, pair in check_editable(source, configuration.value, "`configuration`").items():
        if is_null(pair) or key in DROPPED:
            notes.append(dropped_note(source, pair))
        elif key not in TEMPLATES:
            raise no_place(source, pair)
    for comment in comments:
        kept = template.value.start <= comment.start < template.value.end
        if outer.key.start <= comment.start < outer.value.end and not kept:
            raise unusual(source, comment.start, "A comment stands beside what goes.")


def is_flow(pair: Pair) -> bool:
    """Whether a pair's value is a flow mapping."""
    return isinstance(pair.value, Mapping) and pair.value.flow
