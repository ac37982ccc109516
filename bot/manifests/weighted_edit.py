"""Set the weights of one rule as splices, and read the result back."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from bot.core.problems import Declined
from bot.core.weights import Weights
from bot.manifests.looks import Look
from bot.manifests.nodes import Mapping, Scalar, canon, compose
from bot.manifests.scalars import written
from bot.manifests.source import cut
from bot.manifests.splices import colon_end, last_line, rewrite_flow, unusual
from bot.manifests.weighted_read import WEIGHT, Object, Rule, read_objects

if TYPE_CHECKING:
    from bot.manifests.nodes import Canon, Node
    from bot.manifests.source import Source
    from bot.manifests.splices import Draft, Plan

Values = tuple[int | None, ...]
Span = tuple[int, int]


def edit_weights(draft: Draft, owner: Object, rule: Rule, weights: Values) -> None:
    """Add the splices after which a rule's destinations have these weights.

    Raises:
        Declined: ``split-invalid``, ``traffic-block-unusual``, ``line-ends-unusual``.
    """
    source = draft.source
    wanted = _with(rule, weights)
    if refusal := wanted.refusal:
        raise source.declined(
            "split-invalid",
            f"{wanted.platform.value} would refuse the weights: {refusal}.",
            rule.block.key.start,
            end=rule.block.key.end,
        )
    for entry, pair, old, new in zip(rule.entries, rule.pairs, _values(rule), weights, strict=True):
        if old == new:
            continue
        if new is None:
            _remove(draft, entry)
        elif pair is None:
            _insert(draft, entry, new, _behind(owner, rule, entry))
        else:
            _set(draft, pair.key, pair.value, new)


def _values(rule: Rule) -> Values:
    return tuple(destination.weight for destination in rule.weights.destinations)


def _with(rule: Rule, weights: Values) -> Weights:
    """Give a rule's destinations with other weights."""
    return Weights(
        rule.weights.platform,
        tuple(replace(d, weight=w) for d, w in zip(rule.weights.destinations, weights, strict=True)),
    )


def _set(draft: Draft, key: Scalar, value: Node, new: int) -> None:
    """Write a weight in the place of another, or of null."""
    end = colon_end(draft.source, key)
    if isinstance(value, Scalar) and value.is_empty:
        draft.replace(end, end, " " + written(new))
    else:
        draft.replace(value.start, value.end, written(new))


def _keys(entry: Mapping) -> list[str]:
    return [key.value if isinstance(key, Scalar) else "" for key, _ in entry.pairs]


def _behind(owner: Object, rule: Rule, entry: Mapping) -> int:
    """Give the number of the pair that a new weight goes behind, -1 for the beginning.

    The order of the nearest destination that has a weight is copied, of the same rule first.
    """
    keys = _keys(entry)
    own = rule.entries.index(entry)
    near = sorted(range(len(rule.entries)), key=lambda slot: abs(slot - own))
    models = [rule.entries[slot] for slot in near if rule.pairs[slot] is not None]
    for other in owner.rules:
        models += [e for e, pair in zip(other.entries, other.pairs, strict=True) if pair is not None]
    for model in models:
        order = _keys(model)
        if len(order) == 1:
            continue
        before = order[: order.index(WEIGHT)]
        if not before:
            return -1
        known = [keys.index(key) for key in before if key in keys]
        if known:
            return max(known)
    known = [keys.index(key) for key in owner.dialect.before_weight if key in keys]
    return max(known, default=len(keys) - 1)


def _insert(draft: Draft, entry: Mapping, new: int, behind: int) -> None:
    """Write a weight where there is none."""
    source = draft.source
    look = Look.of(draft, entry)
    text = look.pair(WEIGHT, new)
    if entry.flow:
        following = _behind_a_comment(source, entry, behind)
        if following is not None:
            line = source.line(following)
            lead = source.text[source.line_start(line) : following]
            draft.replace(following, following, f"{text},{draft.line_break(line)}{lead}")
            return
        plan: Plan = list(range(len(entry.pairs)))
        plan.insert(behind + 1, text)
        rewrite_flow(draft, entry, plan)
        return
    column = source.column(entry.pairs[0][0].start)
    if behind < 0:
        start = entry.pairs[0][0].start
        ending = draft.line_break(source.line(start))
        draft.replace(start, start, text + ending + " " * column)
        return
    key, value = entry.pairs[behind]
    draft.insert_lines(last_line(source, value, key.end + 1), [" " * column + text])


def _behind_a_comment(source: Source, entry: Mapping, behind: int) -> int | None:
    """Give where the next field of a flow mapping begins, if a comment stands before it that is the last field's."""
    if not 0 <= behind < len(entry.pairs) - 1:
        return None
    value, following = entry.pairs[behind][1], entry.pairs[behind + 1][0].start
    lead = source.text[source.line_start(source.line(following)) : following]
    return following if "#" in source.text[value.end : following] and not lead.strip() else None


def _remove(draft: Draft, entry: Mapping) -> None:
    """Remove a weight, and its line where it has one of its own."""
    source = draft.source
    number = _keys(entry).index(WEIGHT)
    key, value = entry.pairs[number]
    if len(entry.pairs) == 1:
        raise unusual(source, entry.start, "The destination would be empty.")
    if entry.flow:
        rewrite_flow(draft, entry, [n for n in range(len(entry.pairs)) if n != number])
        return
    first, last = source.line(key.start), last_line(source, value, key.end + 1)
    behind = source.text[
        value.end if not _is_empty(value) else colon_end(source, key) : source.line_end(last)
    ]
    if "#" in behind:
        raise unusual(source, key.start, "A comment stands behind the weight.")
    if source.text[source.line_start(first) : key.start].strip():
        # The dash stays, and the next field moves up to it.
        following = entry.pairs[1][0].start
        if "#" in source.text[key.start : following]:
            raise unusual(source, key.start, "A comment stands behind the weight.")
        draft.replace(key.start, following, "")
    else:
        draft.remove_lines(first, last)


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_empty


# reading back -----------------------------------------------------------------------


def verify(owner: Object, rule: Rule, edited: Source, weights: Values) -> None:
    """Read an edited file back before anybody believes it.

    Raises:
        Declined: ``traffic-block-unusual``.
    """
    source = owner.source
    refusal = unusual(
        source, rule.block.key.start, "The edit would not read back as exactly the wanted weights."
    )
    chunks = cut(edited)
    if len(chunks) != len(cut(source)):
        raise refusal
    chunk = chunks[owner.chunk.number]
    try:
        found = [o for o in read_objects(edited, chunk) if isinstance(o, Object) and o.item == owner.item]
    except Declined:
        raise refusal from None
    again = [r for o in found for r in o.rules if (r.section, r.index) == (rule.section, rule.index)]
    if not (
        len(again) == 1
        and again[0].weights == _with(rule, weights)
        and _rest(owner, rule) == _rest(found[0], again[0])
        and _ruamel_reads(edited.text[chunk.start : chunk.end], owner, rule, weights)
        and _outside(source, rule, again[0]) == _outside(edited, again[0], rule)
    ):
        raise refusal


def _rest(owner: Object, rule: Rule) -> Canon:
    """Give all that a document says besides the weights of the rule."""
    return canon(owner.root, frozenset(id(pair.value) for pair in rule.pairs if pair is not None))


def _outside(source: Source, rule: Rule, other: Rule) -> str:
    """Give a file's text without the weights that differ from those of the file before or after.

    A weight that only one of the two has is left out with its line, or with its comma.
    """
    parts: list[str] = []
    at = 0
    for entry, pair, counterpart in zip(rule.entries, rule.pairs, other.pairs, strict=True):
        if pair is None:
            continue
        start, end = _whole(source, entry) if counterpart is None else _value(source, pair.key, pair.value)
        parts.append(source.text[at:start])
        at = end
    return "".join([*parts, source.text[at:]])


def _value(source: Source, key: Scalar, value: Node) -> Span:
    """Give the span of a value with the white space before it."""
    end = colon_end(source, key)
    return end, end if _is_empty(value) else value.end


def _whole(source: Source, entry: Mapping) -> Span:
    """Give the span of a weight with what goes when it goes."""
    number = _keys(entry).index(WEIGHT)
    key, value = entry.pairs[number]
    own_line = not source.text[source.line_start(source.line(key.start)) : key.start].strip()
    if entry.flow or not own_line:
        if number + 1 < len(entry.pairs):
            return key.start, entry.pairs[number + 1][0].start
        return entry.pairs[number - 1][1].end, value.end
    first, last = source.line(key.start), last_line(source, value, key.end + 1)
    start, end = source.line_start(first), source.line_end(last)
    if not source.line_break(last):
        start -= len(source.line_break(first - 1)) if first else 0
    return start, end


def _ruamel_reads(text: str, owner: Object, rule: Rule, weights: Values) -> bool:
    """Whether ruamel's own composer sees the wanted weights as whole numbers, or as absent."""
    try:
        node = compose(text)
    except (YAMLError, RecursionError, ValueError):
        return False
    if owner.item is not None:
        node = _item(_child(node, "items"), owner.item)
    block = _child(_item(_child(_child(node, "spec"), rule.section), rule.index), owner.dialect.destinations)
    return [_number(_child(entry, WEIGHT)) for entry in getattr(block, "value", [])] == list(weights)


def _child(node: Any, key: str) -> Any:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _item(node: Any, index: int) -> Any:
    return node.value[index] if isinstance(node, SequenceNode) and index < len(node.value) else None


def _number(node: Any) -> int | str | None:
    """Give a whole number, ``None`` for none, and anything else as text."""
    if node is None:
        return None
    if not isinstance(node, ScalarNode):
        return "collection"
    kind = str(node.tag).rsplit(":", 1)[-1]
    if kind == "null":
        return None
    return int(node.value) if kind == "int" and re.fullmatch("[0-9]+", node.value) else str(node.value)
