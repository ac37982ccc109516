"""The platform's own rules for a split and its names, as far as a file can show them.

Source: Knative Serving v1, defaulting and validation of Service and Route
(the texts in quotes are the API server's own).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.core.problems import Place, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.traffic import Split, Target

LONGEST_LABEL = 63
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
LONGEST_PREFIX = 253


def is_label(name: str) -> bool:
    """Whether a name is a DNS-1035 label: lower case letters, digits and ``-``, 63 at most."""
    return len(name) <= LONGEST_LABEL and DNS_1035.fullmatch(name) is not None


def is_namespace(name: str) -> bool:
    """Whether a name is a DNS-1123 label, as namespaces are: it may begin with a digit."""
    return (
        len(name) <= LONGEST_LABEL
        and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name, re.ASCII) is not None
    )


def is_qualified(name: str) -> bool:
    """Whether a name is a Kubernetes *qualified name*: all that the server asks of ``revisionName``."""
    prefix, slash, rest = name.rpartition("/")
    if slash and not (len(prefix) <= LONGEST_PREFIX and _PREFIX.fullmatch(prefix)):
        return False
    return _QUALIFIED.fullmatch(rest) is not None


def problems_of(
    split: Split, *, service: str, template_name: str | None, place: Place
) -> tuple[Problem, ...]:
    """Give what the API server, or later the Route, would say against a split, in the block's order.

    Args:
        split: With the server's defaults applied.
        service: ``metadata.name``.
        template_name: ``spec.template.metadata.name``, or ``None``.
        place: Where the block stands, for the reader.
    """
    return tuple(
        Problem("split-invalid", message, remedy, place=place)
        for message, remedy in _findings(split, service, template_name)
    )


def _findings(split: Split, service: str, template_name: str | None) -> Iterator[tuple[str, str]]:
    if not is_label(service):
        yield f"The service's name {code(service)} is not a DNS-1035 label.", ""
    if template_name:  # the server reads an empty name as none
        yield from _of_template_name(template_name, service)
    if split.total != 100:  # noqa: PLR2004 - percents
        yield f"Percents sum to {split.total}, want 100.", "Correct the percents in the block."
    for i, target in enumerate(split.targets):
        yield from _of_target(target, i, service)
    tags = [t.tag for t in split.targets if t.tag]
    for tag in sorted({t for t in tags if tags.count(t) > 1}):
        yield f"The tag {code(tag)} stands {tags.count(tag)} times.", "A tag names one target: it is a URL."


def _of_template_name(name: str, service: str) -> Iterator[tuple[str, str]]:
    if not is_label(name):
        yield f"The revision name {code(name)} is not a DNS-1035 label of at most 63 characters.", ""
    elif not name.startswith(f"{service}-"):
        yield f"The revision name {code(name)} must begin with {code(service + '-')}.", ""


def _of_target(target: Target, i: int, service: str) -> Iterator[tuple[str, str]]:
    where = f"Target {i + 1}"
    if target.percent is not None and not 0 <= target.percent <= 100:  # noqa: PLR2004 - percents
        yield f"{where} has {target.percent} %, want 0 to 100.", ""
    if target.latest and target.revision:
        yield f"{where} names a revision and has `latestRevision: true`.", "Remove one of the two."
    if target.latest is False and not target.revision:
        yield f"{where} has `latestRevision: false` and names no revision.", "Name the revision."
    if target.revision and not is_qualified(target.revision):
        yield f"{where}: {code(target.revision)} is no revision name.", ""
    if target.tag and not is_label(target.tag):
        yield f"{where}: the tag {code(target.tag)} is not a DNS-1035 label.", "Use a–z, 0–9 and `-`."
    elif target.tag and len(target.tag) + 1 + len(service) > LONGEST_LABEL:
        # Not the webhook's rule but the Route's: the tag's host name is one DNS label.
        host = f"{target.tag}-{service}"
        yield (
            f"{where}: {code(host)} has {len(host)} characters, want at most {LONGEST_LABEL}.",
            "Shorten the tag.",
        )
