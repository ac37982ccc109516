"""Splices that make a traffic block hold given targets, and a template a given revision name.

What is written looks like its neighbours: key order, quotes, dash and indentation, flow or block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.manifests.knative_read import Document, Pair, check_editable, refuse_marks
from bot.manifests.looks import FIELDS, RIVALS, Look, fields_of
from bot.manifests.nodes import Alias, Mapping, Node, Scalar, Sequence
from bot.manifests.scalars import written
from bot.manifests.source import refuse_hidden
from bot.manifests.splices import (
    Draft,
    Plan,
    block_items,
    colon_end,
    last_line,
    rewrite_block,
    rewrite_flow,
    unusual,
)

if TYPE_CHECKING:
    from bot.core.traffic import Target
    from bot.manifests.source import Source

STEP = 2  # columns, where the file shows no other


def edit_targets(draft: Draft, doc: Document, targets: tuple[Target, ...]) -> None:
    """Add the splices after which ``spec.traffic`` holds exactly ``targets``.

    Raises:
        Declined: ``traffic-block-unusual``, ``line-ends-unusual``.
        ValueError: A slot that the block does not have.
    """
    slots = [target.slot for target in targets if target.slot is not None]
    if slots and max(slots) >= len(doc.targets):
        raise ValueError(slots)
    at = doc.traffic.key.start if doc.traffic else doc.spec.key.start
    if slots != sorted(set(slots)):
        raise unusual(doc.source, at, "Entries would change their order.")
    if doc.entries is None or doc.traffic is None:
        if targets:
            _create(draft, doc, targets)
        return
    if not targets:
        _remove_block(draft, doc, doc.traffic)
        return
    plan: Plan = []
    for target in targets:
        if target.slot is None:
            plan.append(_new_entry(draft, doc.entries, plan, target))
            continue
        entry = doc.entries.items[target.slot]
        assert isinstance(entry, Mapping)  # noqa: S101 - the reader lets nothing else through
        _edit_entry(draft, entry, doc.targets[target.slot], target)
        plan.append(target.slot)
    if plan != list(range(len(doc.entries.items))):
        (rewrite_flow if doc.entries.flow else rewrite_block)(draft, doc.entries, plan)


# entries ------------------------------------------------------------------


def _new_entry(draft: Draft, entries: Sequence, plan: Plan, target: Target) -> str:
    """Write a new entry in the manner of its neighbours."""
    before = [element for element in plan if isinstance(element, int)]
    neighbour = before[-1] if before else 0
    model = entries.items[neighbour]
    assert isinstance(model, Mapping)  # noqa: S101 - the reader lets nothing else through
    look = Look.of(draft, model)
    values = fields_of(target)
    # The entry that shares most keys shows the order best; the neighbour wins a tie.
    looks = [look, *(Look.of(draft, item) for item in entries.items if isinstance(item, Mapping))]
    best = max(looks, key=lambda other: len(set(other.order) & set(values)))
    quotes = {key: quote for other in reversed(looks) for key, quote in other.quotes.items()}
    look = Look(look.key_quote, look.colon, best.order, quotes, look.separator, look.opening, look.closing)
    if entries.flow:
        return look.flow(target)
    item = block_items(draft.source, entries)[neighbour]
    if model.flow:
        return item.lead + look.flow(target)
    indent = " " * draft.source.column(model.start)
    lines = [look.pair(key, values[key]) for key in look.ordered(list(values))]
    return item.lead + (draft.line_break(item.last) + indent).join(lines)


# entries that stay ------------------------------------------------------------------


def _edit_entry(draft: Draft, entry: Mapping, old: Target, new: Target) -> None:
    """Change the fields of an entry that differ, and nothing else."""
    had, wanted = fields_of(old), fields_of(new)
    if had == wanted:
        return
    look = Look.of(draft, entry)
    keys = [key.value if isinstance(key, Scalar) else "" for key, _ in entry.pairs]
    gone = [key for key in keys if key in had and key not in wanted]
    fresh = [key for key in look.ordered(list(wanted)) if key not in keys]
    for number, key in enumerate(keys):
        node, value = entry.pairs[number]
        if key in wanted and wanted[key] != had.get(key):
            _set(draft, node, value, wanted[key])
        elif key in gone and (rival := next((r for r in RIVALS.get(key, ()) if r in fresh), "")):
            draft.replace(node.start, value.end, look.pair(rival, wanted[rival]))
            gone.remove(key)
            fresh.remove(rival)
            keys[number] = rival
    if gone or fresh:
        change = _Change(look, keys, gone, {key: wanted[key] for key in fresh})
        (_reshape_flow if entry.flow else _reshape_block)(draft, entry, change)


def _set(draft: Draft, key: Node, value: Node, new: str | int) -> None:
    """Replace a scalar's text, keeping its quotes."""
    assert isinstance(key, Scalar)  # noqa: S101 - the reader lets nothing else through
    on_one_line = draft.source.line(value.start) == draft.source.line(value.end)
    if not isinstance(value, Scalar) or value.style in {"|", ">"} or not (value.is_empty or on_one_line):
        raise unusual(draft.source, value.start, f"`{key.value}` is not written on one line.")
    if value.is_empty:
        end = colon_end(draft.source, key)
        draft.replace(end, end, " " + written(new))
        return
    colon_end(draft.source, key)
    draft.replace(value.start, value.end, written(new, value.style))


@dataclass(frozen=True, slots=True)
class _Change:
    """Fields that an entry loses and gets; ``keys`` are all its keys now, in its order."""

    look: Look
    keys: list[str]
    gone: list[str]
    fresh: dict[str, str | int]

    def texts(self) -> list[tuple[int, str]]:
        """Give each new pair with the number of the kept pair that it goes behind, -1 for none."""
        order = self.look.ordered([key for key in FIELDS if key in self.keys or key in self.fresh])
        found: list[tuple[int, str]] = []
        for key in self.look.ordered(list(self.fresh)):
            before = [k for k in order[: order.index(key)] if k in self.keys and k not in self.gone]
            found.append(
                (self.keys.index(before[-1]) if before else -1, self.look.pair(key, self.fresh[key]))
            )
        return found


def _reshape_flow(draft: Draft, entry: Mapping, change: _Change) -> None:
    plan: Plan = [number for number, key in enumerate(change.keys) if key not in change.gone]
    for before, text in change.texts():
        at = plan.index(before) + 1 if before >= 0 else len(plan)
        while at < len(plan) and isinstance(plan[at], str):
            at += 1
        plan.insert(at, text)
    if not plan:
        raise unusual(draft.source, entry.start, "The entry would be empty.")
    rewrite_flow(draft, entry, plan)


def _reshape_block(draft: Draft, entry: Mapping, change: _Change) -> None:
    source = draft.source
    kept = [number for number, key in enumerate(change.keys) if key not in change.gone]
    indent = " " * source.column(entry.pairs[0][0].start)
    if not kept:
        if not change.fresh:
            raise unusual(source, entry.start, "The entry would be empty.")
        end = entry.pairs[-1][1].end
        _refuse_comment_lines(draft, entry.start, end)
        ending = draft.line_break(source.line(entry.start))
        draft.replace(entry.start, end, (ending + indent).join(text for _, text in change.texts()))
        return
    for before, text in change.texts():
        name, value = entry.pairs[before if before >= 0 else kept[-1]]
        draft.insert_lines(last_line(source, value, name.end + 1), [indent + text])
    if kept[0] and _joined(draft, entry):
        # The dash stays, and the first field that stays moves up to it.
        start, following = entry.pairs[0][0].start, entry.pairs[kept[0]][0].start
        _refuse_comment_lines(draft, start, following)
        draft.replace(start, following, "")
        lost = [number for number in range(kept[0], len(change.keys)) if number not in kept]
    else:
        lost = [number for number in range(len(change.keys)) if number not in kept]
    for number in lost:
        name, value = entry.pairs[number]
        draft.remove_lines(source.line(name.start), last_line(source, value, name.end + 1))


def _joined(draft: Draft, entry: Mapping) -> bool:
    """Whether the first key stands on the dash's line."""
    source = draft.source
    start = entry.pairs[0][0].start
    return bool(source.text[source.line_start(source.line(start)) : start].strip())


def _refuse_comment_lines(draft: Draft, start: int, end: int) -> None:
    source = draft.source
    for line in range(source.line(start) + 1, source.line(end)):
        if source.line_text(line).lstrip().startswith("#"):
            raise unusual(source, source.line_start(line), "A comment stands between the fields.")


# the block as a whole ---------------------------------------------------------------


def _indent_of_lists(doc: Document) -> int:
    """Give the number of columns that most lists of the object, or of its document, are indented by; else 0."""
    counts = _indents(doc.source, doc.root) or _indents(doc.source, doc.whole)
    return max(counts, key=lambda step: (counts[step], -step), default=0)


def _indents(source: Source, root: Mapping) -> dict[int, int]:
    """Count the lists below a mapping by the columns that they are indented by."""
    counts: dict[int, int] = {}
    todo: list[Node] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, Sequence):
            todo += node.items
        elif isinstance(node, Mapping):
            for key, value in node.pairs:
                todo.append(value)
                if (
                    isinstance(value, Sequence)
                    and not value.flow
                    and value.anchor is None
                    and value.tag is None
                ):
                    step = source.column(value.start) - source.column(key.start)
                    counts[step] = counts.get(step, 0) + 1
    return counts


def _create(draft: Draft, doc: Document, targets: tuple[Target, ...]) -> None:
    """Write the block where it is missing, null or an empty list."""
    source, spec = doc.source, doc.spec_mapping
    if not all(fields_of(target) for target in targets):
        raise unusual(source, doc.spec.key.start, "The entry would be empty.")
    outer = Look.of(draft, spec)
    look = Look(key_quote=outer.key_quote, colon=outer.colon)
    quoted = f"{look.key_quote}traffic{look.key_quote}"
    if spec.flow:
        flow = "[" + ", ".join(look.flow(target) for target in targets) + "]"
        if doc.traffic is None:
            others = list(range(len(spec.pairs)))
            text = f"{quoted}{look.colon}{flow}"
            # At the beginning it gets a line of its own; at the end, the line before needs a comma.
            on_lines = bool(others) and "\n" in source.text[spec.start : spec.pairs[0][0].start]
            rewrite_flow(draft, spec, [text, *others] if on_lines else [*others, text])
        else:
            _fill(draft, doc.traffic, flow)
        return
    column = source.column(spec.pairs[0][0].start)
    dash = " " * (column + _indent_of_lists(doc)) + "- "
    lines: list[str] = []
    for target in targets:
        values = fields_of(target)
        for number, key in enumerate(look.ordered(list(values))):
            lines.append((" " * len(dash) if number else dash) + look.pair(key, values[key]))
    if doc.traffic is not None:
        draft.insert_lines(_clear(draft, doc.traffic), lines)
        return
    line = last_line(source, spec, spec.start + 1)
    if not source.line_break(line):
        # The file's last line has no break, and stays as it is.
        line = source.line(doc.spec.key.start)
    draft.insert_lines(line, [" " * column + f"{quoted}:", *lines])


def _fill(draft: Draft, pair: Pair, text: str) -> None:
    """Put a flow collection in the place of a null or an empty collection."""
    if isinstance(pair.value, Scalar) and pair.value.is_empty:
        end = colon_end(draft.source, pair.key)
        draft.replace(end, end, " " + text)
    else:
        draft.replace(pair.value.start, pair.value.end, text)


def _clear(draft: Draft, pair: Pair) -> int:
    """Remove a null or an empty list behind its key; give the line that its lines go behind."""
    source, value = draft.source, pair.value
    end = colon_end(source, pair.key)
    line = source.line(end - 1)
    if isinstance(value, Scalar) and value.is_empty:
        return line
    inner = "" if isinstance(value, Scalar) else source.text[value.start + 1 : value.end - 1]
    if source.line(value.end - 1) != line or inner.strip():
        raise unusual(source, value.start, "The empty value does not stand behind its key.")
    draft.replace(end, value.end, "")
    return line


def _remove_block(draft: Draft, doc: Document, traffic: Pair) -> None:
    """Remove the whole block, with the comments inside it."""
    spec = doc.spec_mapping
    if spec.flow:
        rewrite_flow(draft, spec, [n for n, (key, _) in enumerate(spec.pairs) if key is not traffic.key])
        return
    if len(spec.pairs) == 1:
        raise unusual(doc.source, traffic.key.start, "`spec` would be empty.")
    first, last = doc.lines_of(traffic)
    draft.remove_lines(first, last, whole=True)


# the revision's name ----------------------------------------------------------------


def edit_name(draft: Draft, doc: Document, name: str) -> None:
    """Add the splices after which ``spec.template.metadata.name`` is ``name``.

    Raises:
        Declined: ``alias-in-block``, ``tag-in-block``, ``traffic-block-unusual``, ...
    """
    source = doc.source
    if doc.template is None:
        raise unusual(source, doc.spec.key.start, f"The {doc.kind.lower()} has no `spec.template`.")
    for pair, what in (
        (doc.template, "`spec.template`"),
        (doc.template_metadata, "`spec.template.metadata`"),
    ):
        if pair is None:
            continue
        if not (isinstance(pair.value, Scalar) and pair.value.is_null):
            check_editable(source, pair.value, what)
    if doc.name_pair is not None:
        refuse_marks(source, doc.name_pair)
        first, last = doc.lines_of(doc.name_pair)
        refuse_hidden(source, source.line_start(first), source.line_end(last))
        _set(draft, doc.name_pair.key, doc.name_pair.value, name)
    elif doc.template_metadata is not None:
        _add(draft, doc, doc.template_metadata, ["name"], name)
    else:
        _add(draft, doc, doc.template, ["metadata", "name"], name)


def _add(draft: Draft, doc: Document, parent: Pair, keys: list[str], value: str) -> None:
    """Put a pair, with mappings around it, at the beginning of a mapping or in place of a null."""
    source, node = doc.source, parent.value
    if isinstance(node, Alias):
        raise unusual(source, node.start, "An alias stands where the name belongs.")
    step = _step(doc, parent)
    if (isinstance(node, Mapping) and node.flow) or parent.parent.flow:
        look = Look.of(draft, node if isinstance(node, Mapping) and node.pairs else parent.parent)
        text = look.pair(keys[-1], value)
        for key in reversed(keys[:-1]):
            text = f"{look.key_quote}{key}{look.key_quote}{look.colon}{{{text}}}"
        if isinstance(node, Mapping):
            rewrite_flow(draft, node, [text, *range(len(node.pairs))])
        else:
            _fill(draft, parent, "{" + text + "}")
        return
    if isinstance(node, Mapping):
        line = source.line(colon_end(source, parent.key) - 1)
        column = source.column(node.pairs[0][0].start)
    else:
        line = _clear(draft, parent)
        column = source.column(parent.key.start) + step
    quote = Look.of(draft, parent.parent).key_quote
    lines = [f"{' ' * (column + depth * step)}{quote}{key}{quote}:" for depth, key in enumerate(keys[:-1])]
    lines.append(" " * (column + (len(keys) - 1) * step) + Look(key_quote=quote).pair(keys[-1], value))
    draft.insert_lines(line, lines)


def _step(doc: Document, parent: Pair) -> int:
    """Give the number of columns that the document indents mappings by around a pair."""
    source = doc.source
    for outer, node in ((parent.key, parent.value), (doc.spec.key, doc.spec.value)):
        if isinstance(node, Mapping) and not node.flow and node.pairs:
            step = source.column(node.pairs[0][0].start) - source.column(outer.start)
            if step > 0:
                return step
    return STEP
