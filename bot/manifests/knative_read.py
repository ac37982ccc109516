"""One Knative Service of a file as nodes and values.

Source: Knative Serving v1, ``Service``, ``TrafficTarget``; v1alpha1 of releases 0.1 to 0.18
for the modes before ``template`` and ``traffic``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.traffic import Target
from bot.manifests.nodes import Alias, Mapping, Node, Reader, Scalar, Sequence, pairs, parse
from bot.manifests.scalars import is_ambiguous, is_text, percent
from bot.manifests.source import refuse_hidden
from bot.manifests.splices import content_end, last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.manifests.source import Chunk, Source

GROUP = "serving.knative.dev"
VERSIONS = frozenset({f"{GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha1")})
LEGACY_MODES = ("runLatest", "pinned", "release", "manual")

_LOOKS_LIKE = re.compile(
    r"""(?m)(?:^|[{,])[ \t]*["']?kind["']?[ \t]*:[ \t]*["']?Service["']?[ \t]*(?:$|[\r#,}])"""
)
_GROUP = re.compile(r"""["']?apiVersion["']?[ \t]*:[ \t]*["']?serving\.knative\.dev/""")
_TEMPLATE = re.compile(r"\{\{|\{%|<%|\$\{|\$\(")


@dataclass(slots=True, eq=False)
class Pair:
    """A key and its value, with the mapping that holds them."""

    key: Scalar
    value: Node
    parent: Mapping


@dataclass(slots=True, eq=False)
class Document:
    """A Knative Service that can be read.

    ``entries`` is ``None`` when ``spec.traffic`` is missing, null or empty.
    """

    source: Source
    chunk: Chunk
    root: Mapping
    api_version: str
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
    """Whether a document that cannot be parsed seems to be a Knative Service."""
    return bool(_GROUP.search(text) and _LOOKS_LIKE.search(text))


def read_document(source: Source, chunk: Chunk) -> Document | None:
    """Read one document; ``None`` when it is something else than a Knative Service.

    Raises:
        Declined: The document cannot be parsed, or is a Service that cannot be read;
            with all problems of its traffic block.
    """
    root = parse(source, chunk)
    if not isinstance(root, Mapping) or not _is_service(root):
        return None
    for node in all_nodes(root):
        if isinstance(node, Mapping):
            pairs(source, node)  # refuses repeated keys and keys that are not text, wherever they are
    own = _way(source, root, "The document")
    version = own.get("apiVersion")
    kind = own.get("kind")
    if not (isinstance(version, Pair) and isinstance(kind, Pair)):
        return None
    reader = Reader(source)
    metadata = _metadata(source, reader, own.get("metadata"), root)
    spec = own.get("spec")
    if spec is None or not isinstance(spec.value, Mapping | Alias):
        at = root.start if spec is None else spec.key.start
        raise source.declined("traffic-block-unusual", "The service has no `spec` mapping.", at)
    under_spec = _way(source, spec.value, "`spec`")
    _refuse_legacy(source, under_spec)
    template = under_spec.get("template")
    template_name, template_value = _template(source, reader, template)
    template_metadata, name_pair = _name_path(template)
    traffic = under_spec.get("traffic")
    entries, targets = _traffic(source, traffic)
    annotations = metadata.get("annotations")
    return Document(
        source=source,
        chunk=chunk,
        root=root,
        api_version=str(_text_of(version.value)),
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


def _is_service(root: Mapping) -> bool:
    # Loosely, and all pairs: a repeated "kind" is reported later, once it is our business.
    values = {(key.value, _text_of(value)) for key, value in root.pairs if isinstance(key, Scalar)}
    return ("kind", "Service") in values and any(("apiVersion", version) in values for version in VERSIONS)


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


def _metadata(source: Source, reader: Reader, pair: Pair | None, root: Mapping) -> dict[str, Any]:
    plain = reader.plain(pair.value) if pair else None
    at = pair.key.start if pair else root.start
    if not isinstance(plain, dict) or not isinstance(plain.get("name"), str) or not plain["name"]:
        raise source.declined(
            "split-invalid", "The service has no `metadata.name`.", at, remedy="Give it a name."
        )
    namespace = plain.get("namespace") or None
    for value in (plain["name"], namespace):
        if value is not None and (not isinstance(value, str) or _TEMPLATE.search(value)):
            raise source.declined(
                "template-language",
                f"The service's name or namespace is {code(str(value))}, which is filled in later.",
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


def _traffic(source: Source, pair: Pair | None) -> tuple[Sequence | None, tuple[Target, ...]]:
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
            targets.append(_target(source, item, slot))
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


def _target(source: Source, item: Node, slot: int) -> Target:
    if (isinstance(item, Scalar) and item.is_null) or not isinstance(item, Mapping):
        raise source.declined(
            "traffic-block-unusual", "An entry of `spec.traffic` is not a mapping.", item.start
        )
    own = _way(source, item, "The entry")
    if "configurationName" in own:
        raise source.declined(
            "split-invalid",
            "A Service's target must not set `configurationName`.",
            own["configurationName"].key.start,
            end=own["configurationName"].key.end,
        )
    if "name" in own:
        # v1alpha1 before Serving 0.6; later servers take it for ``tag``, kn and we would take the entry for untagged.
        raise source.declined(
            "split-invalid",
            "A target's `name` is the former spelling of `tag`.",
            own["name"].key.start,
            end=own["name"].key.end,
            remedy="Write it as `tag`.",
        )
    return Target(
        revision=_name(source, own.get("revisionName")),
        percent=_percent(source, own.get("percent")),
        tag=_name(source, own.get("tag")),
        latest=_latest(source, own.get("latestRevision")),
        slot=slot,
    )


def _scalar(source: Source, pair: Pair) -> Scalar | None:
    """Give a target's value, ``None`` for null."""
    if not isinstance(pair.value, Scalar):
        raise source.declined(
            "traffic-block-unusual", f"`{pair.key.value}` is not a scalar.", pair.value.start
        )
    if _TEMPLATE.search(pair.value.value):
        raise source.declined(
            "template-language",
            f"`{pair.key.value}` is filled in later; only plain values are edited.",
            pair.value.start,
            end=pair.value.end,
        )
    return None if pair.value.is_null else pair.value


def _percent(source: Source, pair: Pair | None) -> int | None:
    scalar = _scalar(source, pair) if pair else None
    if scalar is None:
        return None
    number = None if scalar.style else percent(scalar.value)
    if number is None:
        raise source.declined(
            "not-a-plain-number",
            "A percent is written as a plain whole number, without quotes and leading zeros.",
            scalar.start,
            end=scalar.end,
            remedy="Write it like `percent: 25`.",
        )
    return number


def _name(source: Source, pair: Pair | None) -> str | None:
    scalar = _scalar(source, pair) if pair else None
    if scalar is None or pair is None:
        return None
    if not scalar.style and not is_text(scalar.value):
        raise source.declined(
            "ambiguous-scalar",
            f"`{pair.key.value}` is not read as text by every YAML reader.",
            scalar.start,
            end=scalar.end,
            remedy="Put it into quotes.",
        )
    return scalar.value


def _latest(source: Source, pair: Pair | None) -> bool | None:
    scalar = _scalar(source, pair) if pair else None
    if scalar is None or pair is None:
        return None
    if not scalar.style and scalar.value.lower() in {"true", "false"} and not is_text(scalar.value):
        return scalar.value.lower() == "true"
    ambiguous = not scalar.style and is_ambiguous(scalar.value)
    raise source.declined(
        "ambiguous-scalar" if ambiguous else "split-invalid",
        "`latestRevision` is `true` or `false`, without quotes.",
        scalar.start,
        end=scalar.end,
        remedy="Write it like `latestRevision: true`.",
    )
