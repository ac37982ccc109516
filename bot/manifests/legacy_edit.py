"""Another mode, other revisions or another percent in a legacy Service, as splices, and read back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode

from bot.core.problems import Declined
from bot.manifests.legacy_read import read_legacy
from bot.manifests.nodes import Canon, Scalar, Sequence, canon, compose
from bot.manifests.scalars import written
from bot.manifests.source import cut
from bot.manifests.splices import Draft, block_items, rewrite_block, rewrite_flow, unusual

if TYPE_CHECKING:
    from bot.core.legacy import Legacy
    from bot.manifests.knative_read import Pair
    from bot.manifests.legacy_read import LegacyDocument
    from bot.manifests.source import Source
    from bot.manifests.splices import Plan


def edit_mode(draft: Draft, doc: LegacyDocument, wanted: Legacy) -> None:
    """Ask for the splices that make a service say what is wanted.

    Raises:
        Declined: ``traffic-block-unusual``, ``line-ends-unusual``.
    """
    source, was = doc.source, doc.legacy
    if was.mode != wanted.mode:
        key = doc.mode.key
        if "release" not in {was.mode, wanted.mode}:
            raise unusual(source, key.start, f"`{was.mode}` does not become `{wanted.mode}` in one step.")
        draft.replace(key.start, key.end, _key(key, wanted.mode))
    first = doc.body.pairs[0][0]
    if "release" not in {wanted.mode, was.mode} or not isinstance(first, Scalar):
        raise unusual(source, doc.mode.key.start, "This mode has no percents.")
    match was.mode, wanted.mode:
        case "runLatest", _:
            _insert(draft, doc, first, None, [*_revisions(first, wanted), *_share(first, wanted)])
        case "pinned", _:
            _unpin(draft, doc, first, wanted)
        case _, "release":
            if was.revisions != wanted.revisions:
                _edit_revisions(draft, doc, wanted.revisions)
            _edit_share(draft, doc, wanted)
        case _, "pinned":
            _pin(draft, doc, wanted)
        case _:
            for pair in doc.own():
                _remove(draft, doc, pair)


def _unpin(draft: Draft, doc: LegacyDocument, first: Scalar, wanted: Legacy) -> None:
    pair = doc.pairs["revisionName"]
    raw = doc.source.text[pair.value.start : pair.value.end]
    style = pair.value.style if isinstance(pair.value, Scalar) else ""
    items = [_kept(raw, doc.legacy, wanted), *(written(name, style) for name in wanted.revisions[1:])]
    new = f"{_key(pair.key, 'revisions')}: [{', '.join(items)}]"
    draft.replace(pair.key.start, pair.value.end, new)
    _insert(draft, doc, first, pair, _share(first, wanted))


def _pin(draft: Draft, doc: LegacyDocument, wanted: Legacy) -> None:
    pair = doc.pairs["revisions"]
    node = pair.value
    assert isinstance(node, Sequence)  # noqa: S101 - as read
    if not node.flow:
        raise unusual(doc.source, node.start, "The list has lines of its own.")
    raw = doc.source.text[node.items[0].start : node.items[0].end]
    new = f"{_key(pair.key, 'revisionName')}: {_kept(raw, doc.legacy, wanted)}"
    draft.replace(pair.key.start, node.end, new)
    _edit_share(draft, doc, wanted)


def _key(key: Scalar, name: str) -> str:
    quote = key.style if key.style in {"'", '"'} else ""
    return f"{quote}{name}{quote}"


def _kept(raw: str, was: Legacy, wanted: Legacy) -> str:
    same = was.revisions[0] == wanted.revisions[0]
    style = raw[0] if raw[0] in "'\"" else ""
    return raw if same else written(wanted.revisions[0], style)


def _revisions(like: Scalar, wanted: Legacy) -> list[str]:
    names = ", ".join(written(name, '"') for name in wanted.revisions)
    return [f"{_key(like, 'revisions')}: [{names}]"]


def _share(like: Scalar, wanted: Legacy) -> list[str]:
    return [] if wanted.percent is None else [f"{_key(like, 'rolloutPercent')}: {wanted.percent}"]


def _insert(draft: Draft, doc: LegacyDocument, first: Scalar, behind: Pair | None, new: list[str]) -> None:
    """Put new pairs behind one, or before the first."""
    source = doc.source
    if doc.body.flow:
        lead = source.text[doc.body.start + 1 : first.start]
        gap = "," + lead if "\n" in lead and not lead.strip() else ", "
        at = first.start if behind is None else behind.value.end
        text = "".join(part + gap if behind is None else gap + part for part in new)
        draft.replace(at, at, text)
    elif new:
        above = doc.mode.key if behind is None else behind.key
        line = source.line(above.start) if behind is None else doc.last_line(behind)
        indent = source.line_text(source.line(first.start))[: source.column(first.start)]
        if indent.strip() or source.line(first.start) == source.line(doc.mode.key.start):
            raise unusual(source, first.start, "The mode's content does not begin on a line of its own.")
        draft.insert_lines(line, [indent + part for part in new])


def _edit_share(draft: Draft, doc: LegacyDocument, wanted: Legacy) -> None:
    pair, first = doc.pairs.get("rolloutPercent"), doc.body.pairs[0][0]
    if wanted.percent == doc.legacy.percent:
        return
    if pair is None:
        assert isinstance(first, Scalar)  # noqa: S101 - checked by the caller
        _insert(draft, doc, first, doc.pairs["revisions"], _share(first, wanted))
    elif wanted.percent is None:
        _remove(draft, doc, pair)
    else:
        draft.replace(pair.value.start, pair.value.end, str(wanted.percent))


def _edit_revisions(draft: Draft, doc: LegacyDocument, wanted: tuple[str, ...]) -> None:
    node, source = doc.pairs["revisions"].value, doc.source
    assert isinstance(node, Sequence)  # noqa: S101 - as read
    scalars = [item for item in node.items if isinstance(item, Scalar)]
    style = scalars[0].style
    if len(scalars) == len(wanted):
        # `@latest` needs quotes; a name in its place is written as its neighbour is.
        same = [item for item, name in zip(scalars, wanted, strict=True) if item.value == name]
        for item, name in zip(scalars, wanted, strict=True):
            if item.value != name:
                draft.replace(item.start, item.end, written(name, (same or [item])[0].style))
        return
    plan: Plan = []
    at = 0
    for name in wanted:
        found = next((i for i in range(at, len(scalars)) if scalars[i].value == name), None)
        lead = "" if node.flow else block_items(source, node)[0].lead
        plan.append(lead + written(name, style) if found is None else found)
        at = at if found is None else found + 1
    if node.flow:
        rewrite_flow(draft, node, plan)
    else:
        rewrite_block(draft, node, plan)


def _remove(draft: Draft, doc: LegacyDocument, pair: Pair) -> None:
    start, end = _span(doc, pair)
    if re.search(r"(?m)(?:^|[ \t])#", doc.source.text[start:end]):
        raise unusual(doc.source, pair.key.start, "A comment stands behind the value.")
    if doc.body.flow:
        draft.replace(start, end, "")
    else:
        draft.remove_lines(doc.source.line(pair.key.start), doc.last_line(pair))


def _span(doc: LegacyDocument, pair: Pair) -> tuple[int, int]:
    """Give the span of a pair with what goes when it goes."""
    source = doc.source
    if not doc.body.flow:
        return source.line_start(source.line(pair.key.start)), source.line_end(doc.last_line(pair))
    keys = [key for key, _ in doc.body.pairs]
    number = keys.index(pair.key)
    if number + 1 < len(keys):
        return pair.key.start, keys[number + 1].start
    return (doc.body.pairs[number - 1][1].end if number else pair.key.start), pair.value.end


# reading back -----------------------------------------------------------------------


def verify(doc: LegacyDocument, edited: Source, wanted: Legacy) -> None:
    """Read an edited file back before anybody believes it.

    Raises:
        Declined: ``traffic-block-unusual``.
    """
    refusal = unusual(
        doc.source, doc.mode.key.start, "The edit would not read back as exactly the wanted one."
    )
    chunks = cut(edited)
    if len(chunks) != len(cut(doc.source)):
        raise refusal
    chunk = chunks[doc.chunk.number]
    try:
        new = read_legacy(edited, chunk)
    except Declined:
        raise refusal from None
    if not (
        new is not None
        and new.legacy == wanted
        and _rest(new) == _rest(doc)
        and _ruamel_reads(edited.text[chunk.start : chunk.end], wanted)
        and _outside(new, _left(doc, new)) == _outside(doc)
    ):
        raise refusal


def _rest(doc: LegacyDocument) -> tuple[Canon, Canon]:
    """Give all that a document says besides the mode's name and what it says of traffic."""
    own = frozenset(id(pair.value) for pair in doc.own())
    return canon(doc.root, frozenset({id(doc.body)})), canon(doc.body, own)


def _left(old: LegacyDocument, new: LegacyDocument) -> int:
    """Give how many characters before a revision that was the last one lie behind the list now."""
    pairs = [doc.pairs.get("revisions") for doc in (old, new)]
    if old.body.flow or pairs[0] is None or pairs[1] is None:
        return 0
    tails = [_tail(doc, pair) for doc, pair in ((old, pairs[0]), (new, pairs[1]))]
    left = tails[1].removesuffix(tails[0])
    within = old.source.text[slice(*_span(old, pairs[0]))]
    return len(left) if tails[1].endswith(tails[0]) and left in within else 0


def _tail(doc: LegacyDocument, pair: Pair) -> str:
    """Give the blank lines and comments behind a pair."""
    source = doc.source
    start = end = source.line_end(doc.last_line(pair))
    while end < len(source.text) and not source.is_content(source.line(end)):
        end = source.line_end(source.line(end))
    return source.text[start:end]


def _outside(doc: LegacyDocument, left: int = 0) -> str:
    """Give a file's text without the mode's name and the pairs that an edit may touch.

    ``left`` characters behind the list of revisions belong to it.
    """
    spans = [(doc.mode.key.start, doc.mode.key.end)]
    for pair in doc.own():
        start, end = _span(doc, pair)
        spans.append((start, end + left * (pair.key.value == "revisions")))
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        parts.append(doc.source.text[at : max(start, at)])
        at = max(end, at)
    rest = "".join([*parts, doc.source.text[at:]])
    # Where the last line of the text is ours and goes, the line before loses its break in turn.
    return rest.rstrip("\r\n") if at >= len(doc.source.text) or not rest.endswith("\n") else rest


def _ruamel_reads(text: str, wanted: Legacy) -> bool:
    """Whether ruamel's own composer sees the wanted mode, with the wanted types."""
    try:
        body = _child(_child(compose(text), "spec"), wanted.mode)
    except (YAMLError, RecursionError, ValueError):
        return False
    share = _child(body, "rolloutPercent")
    if (None if share is None else (_kind(share), share.value)) != (
        None if wanted.percent is None else ("int", str(wanted.percent))
    ):
        return False
    listed = _child(body, "revisions") if wanted.mode == "release" else None
    one = _child(body, "revisionName") if wanted.mode == "pinned" else None
    items = [one] if one is not None else listed.value if listed is not None else []
    return [(_kind(item), item.value) for item in items] == [("str", name) for name in wanted.revisions]


def _kind(node: Any) -> str:
    return str(node.tag).rsplit(":", 1)[-1]


def _child(node: Any, key: str) -> Any:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)
