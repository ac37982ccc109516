"""Knative Services and Routes of one document as nodes and values.

Source: Knative Serving v1, ``Service``, ``Route``, ``TrafficTarget``; v1alpha1 of releases 0.1 to 0.18
for the modes before ``template`` and ``traffic``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.manifests.knative_targets import TEMPLATE, read_target
from bot.manifests.nodes import Alias, Mapping, Node, Reader, Scalar, Sequence, pairs, parse
from bot.manifests.source import refuse_hidden
from bot.manifests.splices import content_end, last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.traffic import Target
    from bot.manifests.source import Chunk, Source

GROUP = "serving.knative.dev"
VERSIONS = frozenset({f"{GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha1")})
KINDS = ("Service", "Route")
LEGACY_MODES = ("runLatest", "pinned", "release", "manual")

_LOOKS_LIKE = re.compile(
    r"""(?m)(?:^|[{,])[ \t]*(?:-[ \t]+)*["']?kind["']?[ \t]*:[ \t]*["']?(?:Service|Route)["']?[ \t]*(?:$|[\r#,}])"""
)
_GROUP = re.compile(r"""["']?apiVersion["']?[ \t]*:[ \t]*["']?serving\.knative\.dev/""")


@dataclass(slots=True, eq=False)
class Pair:
    """A key and its value, with the mapping that holds them."""

    key: Scalar
    value: Node
    parent: Mapping


@dataclass(slots=True, eq=False)
class Document:
    """A Knative Service or Route that can be read.

    ``root`` is the object's own mapping: that of the document, or entry ``item`` of a ``kind: List``;
    ``whole`` is the document's. ``entries`` is ``None`` when ``spec.traffic`` is missing, null or
    empty. A Route has no template.
    """

    source: Source
    chunk: Chunk
    whole: Mapping
    item: int | None
    root: Mapping
    api_version: str
    kind: str
    namespace: str | None
    name: str
    annotations: dict[str, str]
    spec: Pair
    traffic: Pair | None
    entries: Sequence | None
    targets: tuple[Target, ...]
    template: Pair | None
    template_metadata: Pair | None
    name_pair: Pair | None
    template_name: str | None
    template_value: Any

    @property
    def spec_mapping(self) -> Mapping:
        """The value of ``spec``."""
        assert isinstance(self.spec.value, Mapping)  # noqa: S101 - read_document lets nothing else through
        return self.spec.value

    def lines_of(self, pair: Pair) -> tuple[int, int]:
        """Give the first and the last line of a pair, counted from 0."""
        return self.source.line(pair.key.start), last_line(self.source, pair.value, pair.key.end + 1)

    def end_of(self, pair: Pair) -> int:
        """Give the offset behind a pair's content."""
        return content_end(self.source, pair.value, pair.key.end + 1)


def looks_like_service(text: str) -> bool:
    """Whether a document that cannot be parsed seems to hold a Knative Service or Route."""
    return bool(_GROUP.search(text) and _LOOKS_LIKE.search(text))


@dataclass(slots=True, eq=False)
class _Parsed:
    """A document, and the objects in it that are ours, with their places in its list."""

    source: Source
    chunk: Chunk
    whole: Mapping
    objects: list[tuple[int | None, Node]]
    reader: Reader


def read_document(source: Source, chunk: Chunk, item: int | None = None) -> Document | None:
    """Read the object of a document, or with ``item`` an entry of its list.

    Gives ``None`` when it is something else than a Knative Service or Route.

    Raises:
        Declined: The document cannot be parsed, or the object cannot be read; with all problems of
            its traffic block.
    """
    parsed = _parsed(source, chunk)
    node = dict(parsed.objects).get(item) if parsed else None
    return _read(parsed, item, node) if parsed and node else None


def read_documents(
    source: Source, chunk: Chunk, name: str | None = None
) -> Iterator[Document | tuple[Problem, ...]]:
    """Read the Services and Routes of one document, or say why one of them cannot be read.

    With ``name``, nothing is said of the entries of a list that do not mention it.

    Raises:
        Declined: The document cannot be parsed, or has a key twice.
    """
    parsed = _parsed(source, chunk)
    if parsed is None:
        return
    for item, node in parsed.objects:
        try:
            doc = _read(parsed, item, node)
        except Declined as declined:
            if name is None or item is None or name in source.text[node.start : node.end]:
                yield declined.problems
        else:
            if doc is not None:
                yield doc


def _parsed(source: Source, chunk: Chunk) -> _Parsed | None:
    """Parse a document, ``None`` when nothing in it is ours."""
    root = parse(source, chunk)
    if not isinstance(root, Mapping):
        return None
    objects: list[tuple[int | None, Node]] = [(None, root)] if _is_ours(root) else []
    if not objects and _is_list(root):
        objects += [(item, node) for item, node in enumerate(_items(root)) if _is_ours(node)]
    if not objects:
        return None
    for node in all_nodes(root):
        if isinstance(node, Mapping):
            pairs(source, node)  # refuses repeated keys and keys that are not text, wherever they are
    reader = Reader(source)
    if objects[0][0] is not None:
        reader.plain(root)  # the bound on what aliases stand for holds for all entries together
    return _Parsed(source, chunk, root, objects, reader)


def _is_list(root: Mapping) -> bool:
    values = _texts(root)
    return ("kind", "List") in values and ("apiVersion", "v1") in values


def _items(root: Mapping) -> list[Node]:
    """Give the entries of a list; of all ``items``, where the key is repeated."""
    found: list[Node] = []
    for key, value in root.pairs:
        if isinstance(key, Scalar) and key.value == "items":
            items = value.to if isinstance(value, Alias) else value
            found += items.items if isinstance(items, Sequence) else []
    return found


def _check_list(source: Source, whole: Mapping) -> None:
    items = _way(source, whole, "The list")["items"].value
    if isinstance(items, Alias) or items.anchor is not None:
        raise source.declined("alias-in-block", "`items` is an alias or has an anchor.", items.start)
    if items.tag is not None:
        raise source.declined("tag-in-block", "`items` has a tag.", items.start)


def _read(parsed: _Parsed, item: int | None, root: Node) -> Document | None:
    source, reader = parsed.source, parsed.reader
    if item is not None:
        _check_list(source, parsed.whole)
    own = _way(source, root, "The document" if item is None else "The list's entry")
    assert isinstance(root, Mapping)  # noqa: S101 - the check lets nothing else through
    version = own.get("apiVersion")
    kind = own.get("kind")
    if not (isinstance(version, Pair) and isinstance(kind, Pair)):
        return None
    what = str(_text_of(kind.value))
    metadata = _metadata(source, reader, own.get("metadata"), root, what)
    spec = own.get("spec")
    if spec is None or not isinstance(spec.value, Mapping | Alias):
        at = root.start if spec is None else spec.key.start
        raise source.declined("traffic-block-unusual", f"The {what.lower()} has no `spec` mapping.", at)
    under_spec = _way(source, spec.value, "`spec`")
    template: Pair | None = None
    if what == "Service":
        _refuse_legacy(source, under_spec)
        template = under_spec.get("template")
    template_name, template_value = _template(source, reader, template)
    template_metadata, name_pair = _name_path(template)
    traffic = under_spec.get("traffic")
    entries, targets = _traffic(source, traffic, what)
    annotations = metadata.get("annotations")
    return Document(
        source=source,
        chunk=parsed.chunk,
        whole=parsed.whole,
        item=item,
        root=root,
        api_version=str(_text_of(version.value)),
        kind=what,
        namespace=metadata["namespace"],
        name=metadata["name"],
        annotations={str(k): str(v) for k, v in annotations.items()} if isinstance(annotations, dict) else {},
        spec=spec,
        traffic=traffic,
        entries=entries,
        targets=targets,
        template=template,
        template_metadata=template_metadata,
        name_pair=name_pair,
        template_name=template_name,
        template_value=template_value,
    )


def check_editable(source: Source, node: Node, what: str) -> dict[str | None, Pair]:
    """Give the pairs of a mapping that will be edited.

    Raises:
        Declined: ``alias-in-block``, ``tag-in-block``, ``duplicate-key``, ...
    """
    return _way(source, node, what)


def _is_ours(node: Node) -> bool:
    # Loosely, and all pairs: a repeated "kind" is reported later, once it is our business.
    node = node.to if isinstance(node, Alias) else node
    values = _texts(node) if isinstance(node, Mapping) else set()
    return any(("kind", kind) in values for kind in KINDS) and any(
        ("apiVersion", version) in values for version in VERSIONS
    )


def _texts(node: Mapping) -> set[tuple[str, str | None]]:
    return {(key.value, _text_of(value)) for key, value in node.pairs if isinstance(key, Scalar)}


def _text_of(node: Node) -> str | None:
    if isinstance(node, Alias):
        node = node.to
    return node.value if isinstance(node, Scalar) else None


def _way(source: Source, node: Node, what: str) -> dict[str | None, Pair]:
    """Check a mapping on the way to an edit, and give its pairs by key."""
    if isinstance(node, Alias):
        raise source.declined("alias-in-block", f"{what} is an alias.", node.start, end=node.end)
    if node.anchor is not None:
        raise source.declined("alias-in-block", f"{what} has an anchor.", node.start)
    if node.tag is not None:
        raise source.declined("tag-in-block", f"{what} has a tag.", node.start)
    if not isinstance(node, Mapping):
        raise source.declined("traffic-block-unusual", f"{what} is not a mapping.", node.start)
    found: dict[str | None, Pair] = {}
    for key, value in node.pairs:
        if isinstance(key, Alias) or not isinstance(key, Scalar):
            raise source.declined("alias-in-block", f"{what} has an alias as key.", key.start)
        if key.value == "<<" and not key.style:
            raise source.declined("alias-in-block", f"{what} holds a merge key.", key.start, end=key.end)
        found[key.value] = Pair(key, value, node)
    return found


def _metadata(source: Source, reader: Reader, pair: Pair | None, root: Mapping, kind: str) -> dict[str, Any]:
    plain = reader.plain(pair.value) if pair else None
    at = pair.key.start if pair else root.start
    if not isinstance(plain, dict) or not isinstance(plain.get("name"), str) or not plain["name"]:
        raise source.declined(
            "split-invalid", f"The {kind.lower()} has no `metadata.name`.", at, remedy="Give it a name."
        )
    namespace = plain.get("namespace") or None
    for value in (plain["name"], namespace):
        if value is not None and (not isinstance(value, str) or TEMPLATE.search(value)):
            raise source.declined(
                "template-language",
                f"The {kind.lower()}'s name or namespace is {code(str(value))}, which is filled in later.",
                at,
                remedy="Point the bot at a manifest with plain names.",
            )
    return {**plain, "namespace": namespace}


def _refuse_legacy(source: Source, spec: dict[str | None, Pair]) -> None:
    for mode in LEGACY_MODES:
        if mode in spec:
            key = spec[mode].key
            raise source.declined(
                "not-built-yet",
                f"The service uses the v1alpha1 mode `{mode}`, which this version does not edit.",
                key.start,
                end=key.end,
                remedy="Write it with `template` and `traffic`.",
            )


def _template(source: Source, reader: Reader, pair: Pair | None) -> tuple[str | None, Any]:
    """Give the revision name of a template, and the template without it."""
    plain = reader.plain(pair.value) if pair else None
    if not isinstance(plain, dict):
        return None, plain
    metadata = plain.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if name is not None and not isinstance(name, str):
        assert pair is not None  # noqa: S101 - it gave the mapping
        raise source.declined(
            "ambiguous-scalar", "`spec.template.metadata.name` is not text.", pair.key.start
        )
    rest = (
        {key: value for key, value in metadata.items() if key != "name"}
        if isinstance(metadata, dict)
        else metadata
    )
    value = {key: part for key, part in plain.items() if key != "metadata"}
    return name, {**value, "metadata": rest} if rest else value


def _name_path(template: Pair | None) -> tuple[Pair | None, Pair | None]:
    """Find ``metadata`` and ``metadata.name`` of a template where they are written out."""
    metadata = _written(template, "metadata")
    return metadata, _written(metadata, "name")


def _written(parent: Pair | None, key: str) -> Pair | None:
    if parent is None or not isinstance(parent.value, Mapping):
        return None
    for found, value in parent.value.pairs:
        if isinstance(found, Scalar) and found.value == key:
            return Pair(found, value, parent.value)
    return None


def _traffic(source: Source, pair: Pair | None, kind: str) -> tuple[Sequence | None, tuple[Target, ...]]:
    """Read the traffic block, reporting all its problems together."""
    if pair is None:
        return None, ()
    refuse_marks(source, pair)
    first = source.line_start(source.line(pair.key.start))
    refuse_hidden(source, first, source.line_end(last_line(source, pair.value, pair.key.end + 1)))
    if isinstance(pair.value, Scalar) and pair.value.is_null:
        return None, ()
    if not isinstance(pair.value, Sequence):
        raise source.declined("traffic-block-unusual", "`spec.traffic` is not a list.", pair.key.start)
    if not pair.value.items:
        return None, ()
    targets: list[Target] = []
    problems: list[Problem] = []
    for slot, item in enumerate(pair.value.items):
        try:
            targets.append(_target(source, item, slot, kind))
        except Declined as declined:
            problems += declined.problems
    if problems:
        raise Declined(*problems)
    return pair.value, tuple(targets)


def refuse_marks(source: Source, pair: Pair) -> None:
    """Refuse aliases, anchors, merge keys and tags in a pair.

    Raises:
        Declined: ``alias-in-block``, ``tag-in-block``.
    """
    for node in all_nodes(pair.key, pair.value):
        if isinstance(node, Alias) or node.anchor is not None:
            what = "An alias" if isinstance(node, Alias) else "An anchor"
            raise source.declined(
                "alias-in-block",
                f"{what} stands in the part that would be edited.",
                node.start,
                end=node.end if isinstance(node, Alias) else None,
                remedy="Write the value out.",
            )
        if node.tag is not None:
            raise source.declined(
                "tag-in-block",
                "A tag stands in the part that would be edited.",
                node.start,
                remedy="Remove the tag.",
            )


def all_nodes(*roots: Node) -> Iterator[Node]:
    """Give nodes and all below them, in the file's order; what an alias stands for comes once."""
    todo = list(reversed(roots))
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, Mapping):
            todo += [part for both in reversed(node.pairs) for part in reversed(both)]
        elif isinstance(node, Sequence):
            todo += reversed(node.items)


def _target(source: Source, item: Node, slot: int, kind: str) -> Target:
    if (isinstance(item, Scalar) and item.is_null) or not isinstance(item, Mapping):
        raise source.declined(
            "traffic-block-unusual", "An entry of `spec.traffic` is not a mapping.", item.start
        )
    return read_target(source, _way(source, item, "The entry"), slot, kind)
