"""One document with a v1alpha1 mode (``runLatest``, ``pinned``, ``release``) as nodes and values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.legacy import MODES, Legacy, alpha_refusal
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.manifests.fields import span
from bot.manifests.knative_read import GROUP, Pair, all_nodes, check_editable, refuse_marks
from bot.manifests.nodes import Alias, Mapping, Node, Reader, Scalar, Sequence, pairs, parse
from bot.manifests.scalars import is_text, percent
from bot.manifests.source import refuse_hidden
from bot.manifests.splices import last_line

if TYPE_CHECKING:
    from bot.manifests.source import Chunk, Source

VERSION = f"{GROUP}/v1alpha1"
TEMPLATES = ("revisionTemplate", "template")
OWN = ("revisions", "rolloutPercent", "revisionName")  # what an edit may touch in a mode
CHOICES = (*MODES, "template", "revisionTemplate", "traffic")
# What helps against the server's words, by what they hold; the first that fits.
_REMEDIES = (
    ("spec.manual", "Write `template` and `traffic`; no mode of v1 leaves the traffic to others."),
    ("got both: spec.", "Keep one of them."),
    ("got both", "Keep one of the two."),
    ("spec.pinned.revisionName", "Name the revision that serves."),
    ("spec.release.revisions[", "Name a revision, or write `@latest`."),
    ("spec.release.revisions", "Name one revision, or the current one and the candidate."),
    ("expected 0 <=", "Write a percent from 0 to 99; at 100 the candidate is the only revision."),
    ("single revision", "Name the candidate too, or remove the percent."),
    (".image", "Give the container an image."),
    ("got neither", "Write `template` and `traffic`."),
    ("must not set", "Remove the field, or write it as `containers`."),
    ("configuration", "Give the mode its configuration."),
)
_LONGEST_WORDS = 1000  # characters of the server's own text; all of it, but for names that are longer
_TEMPLATE = re.compile(r"\{\{|\{%|<%|\$\{|\$\(")


@dataclass(slots=True, eq=False)
class LegacyDocument:
    """A legacy Service that can be read.

    ``pairs`` are those of the mode's mapping, ``plain`` is ``spec``. ``template`` is the mode's, under either
    of its names; ``name_pair`` its ``metadata.name``, where it is written out.
    """

    source: Source
    chunk: Chunk
    root: Mapping
    version: Pair
    namespace: str | None
    name: str
    spec: dict[str | None, Pair]
    mode: Pair
    body: Mapping
    pairs: dict[str | None, Pair]
    legacy: Legacy
    annotations: dict[str, str]
    template: Pair | None
    template_name: str | None
    template_value: Any
    name_pair: Pair | None
    plain: dict[str, Any]

    def own(self) -> list[Pair]:
        """Give the pairs that an edit may touch, in the file's order."""
        return [pair for key, pair in self.pairs.items() if key in OWN]

    def last_line(self, pair: Pair) -> int:
        """Give the last line of a pair, counted from 0."""
        return last_line(self.source, pair.value, pair.key.end + 1)


def read_legacy(source: Source, chunk: Chunk) -> LegacyDocument | None:
    """Read one document; ``None`` when it is something else than a Service with a mode.

    Raises:
        Declined: The document cannot be parsed, or is such a Service that cannot be edited.
    """
    root = parse(source, chunk)
    if not isinstance(root, Mapping) or not _is_legacy(root):
        return None
    for node in all_nodes(root):
        if isinstance(node, Mapping):
            pairs(source, node)  # refuses repeated keys and keys that are not text, wherever they are
    own = check_editable(source, root, "The document")
    reader = Reader(source)
    metadata = read_metadata(source, reader, own.get("metadata"), root)
    name = metadata["name"]
    spec = check_editable(source, own["spec"].value, "`spec`")
    plain = reader.plain(own["spec"].value)
    present = [key for key in MODES if key in spec]
    mode = spec[next((key for key in present if plain[key] is not None), present[0])]
    outline = _outline(plain)
    if len(outline) != 1 or "manual" in outline:
        # What is in several modes nobody has looked at; the server's text on that would be guessed.
        wrong = _alpha_refused(source, root, name, outline)
        raise wrong or _odd(source, mode.key, "The mode cannot be told.")
    body = check_editable(source, mode.value, f"`{mode.key.value}`")
    assert isinstance(mode.value, Mapping)  # noqa: S101 - the check lets nothing else through
    for key in OWN:
        if key in body:
            refuse_marks(source, body[key])
            first = source.line_start(source.line(body[key].key.start))
            last = last_line(source, body[key].value, body[key].key.end + 1)
            refuse_hidden(source, first, source.line_end(last))
    legacy = _legacy(source, mode, body)
    wrong = _alpha_refused(source, root, name, plain)
    if wrong is not None:
        raise wrong
    template = next((p for key in TEMPLATES if (p := below(body.get("configuration"), key))), None)
    template_name, template_value = _template(reader.plain(template.value) if template else None)
    annotations = metadata.get("annotations")
    return LegacyDocument(
        source=source,
        chunk=chunk,
        root=root,
        version=own["apiVersion"],
        namespace=metadata["namespace"],
        name=name,
        spec=spec,
        mode=mode,
        body=mode.value,
        pairs=body,
        legacy=legacy,
        annotations={str(k): str(v) for k, v in annotations.items()} if isinstance(annotations, dict) else {},
        template=template,
        template_name=template_name,
        template_value=template_value,
        name_pair=below(below(template, "metadata"), "name"),
        plain=plain,
    )


def _outline(plain: dict[str, Any]) -> dict[str, Any]:
    """Give which modes there are and nothing of what is in them, which nobody has looked at."""
    held: dict[str, Any] = {key: {} for key in CHOICES if plain.get(key) is not None}
    return held | ({"traffic": [{}]} if plain.get("traffic") else {})


def _alpha_refused(source: Source, root: Mapping, name: str, plain: dict[str, Any]) -> Declined | None:
    """Give what the server of v1alpha1 says, each of its lines at the first field that it names."""
    lines = (alpha_refusal(name, plain) or "").splitlines()
    both = [line for line in lines if line.startswith("expected exactly one, got both: spec.")]
    if len(plain.keys() & set(CHOICES)) > 1:
        lines = both or lines
    problems = [alpha_problem(source, root, name, line) for line in lines]
    return Declined(*problems) if problems else None


def alpha_problem(source: Source, root: Mapping, name: str, line: str) -> Problem:
    """Give one line of the server's text at the first field that it names."""
    paths = line.rpartition(": ")[2].split(", ")
    start, end = span(root, paths[0])
    message = f"The server of v1alpha1 refuses {code(name)}: {code(line, longest=_LONGEST_WORDS)}."
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in line), "")
    return source.problem("split-invalid", message, start, end=end, remedy=remedy)


def below(parent: Pair | None, key: str) -> Pair | None:
    """Give a pair of a mapping that is written out with values."""
    if parent is None or not isinstance(parent.value, Mapping):
        return None
    for found, value in parent.value.pairs:
        if isinstance(found, Scalar) and found.value == key:
            return None if isinstance(value, Scalar) and value.is_null else Pair(found, value, parent.value)
    return None


def _template(plain: Any) -> tuple[str | None, Any]:
    """Give the revision name of a template, and the template without it."""
    metadata = plain.get("metadata") if isinstance(plain, dict) else None
    if not isinstance(metadata, dict):
        rest = {k: v for k, v in plain.items() if k != "metadata"} if isinstance(plain, dict) else plain
        return None, {**rest, "metadata": metadata} if metadata else rest
    name = metadata.get("name")
    kept = {key: value for key, value in metadata.items() if key != "name"}
    rest = {key: value for key, value in plain.items() if key != "metadata"}
    return name if isinstance(name, str) else None, {**rest, "metadata": kept} if kept else rest


def _is_legacy(root: Mapping) -> bool:
    found = {
        (key.value, value.value)
        for key, value in root.pairs
        if isinstance(key, Scalar) and isinstance(value, Scalar)
    }
    if not {("kind", "Service"), ("apiVersion", VERSION)} <= found:
        return False
    spec = next((v for k, v in root.pairs if isinstance(k, Scalar) and k.value == "spec"), None)
    spec = spec.to if isinstance(spec, Alias) else spec
    return isinstance(spec, Mapping) and any(
        isinstance(key, Scalar) and key.value in MODES for key, _ in spec.pairs
    )


def read_metadata(source: Source, reader: Reader, pair: Pair | None, root: Mapping) -> dict[str, Any]:
    """Give a document's metadata with its name, and its namespace or ``None``.

    Raises:
        Declined: ``split-invalid``, ``template-language``.
    """
    plain = reader.plain(pair.value) if pair else None
    at = pair.key.start if pair else root.start
    name = plain.get("name") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(name, str) or not name:
        raise source.declined(
            "split-invalid", "The service has no `metadata.name`.", at, remedy="Give it a name."
        )
    namespace = plain.get("namespace") or None
    for value in (name, namespace):
        if value is not None and (not isinstance(value, str) or _TEMPLATE.search(value)):
            raise source.declined(
                "template-language",
                f"The service's name or namespace is {code(str(value))}, which is filled in later.",
                at,
                remedy="Point the bot at a manifest with plain names.",
            )
    return {**plain, "namespace": namespace}


def _legacy(source: Source, mode: Pair, body: dict[str | None, Pair]) -> Legacy:
    name = mode.key.value
    if name == "pinned":
        return Legacy(name, (_text(source, body["revisionName"].value),) if "revisionName" in body else ("",))
    if name == "runLatest":
        return Legacy(name)
    revisions: tuple[str, ...] = ()
    if "revisions" in body:
        node = body["revisions"].value
        if not isinstance(node, Sequence):
            raise _odd(source, node, "`revisions` is not a list.")
        revisions = tuple(_text(source, item) for item in node.items)
    share = _percent(source, body["rolloutPercent"].value) if "rolloutPercent" in body else None
    return Legacy(name, revisions, share)


def _odd(source: Source, node: Node, what: str) -> Declined:
    return source.declined("traffic-block-unusual", what, node.start)


def _scalar(source: Source, node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise _odd(source, node, "A plain value belongs here.")
    if _TEMPLATE.search(node.value):
        raise source.declined(
            "template-language",
            "The value is filled in later; only plain values are edited.",
            node.start,
            end=node.end,
        )
    return node


def _text(source: Source, node: Node) -> str:
    scalar = _scalar(source, node)
    if not scalar.style and not is_text(scalar.value):
        raise source.declined(
            "ambiguous-scalar",
            "The revision is not read as text by every YAML reader.",
            scalar.start,
            end=scalar.end,
            remedy="Put it into quotes.",
        )
    if scalar.style not in {"", "'", '"'}:
        raise _odd(source, scalar, "The revision stands on lines of its own.")
    return scalar.value


def _percent(source: Source, node: Node) -> int:
    scalar = _scalar(source, node)
    number = None if scalar.style else percent(scalar.value)
    if number is None:
        raise source.declined(
            "not-a-plain-number",
            "A percent is written as a plain whole number, without quotes, sign and leading zeros.",
            scalar.start,
            end=scalar.end,
            remedy="Write it like `rolloutPercent: 25`.",
        )
    return number
