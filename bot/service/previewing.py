"""Where a candidate is to be seen that no request meets by itself: the URL of its tag.

Source: Knative Serving, ``config-network``, the defaults ``{{.Tag}}-{{.Name}}`` of ``tag-template`` and
``{{.Name}}.{{.Namespace}}.{{.Domain}}`` of ``domain-template``: what stands behind the name is the ``domain`` of the
configuration.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.core.problems import Declined
from bot.core.text import code
from bot.core.traffic import CANDIDATE_TAG, Shape

if TYPE_CHECKING:
    from bot.core.traffic import Split
    from bot.service.desk import Desk

_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"


def preview(desk: Desk, service: str, split: Split, candidate: str) -> str:
    """Say where a candidate at 0 % is to be seen; empty where its split has no tags.

    Args:
        desk: The look's tools.
        service: The service's name.
        split: As the block has it, or will have it.
        candidate: The revision that is tried.
    """
    if split.shape is not Shape.TARGETS:
        return ""
    tags = [t.tag for t in split.targets if t.tag and not t.floats and t.revision == candidate]
    only = f"At 0 % only the tag's URL leads to {code(candidate)}"
    if not tags:
        return ""
    tag = CANDIDATE_TAG if CANDIDATE_TAG in tags else tags[0]
    domain = _domain(desk, service)
    if domain and all(re.fullmatch(_LABEL, name, re.ASCII) for name in (tag, service)):
        return f"{only}: https://{tag}-{service}.{domain}"
    return f"{only}: {code(f'https://{tag}-{service}.DOMAIN')}, where your platform has its default names."


def _domain(desk: Desk, service: str) -> str:
    try:
        return desk.config().domain_for(service)
    except Declined:
        return ""  # that the configuration is broken is said where it matters
