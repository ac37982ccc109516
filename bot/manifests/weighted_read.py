"""Weighted routes of one document as nodes and values: VirtualServices and routes of the Gateway API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core import owners
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.weights import Destination, Weights
from bot.manifests.dialects import DIALECTS, KINDS, OLD_GROUP, conditions, dialect_of, distinct
from bot.manifests.knative_read import Pair, all_nodes, check_editable, refuse_marks
from bot.manifests.nodes import Alias, Mapping, Node, Reader, Scalar, Sequence, pairs, parse
from bot.manifests.scalars import percent
from bot.manifests.source import refuse_hidden
from bot.manifests.splices import last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.manifests.dialects import Dialect
    from bot.manifests.source import Chunk, Source

WEIGHT = "weight"
_TEMPLATE = re.compile(r"\{\{|\{%|<%|\$\{|\$\(")
_LOOKS_LIKE = re.compile(
    r"""(?m)(?:^|[{,])[ \t]*(?:-[ \t]+)*["']?kind["']?[ \t]*:[ \t]*["']?(?:"""
    + "|".join(sorted(KINDS))
    + r""")["']?[ \t]*(?:$|[\r#,}])"""
)
_GROUPS = re.compile(
    r"""["']?apiVersion["']?[ \t]*:[ \t]*["']?(?:"""
    + "|".join(re.escape(group) for group in (*(d.group for d in DIALECTS), OLD_GROUP))
    + ")/"
)


@dataclass(slots=True, eq=False)
class Rule:
    """One rule with destinations, as values and as nodes.

    ``section`` and ``index`` say where it lies under ``spec``; ``pairs`` holds the pair of each
    destination's weight, ``None`` where nothing is written.
    """

    section: str
    index: int
    name: str | None
    matches: tuple[str, ...]
    start: int
    block: Pair
    entries: tuple[Mapping, ...]
    pairs: tuple[Pair | None, ...]
    weights: Weights


@dataclass(slots=True, eq=False)
class Object:
    """One object with weighted routes; ``item`` is its place in a ``List``, else ``None``.

    ``problems`` are those of rules that cannot be read; ``foreign`` says who else sets weights.
    """

    source: Source
    chunk: Chunk
    root: Mapping
    item: int | None
    dialect: Dialect
    node: Mapping
    api_version: str
    kind: str
    namespace: str | None
    name: str
    hosts: tuple[str, ...]
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    foreign: Problem | None


def looks_weighted(text: str) -> bool:
    """Whether a document that cannot be parsed seems to hold a weighted route."""
    return bool(_GROUPS.search(text) and _LOOKS_LIKE.search(text))


def read_objects(source: Source, chunk: Chunk) -> Iterator[Object | tuple[Problem, ...]]:
    """Read the objects of one document that may have weights, or why one cannot be read.

    Raises:
        Declined: The document cannot be parsed, or has a key twice.
    """
    root = parse(source, chunk)
    if not isinstance(root, Mapping):
        return
    listed = _listed(root)
    objects = [(None, root)] if listed is None else list(enumerate(listed))
    ours = [(item, node) for item, node in objects if isinstance(node, Mapping) and _is_ours(node)]
    if not ours:
        return
    for part in all_nodes(root):
        if isinstance(part, Mapping):
            pairs(source, part)  # refuses repeated keys and keys that are not text, wherever they are
    for item, node in ours:
        try:
            if listed is not None:
                _check_list(source, root)
            yield _object(source, chunk, root, item, node)
        except Declined as declined:
            yield declined.problems


def _listed(root: Mapping) -> list[Node] | None:
    """Give the entries of a ``kind: List``, ``None`` for other documents."""
    if _text_at(root, "kind") != "List":
        return None
    items = next((v for k, v in root.pairs if isinstance(k, Scalar) and k.value == "items"), None)
    return items.items if isinstance(items, Sequence) else []


def _check_list(source: Source, root: Mapping) -> None:
    items = check_editable(source, root, "The list")["items"].value
    if not isinstance(items, Sequence) or items.anchor is not None:
        raise source.declined("alias-in-block", "`items` has an anchor.", items.start)
    if items.tag is not None:
        raise source.declined("tag-in-block", "`items` has a tag.", items.start)


def _text_at(node: Mapping, key: str) -> str:
    """Give the text of a pair as written, the last one's where the key is repeated."""
    found = ""
    for name, value in node.pairs:
        if isinstance(name, Scalar) and name.value == key:
            value = value.to if isinstance(value, Alias) else value  # noqa: PLW2901 - what it stands for
            found = value.value if isinstance(value, Scalar) else ""
    return found


def _is_ours(node: Mapping) -> bool:
    version, kind = _text_at(node, "apiVersion"), _text_at(node, "kind")
    return dialect_of(version, kind) is not None or (version.startswith(f"{OLD_GROUP}/") and kind in KINDS)


def _object(source: Source, chunk: Chunk, root: Mapping, item: int | None, node: Mapping) -> Object:
    own = check_editable(source, node, "The document" if item is None else "The list's entry")
    version, kind = _text_at(node, "apiVersion"), _text_at(node, "kind")
    dialect = dialect_of(version, kind)
    if dialect is None:
        key = own["apiVersion"]
        raise source.declined(
            "unsupported-api",
            f"`{OLD_GROUP}` is the Gateway API's former group; its routes have `forwardTo` and are not edited.",
            key.value.start,
            end=key.value.end,
            remedy="Move the route to `gateway.networking.k8s.io/v1` with `backendRefs`.",
        )
    reader = Reader(source)
    metadata = _metadata(source, reader, own.get("metadata"), node)
    hosts: Any = None
    rules: list[Rule] = []
    problems: list[Problem] = []
    spec = own.get("spec")
    if spec is not None and not _is_null(spec.value):
        under = check_editable(source, spec.value, "`spec`")
        hosts = reader.plain(under[dialect.hosts].value) if dialect.hosts in under else None
        for section in dialect.sections:
            for outcome in _rules(source, reader, dialect, under.get(section)):
                if isinstance(outcome, Rule):
                    rules.append(outcome)
                else:
                    problems += outcome
    return Object(
        source=source,
        chunk=chunk,
        root=root,
        item=item,
        dialect=dialect,
        node=node,
        api_version=version,
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        hosts=tuple(map(str, hosts)) if isinstance(hosts, list) else (),
        rules=tuple(sorted(rules, key=lambda rule: rule.start)),
        problems=tuple(problems),
        foreign=_foreign(source, version, kind, metadata, own["metadata"]),
    )


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _metadata(source: Source, reader: Reader, pair: Pair | None, node: Mapping) -> dict[str, Any]:
    plain = reader.plain(pair.value) if pair else None
    at = pair.key.start if pair else node.start
    name = plain.get("name") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(name, str) or not name:
        raise source.declined(
            "split-invalid", "The route has no `metadata.name`.", at, remedy="Give it a name."
        )
    namespace = plain.get("namespace") or None
    for value in (name, namespace):
        if value is not None and (not isinstance(value, str) or _TEMPLATE.search(value)):
            raise source.declined(
                "template-language",
                f"The route's name or namespace is {code(str(value))}, which is filled in later.",
                at,
                remedy="Point the bot at a manifest with plain names.",
            )
    return {**plain, "namespace": namespace}


def _foreign(
    source: Source, api_version: str, kind: str, metadata: dict[str, Any], pair: Pair
) -> Problem | None:
    """Say which other controller sets the weights, from its marks on the object."""
    holder = owners.holder_of(api_version, kind, metadata)
    for mark in owners.marks(holder):
        return source.problem(
            "foreign-controller",
            mark.message(holder),
            pair.key.start,
            end=pair.key.end,
            remedy=mark.remedy,
        )
    return None


def _rules(
    source: Source, reader: Reader, dialect: Dialect, section: Pair | None
) -> Iterator[Rule | tuple[Problem, ...]]:
    """Read the rules of a list; those without destinations redirect or delegate, and are passed over."""
    if section is None or _is_null(section.value):
        return
    what = f"`spec.{section.key.value}`"
    node = section.value
    try:
        if isinstance(node, Alias) or node.anchor is not None:
            raise source.declined("alias-in-block", f"{what} is an alias or has an anchor.", node.start)
        if node.tag is not None:
            raise source.declined("tag-in-block", f"{what} has a tag.", node.start)
        if not isinstance(node, Sequence):
            raise source.declined("traffic-block-unusual", f"{what} is not a list.", section.key.start)
    except Declined as declined:
        yield declined.problems
        return
    for index, item in enumerate(node.items):
        try:
            rule = _rule(source, reader, dialect, (section.key.value, index), item)
        except Declined as declined:
            yield declined.problems
        else:
            if rule is not None:
                yield rule


def _rule(
    source: Source, reader: Reader, dialect: Dialect, where: tuple[str, int], item: Node
) -> Rule | None:
    own = check_editable(source, item, f"The rule `{where[0]}[{where[1]}]`")
    block = own.get(dialect.destinations)
    if block is None or _is_null(block.value):
        return None
    refuse_marks(source, block)
    first = source.line_start(source.line(block.key.start))
    refuse_hidden(source, first, source.line_end(last_line(source, block.value, block.key.end + 1)))
    if not isinstance(block.value, Sequence):
        raise source.declined("traffic-block-unusual", f"`{block.key.value}` is not a list.", block.key.start)
    if not block.value.items:
        return None
    entries: list[Mapping] = []
    found: list[tuple[Pair | None, int | None]] = []
    names: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    problems: list[Problem] = []
    for entry in block.value.items:
        try:
            under = check_editable(source, entry, "The destination")
            assert isinstance(entry, Mapping)  # noqa: S101 - the check lets nothing else through
            names.append(_names(source, reader, dialect, entry))
            weight = under.get(WEIGHT)
            found.append((weight, _weight(source, dialect, weight)))
            entries.append(entry)
        except Declined as declined:
            problems += declined.problems
    if problems:
        raise Declined(*problems)
    chosen = distinct([own_names for own_names, _ in names])
    destinations = tuple(
        Destination(
            name,
            weight,
            slot,
            also=tuple(other for other in (*long, *short) if other != name),
            line=source.line(entry.start) + 1,
        )
        for slot, (name, (_, weight), (long, short), entry) in enumerate(
            zip(chosen, found, names, entries, strict=True)
        )
    )
    name = reader.plain(own["name"].value) if "name" in own else None
    return Rule(
        section=where[0],
        index=where[1],
        name=name if isinstance(name, str) and name else None,
        matches=conditions(reader.plain(own[dialect.matches].value)) if dialect.matches in own else (),
        start=item.start,
        block=block,
        entries=tuple(entries),
        pairs=tuple(pair for pair, _ in found),
        weights=Weights(dialect.platform, destinations),
    )


def _names(
    source: Source, reader: Reader, dialect: Dialect, entry: Mapping
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    long, short = dialect.names_of(reader.plain(entry))
    if not long:
        raise source.declined(
            "split-invalid", "The destination has no host or name that is plain text.", entry.start
        )
    if any(_TEMPLATE.search(name) for name in long):
        raise source.declined(
            "template-language",
            f"The destination is {code(long[-1])}, which is filled in later.",
            entry.start,
            remedy="Point the bot at a manifest with plain names.",
        )
    return long, short


def _weight(source: Source, dialect: Dialect, pair: Pair | None) -> int | None:
    """Read a weight; a null one counts as absent."""
    if pair is None or _is_null(pair.value):
        return None
    node = pair.value
    if not isinstance(node, Scalar):
        raise source.declined("not-a-plain-number", "A weight is a whole number.", node.start)
    if _TEMPLATE.search(node.value):
        raise source.declined(
            "template-language",
            "The weight is filled in later; only plain values are edited.",
            node.start,
            end=node.end,
            remedy="Set it in the values that it is filled in from, or write a plain number.",
        )
    number = None if node.style else percent(node.value)
    if number is None:
        raise source.declined(
            "not-a-plain-number",
            "A weight is written as a plain whole number, without quotes, sign and leading zeros.",
            node.start,
            end=node.end,
            remedy="Write it like `weight: 25`.",
        )
    if number > dialect.platform.largest:
        raise source.declined(
            "split-invalid",
            f"A weight of {dialect.platform.value} is at most {dialect.platform.largest}.",
            node.start,
            end=node.end,
        )
    return number
