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

CONTENT_HASH = "content-hash"
_WAYS = {
    CONTENT_HASH: "{service}-{hash}",
    "commit-sha": "{service}-{sha7}",
    "image-tag": "{service}-{tag}",
}
_SHORT = 7  # digits of a sha in a name
_LABEL = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
# Of ``host:port/path:tag@digest``: Distribution, "Image reference", 128 characters at most.
_IMAGE_TAG = re.compile(r":([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$", re.ASCII)
HASH_LENGTH = 8
BRANCH_PREFIX = "canary/"


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def template_digest(template: Any) -> str:
    """Give 8 hex of a normalised template: key order, comments, quotes and styles play no part."""
    return _digest(template)


def revision_name(service: str, template: Any, way: str = CONTENT_HASH, *, commit: str = "") -> str:
    """Give the name of a template's revision, by default ``<service>-<8 hex of the normalised template>``.

    Args:
        service: ``metadata.name``.
        template: ``spec.template`` as plain values, without ``metadata.name``.
        way: ``naming`` of the configuration: ``content-hash``, ``commit-sha``, ``image-tag``, or a text with
            ``{service}``, ``{sha7}``, ``{hash}`` and ``{tag}`` in it.
        commit: The full sha of the commit that brings the template, for a way that names it.

    Raises:
        Declined: ``name-too-long``, ``naming-impossible``.
    """
    pattern = _WAYS.get(way, way)
    values = {"service": service, "hash": _digest(template)}
    if "{sha7}" in pattern:
        values["sha7"] = commit[:_SHORT]
    if "{tag}" in pattern:
        values["tag"] = _tag(template, way)
    name = re.sub(r"\{([a-z0-9]+)\}", lambda found: values.get(found[1], ""), pattern)
    if len(name) > LONGEST_LABEL:
        raise Declined(
            Problem(
                "name-too-long",
                f"The revision name {code(name)} has {len(name)} characters, want at most {LONGEST_LABEL}.",
                "Set a shorter `spec.template.metadata.name` by hand; it must begin with the service's name.",
            )
        )
    if way != CONTENT_HASH and _LABEL.fullmatch(name) is None:
        raise _impossible(way, f"it would be {code(name)}, which is no name of a revision")
    return name


def names_commit(way: str) -> bool:
    """Whether a way needs the commit that brings the template."""
    return "{sha7}" in _WAYS.get(way, way)


def _tag(template: Any, way: str) -> str:
    """Give the tag of a template's image as a part of a name: small letters, digits and ``-``.

    Of several containers the one with ``ports`` is meant, as Knative routes to it.
    """
    spec = template.get("spec") if isinstance(template, dict) else None
    found = spec.get("containers") if isinstance(spec, dict) else None
    containers = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    serving = [one for one in containers if one.get("ports")] if len(containers) > 1 else containers
    if len(serving) != 1:
        raise _impossible(way, f"{len(containers)} containers, and none of them is the one that is served")
    image = str(serving[0].get("image") or "")
    tag = _IMAGE_TAG.search(image.partition("@")[0])
    if tag is None:
        raise _impossible(way, f"the image {code(image)} has no tag")
    part = re.sub(r"[^a-z0-9-]+", "-", tag[1].lower()).strip("-")
    if not part:
        raise _impossible(way, f"nothing of the tag of {code(image)} can stand in a name")
    return part


def _impossible(way: str, why: str) -> Declined:
    return Declined(
        Problem(
            "naming-impossible",
            f"`naming: {way}` gives this candidate no name: {why}.",
            "Set a new `spec.template.metadata.name` by hand; it must begin with the service's name.",
        )
    )


def belongs(name: str, service: str, template: Any, digest: str = "") -> bool:
    """Whether a name that the bot made still belongs to a template.

    Args:
        name: The revision's.
        service: ``metadata.name``.
        template: As it is now.
        digest: That of the template which the name was made for, empty for a name that says so itself.
    """
    return _digest(template) == digest if digest else revision_name(service, template) == name


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
