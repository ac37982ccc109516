"""One entry of a traffic block as a value, or why it cannot be read.

Source: Knative Serving v1, ``TrafficTarget``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.core.traffic import Target
from bot.manifests.nodes import Scalar
from bot.manifests.scalars import is_ambiguous, is_text, percent

if TYPE_CHECKING:
    from bot.manifests.knative_read import Pair
    from bot.manifests.source import Source

TEMPLATE = re.compile(r"\{\{|\{%|<%|\$\{|\$\(")


def read_target(source: Source, own: dict[str | None, Pair], slot: int, kind: str) -> Target:
    """Read an entry from its pairs; only a ``Route`` may name a configuration.

    Raises:
        Declined: ``split-invalid``, ``not-a-plain-number``, ``ambiguous-scalar``, ``template-language``,
            ``traffic-block-unusual``.
    """
    if "configurationName" in own and kind != "Route":
        raise source.declined(
            "split-invalid",
            f"A {kind}'s target must not set `configurationName`.",
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
        configuration=_name(source, own.get("configurationName")),
    )


def _scalar(source: Source, pair: Pair) -> Scalar | None:
    """Give a target's value, ``None`` for null."""
    if not isinstance(pair.value, Scalar):
        raise source.declined(
            "traffic-block-unusual", f"`{pair.key.value}` is not a scalar.", pair.value.start
        )
    if TEMPLATE.search(pair.value.value):
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
