"""How the entries of a traffic block are written, for new ones to look alike."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.manifests.nodes import Mapping, Scalar, Sequence
from bot.manifests.scalars import written
from bot.manifests.splices import colon_end, flow_spans

if TYPE_CHECKING:
    from bot.core.traffic import Target
    from bot.manifests.splices import Draft

FIELDS = ("tag", "revisionName", "configurationName", "latestRevision", "percent")
_NAMING = FIELDS[1:4]  # what a target leads to is said by one of them
RIVALS = {key: tuple(other for other in _NAMING if other != key) for key in _NAMING}


def fields_of(target: Target) -> dict[str, str | int]:
    """Give what is written for a target, in the order of ``FIELDS``."""
    values: dict[str, str | int | None] = {
        "tag": target.tag,
        "revisionName": target.revision,
        "configurationName": target.configuration,
        "latestRevision": target.latest,
        "percent": target.percent,
    }
    return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Look:
    """How a mapping is written."""

    key_quote: str = ""
    colon: str = ": "
    order: tuple[str, ...] = ()
    quotes: dict[str, str] = field(default_factory=dict)
    separator: str = ", "
    opening: str = ""
    closing: str = ""

    @classmethod
    def of(cls, draft: Draft, node: Mapping) -> Look:
        """Look at a mapping that holds something."""
        source = draft.source
        found = [(key, value) for key, value in node.pairs if isinstance(key, Scalar)]
        if not found:
            return cls()
        key_quote = found[0][0].style if found[0][0].style in {"'", '"'} else ""
        colon = ": "
        if node.flow and key_quote and not found[0][1].start - colon_end(source, found[0][0]):
            colon = ":"
        opening = closing = ""
        separator = ", "
        if node.flow:
            opening = source.text[node.start + 1 : node.pairs[0][0].start]
            opening = "" if opening.strip() else opening
            tail = re.fullmatch(r",?(\s*)", source.text[node.pairs[-1][1].end : node.end - 1])
            closing = tail[1] if tail else ""
            separator = _gap(draft, node) or ("," + opening if "\n" in opening else ", ")
        return cls(
            key_quote,
            colon,
            tuple(key.value for key, _ in found if key.value in FIELDS),
            {
                key.value: value.style
                for key, value in found
                if isinstance(value, Scalar) and value.style in {"'", '"'}
            },
            separator,
            opening,
            closing,
        )

    def pair(self, key: str, value: str | int, quote: str | None = None) -> str:
        """Write a pair."""
        style = self.quotes.get(key, '"' if self.key_quote == '"' else "") if quote is None else quote
        return f"{self.key_quote}{key}{self.key_quote}{self.colon}{written(value, style)}"

    def ordered(self, keys: list[str]) -> list[str]:
        """Put keys in the mapping's order; those that it does not have go to their usual place."""
        order = [next((one for one in (key, *RIVALS.get(key, ())) if one in keys), key) for key in self.order]
        result = [key for number, key in enumerate(order) if key in keys and key not in order[:number]]
        for key in FIELDS:
            if key in keys and key not in result:
                before = [other for other in FIELDS[: FIELDS.index(key)] if other in result]
                result.insert(max((result.index(other) + 1 for other in before), default=0), key)
        return result

    def flow(self, target: Target) -> str:
        """Write a target in flow style."""
        values = fields_of(target)
        inner = self.separator.join(self.pair(key, values[key]) for key in self.ordered(list(values)))
        return "{" + self.opening + inner + self.closing + "}"


def _gap(draft: Draft, node: Mapping | Sequence) -> str:
    """Give the text between two elements of a flow collection, if there are two and no comment."""
    spans = flow_spans(draft.source, node)
    for (_, end), (start, _) in itertools.pairwise(spans):
        gap = draft.source.text[end:start]
        if gap.count(",") == 1 and "#" not in gap:
            return gap
    return ""
