"""Names that follow from content: revisions, rollouts, branches.

The same content always gives the same name, so that a repeated command finds what
the first one made. Revision names are DNS-1035 labels of at most 63 characters that
begin with the service's name (Knative Serving v1, ``revision_validation.go``).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.validate import LONGEST_LABEL

HASH_LENGTH = 8
BRANCH_PREFIX = "canary/"


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def revision_name(service: str, template: Any) -> str:
    """Give ``<service>-<8 hex of the normalised template>``.

    Args:
        service: ``metadata.name``.
        template: ``spec.template`` as plain values, without ``metadata.name``. Key order, comments,
            quotes and styles play no part.

    Raises:
        Declined: ``name-too-long``.
    """
    name = f"{service}-{_digest(template)}"
    if len(name) > LONGEST_LABEL:
        raise Declined(
            Problem(
                "name-too-long",
                f"The revision name {code(name)} has {len(name)} characters, want at most {LONGEST_LABEL}.",
                "Set a shorter `spec.template.metadata.name` by hand; it must begin with the service's name.",
            )
        )
    return name


def is_generated(name: str, service: str) -> bool:
    """Whether a revision name has the shape of ours: service, dash, eight hex digits."""
    return re.fullmatch(rf"{re.escape(service)}-[0-9a-f]{{{HASH_LENGTH}}}", name, re.ASCII) is not None


def rollout_id(service_key: str, *, stable: str, candidate: str, pull: int, comment: int) -> str:
    """Give the id of a rollout, ``<service>-<8 hex>``.

    It is made of what began it, the comment included: the same revision may be tried again
    after a rollback, and that is another rollout.
    """
    # Names of routes may have dots; the id is a part of a branch's name and of many texts.
    name = re.sub(r"[^a-z0-9-]", "-", service_key.rpartition("/")[2], flags=re.ASCII)
    return f"{name}-{_digest([service_key, stable, candidate, pull, comment])}"


def step_branch(rollout: str, goal: int | str) -> str:
    """Give ``canary/<service>/<8 hex>/<weight>``, or ``…/rollback`` for ``goal="rollback"``."""
    service, _, digest = rollout.rpartition("-")
    return f"{BRANCH_PREFIX}{service}/{digest}/{goal}"


def edit_branch(service_key: str, comment: str) -> str:
    """Give ``canary/<service>/<8 hex>/traffic``, made of the service and the comment, like ``comment/7``."""
    name = service_key.rpartition("/")[2]
    return f"{BRANCH_PREFIX}{name}/{_digest([service_key, comment])}/traffic"


def rollout_of_branch(branch: str) -> tuple[str, str] | None:
    """Give (rollout id, goal) of a step branch, ``None`` for other branches."""
    shape = rf"canary/([a-z0-9-]+)/([0-9a-f]{{{HASH_LENGTH}}})/([0-9]+|rollback)"
    found = re.fullmatch(shape, branch, re.ASCII)
    return None if found is None else (f"{found[1]}-{found[2]}", found[3])
