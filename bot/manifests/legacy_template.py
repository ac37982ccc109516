"""The template of a legacy mode as v1 writes it: ``containers``, and none of the fields that v1 does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.legacy import DROPPED
from bot.core.text import code
from bot.manifests.knative_read import Pair, all_nodes, check_editable
from bot.manifests.nodes import Mapping, Scalar
from bot.manifests.splices import Splice, unusual

if TYPE_CHECKING:
    from bot.core.legacy import Converted
    from bot.core.problems import Declined, Place
    from bot.manifests.legacy_read import LegacyDocument
    from bot.manifests.source import Source

_BUILT = ("buildName", "buildRef")


@dataclass(frozen=True, slots=True)
class Note:
    """What a migration changed besides the form, and where it stood in the file."""

    message: str
    place: Place


class Spliced:
    """Changes within lines, for lines that move left or right as they are read."""

    def __init__(self, doc: LegacyDocument) -> None:
        self._source: Source = doc.source
        self._splices: list[Splice] = []
        self.removed: list[Pair] = []  # whose lines go
        self._literal = {
            line
            for node in all_nodes(doc.root)
            if isinstance(node, Scalar) and node.style in {"|", ">"}
            for line in range(doc.source.line(node.start) + 1, doc.source.line(max(node.end - 1, 0)) + 1)
        }

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace characters."""
        self._splices.append(Splice(start, end, text))

    def text(self, start: int, end: int) -> str:
        """Give the characters from ``start`` to ``end`` with the changes in them."""
        parts: list[str] = []
        at = start
        for splice in sorted(self._splices, key=lambda s: (s.start, s.end)):
            if start <= splice.start <= splice.end <= end:
                if splice.start < at:
                    raise unusual(self._source, splice.start, "Two changes meet on the same characters.")
                parts += [self._source.text[at : splice.start], splice.text]
                at = splice.end
            elif splice.start < end and start < splice.end:
                raise unusual(self._source, splice.start, "The value goes over several lines.")
        return "".join([*parts, self._source.text[at:end]])

    def line(self, number: int, moved: int) -> str:
        """Give a line without its break, moved to the right, or to the left as far as it has spaces."""
        start = self._source.line_start(number)
        text = self.text(start, start + len(self._source.line_text(number)))
        if not text.strip() and number not in self._literal:
            return text
        if moved >= 0:
            return " " * moved + text if text else text
        spaces = len(text) - len(text.lstrip(" "))
        return text[min(spaces, -moved) :]


def no_place(source: Source, pair: Pair, remedy: str = "") -> Declined:
    """Give the refusal of a field that would be lost."""
    return source.declined(
        "traffic-block-unusual",
        f"The field {code(pair.key.value)} has no place in v1.",
        pair.key.start,
        end=pair.key.end,
        remedy=remedy or "Remove it, or move it by hand.",
    )


def dropped_note(source: Source, pair: Pair) -> Note:
    """Give what is told of a field that goes."""
    return Note(f"Dropped {code(pair.key.value)}, which v1 does not have.", source.place(pair.key.start))


def edit_template(spliced: Spliced, doc: LegacyDocument, template: Pair, notes: list[Note]) -> Pair | None:
    """Ask for the changes within a template; gives its ``container`` where that is a block mapping.

    Raises:
        Declined: ``traffic-block-unusual``, ``alias-in-block``, ``tag-in-block``.
    """
    source = doc.source
    parts = check_editable(source, template.value, "The template")
    for key, pair in parts.items():
        if key not in {"metadata", "spec"}:
            raise no_place(source, pair)
    spec = check_editable(source, parts["spec"].value, "The template's `spec`")
    for key, pair in spec.items():
        if key in _BUILT:
            raise no_place(source, pair)
        if key in DROPPED and not (key == "concurrencyModel" and _concurrency(spliced, doc, spec, notes)):
            _remove(spliced, source, pair)
            notes.append(dropped_note(source, pair))
        elif key in {"container", "containers"} and is_null(pair):
            _remove(spliced, source, pair)
    container = spec.get("container")
    if container is None or is_null(container):
        return None
    own = container.key
    quote = own.style if own.style in {"'", '"'} else ""
    spliced.replace(own.start, own.end, f"{quote}containers{quote}")
    if isinstance(container.value, Mapping) and not container.value.flow:
        check_editable(source, container.value, "The container")
        return container
    spliced.replace(container.value.start, container.value.start, "[")
    spliced.replace(container.value.end, container.value.end, "]")
    return None


def _concurrency(
    spliced: Spliced, doc: LegacyDocument, spec: dict[str | None, Pair], notes: list[Note]
) -> bool:
    """Say what ``concurrencyModel: Single`` meant to servers before 0.15; whether its own characters did it."""
    model, limit = spec["concurrencyModel"], spec.get("containerConcurrency")
    if not means_one(_spec_of(doc)):
        return False
    said = "`concurrencyModel: Single` is written as `containerConcurrency: 1`, which it meant."
    notes.append(Note(said, doc.source.place(model.key.start)))
    if limit is not None and not is_null(limit):
        spliced.replace(limit.value.start, limit.value.end, "1")
        _remove(spliced, doc.source, model)
        return True
    if limit is not None:
        _remove(spliced, doc.source, limit)
    quote = model.key.style if model.key.style in {"'", '"'} else ""
    spliced.replace(model.key.start, model.value.end, f"{quote}containerConcurrency{quote}: 1")
    return True


def means_one(spec: dict[str, Any]) -> bool:
    """Whether a template's ``spec`` allows one request at a time without the field that v1 has for it."""
    return spec.get("concurrencyModel") == "Single" and spec.get("containerConcurrency") in {0, None}


def wanted_template(doc: LegacyDocument, converted: Converted) -> dict[str, Any]:
    """Give the template that a migrated file has to hold, without ``metadata`` where nothing is in it."""
    template = dict(converted.template)
    if means_one(_spec_of(doc)):
        template["spec"] = {**template["spec"], "containerConcurrency": 1}
    return template if template["metadata"] else {"spec": template["spec"]}


def _spec_of(doc: LegacyDocument) -> dict[str, Any]:
    spec = doc.template_value.get("spec") if isinstance(doc.template_value, dict) else None
    return spec if isinstance(spec, dict) else {}


def _remove(spliced: Spliced, source: Source, pair: Pair) -> None:
    if not pair.parent.flow:
        spliced.removed.append(pair)
        return
    start, end = flow_span(pair)
    if "#" in source.text[start:end]:
        raise unusual(source, pair.key.start, "A comment stands beside a field that goes.")
    spliced.replace(start, end, "")


def flow_span(pair: Pair) -> tuple[int, int]:
    """Give the characters of a pair in a flow mapping, with the comma that goes with it."""
    pairs = pair.parent.pairs
    number = next(i for i, (key, _) in enumerate(pairs) if key is pair.key)
    if number + 1 < len(pairs):
        return pair.key.start, pairs[number + 1][0].start
    return (pairs[number - 1][1].end if number else pair.key.start), pair.value.end


def is_null(pair: Pair) -> bool:
    """Whether a pair counts as not written."""
    return isinstance(pair.value, Scalar) and pair.value.is_null
