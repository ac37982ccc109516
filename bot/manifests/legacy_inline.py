"""Services and Routes of ``v1alpha1`` and ``v1beta1`` that have v1's form already, but for two words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.legacy import DROPPED, Refusal, convert
from bot.core.text import code
from bot.manifests.knative_read import GROUP, KINDS, Pair, all_nodes, check_editable
from bot.manifests.legacy_read import below, read_metadata
from bot.manifests.legacy_template import no_place
from bot.manifests.nodes import Mapping, Reader, Scalar, Sequence, pairs, parse

if TYPE_CHECKING:
    from bot.manifests.source import Chunk, Source
    from bot.manifests.splices import Draft

FORMER = frozenset({f"{GROUP}/v1alpha1", f"{GROUP}/v1beta1"})
_NOT_HERE = ("revisionTemplate", *DROPPED)


@dataclass(slots=True, eq=False)
class InlineDocument:
    """A Service or Route with ``template`` and ``traffic``, of a former version. ``plain`` is ``spec``."""

    source: Source
    chunk: Chunk
    root: Mapping
    version: Pair
    kind: str
    namespace: str | None
    name: str
    template: Pair | None
    traffic: Pair | None
    plain: dict[str, Any]


def read_inline(source: Source, chunk: Chunk) -> InlineDocument | None:
    """Read one document; ``None`` when it is something else.

    Raises:
        Declined: The document cannot be parsed, or cannot be edited.
    """
    root = parse(source, chunk)
    kind = is_inline(root) if isinstance(root, Mapping) else None
    if kind is None or not isinstance(root, Mapping):
        return None
    for node in all_nodes(root):
        if isinstance(node, Mapping):
            pairs(source, node)
    own = check_editable(source, root, "The document")
    reader = Reader(source)
    metadata = read_metadata(source, reader, own.get("metadata"), root)
    if "spec" not in own:
        raise source.declined("traffic-block-unusual", f"The {kind.lower()} has no `spec`.", root.start)
    spec = check_editable(source, own["spec"].value, "`spec`")
    for key in _NOT_HERE:
        if key in spec:
            raise no_place(source, spec[key], "Write it as `template`." if key == "revisionTemplate" else "")
    template = spec.get("template")
    inner = below(template, "spec")
    for key in ("container", *DROPPED):
        pair = below(inner, key)
        if pair is not None:
            raise no_place(source, pair, "Write it as `containers`." if key == "container" else "")
    return InlineDocument(
        source=source,
        chunk=chunk,
        root=root,
        version=own["apiVersion"],
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        template=template,
        traffic=spec.get("traffic"),
        plain=reader.plain(own["spec"].value),
    )


def is_inline(root: Mapping) -> str | None:
    """Give the kind of an object of a former version; it may have a mode."""
    found = {
        key.value: value.value
        for key, value in root.pairs
        if isinstance(key, Scalar) and isinstance(value, Scalar)
    }
    kind = found.get("kind")
    return kind if kind in KINDS and found.get("apiVersion") in FORMER else None


def edit_inline(draft: Draft, doc: InlineDocument) -> None:
    """Ask for ``tag`` where a target has a ``name``.

    Raises:
        Declined: ``split-invalid``, ``alias-in-block``, ``tag-in-block``.
    """
    value = doc.traffic.value if doc.traffic else None
    for item in value.items if isinstance(value, Sequence) else ():
        entry = check_editable(doc.source, item, "The entry")
        name = entry.get("name")
        if name is None:
            continue
        if "tag" in entry:
            message = f"The target has a `tag` and a `name`, its former spelling: {code(doc.name)}."
            raise doc.source.declined(
                "split-invalid", message, name.key.start, end=name.key.end, remedy="Remove one of the two."
            )
        raw = doc.source.text[name.key.start : name.key.end]
        draft.replace(name.key.start, name.key.end, raw.replace("name", "tag"))


def wanted_inline(doc: InlineDocument) -> tuple[Any, Any]:
    """Give the template and the traffic that the document has to hold afterwards.

    Raises:
        Declined: ``split-invalid`` where the server does not convert it.
    """
    if doc.kind == "Service":
        converted = convert(doc.plain)
        if isinstance(converted, Refusal):
            raise doc.source.declined("split-invalid", f"{code(converted.text)}", doc.root.start)
    template = doc.plain.get("template")
    if isinstance(template, dict) and not template.get("metadata"):
        template = {key: value for key, value in template.items() if key != "metadata"}
    traffic = doc.plain.get("traffic")
    entries = traffic if isinstance(traffic, list) else []
    renamed = [
        {("tag" if k == "name" else k): v for k, v in e.items()} if isinstance(e, dict) else e
        for e in entries
    ]
    return template, renamed if isinstance(traffic, list) else traffic
