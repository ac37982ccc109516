"""How often the referee objects to GitHub itself: it judges real recordings, and each objection has its reason.

A rule of the referee that real answers break says nothing against the sandbox. Recordings are of 2023 or
later, of operations that the sandbox serves.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.contract.exchange import Exchange
from tests.contract.recorded import Recording, of_operations
from tests.contract.recorded_shapes import RECENT
from tests.contract.referee import referee

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.exchange import Violation


@dataclass(frozen=True, slots=True)
class Objection:
    """Objections that are understood: ``said`` is searched in ``kind: where: sentence``."""

    said: str
    reason: str


OBJECTIONS = (
    Objection(
        r"^path: GET /repositories/\d+",
        "GitHub's own links lead to `/repositories/{id}/…`, which it does not describe",
    ),
    Objection(
        r'^response: .*"verified_at" is a required property', "GitHub added the key after the recording"
    ),
    Objection(
        r"""^response: .*("…"|is not a "uri"|is a required property)""",
        "the client's makers cut addresses and persons out of the recording",
    ),
    Objection(
        r"^response: GET /users/\{username\}: 200 must have a body", "the client's makers cut the body"
    ),
    Objection(
        r"^response: .*\.head\.(label|user|repo): null is not of type",
        "the fork of the pull request was deleted; GitHub describes it as always there",
    ),
    Objection(
        r"^status: .*: 304 is not documented",
        "an answer to a condition, which GitHub describes for few operations",
    ),
    Objection(
        r"^extra: .*\.(security_and_analysis|resources): ",
        "GitHub sends keys that it does not describe",
    ),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """How many recordings were judged, how many objected to, and each objection with its recording."""

    recordings: int
    flagged: int
    objections: tuple[tuple[Recording, str], ...]


@cache
def judged() -> Judged:
    """Judge recent recordings of the operations that the sandbox serves. Raises ``Unavailable``."""
    recent = [
        one
        for ones in of_operations().values()
        for one in ones
        if one.year >= RECENT and one.host == "api.github.com"
    ]
    objections = [(one, said) for one in recent for said in _objections(one)]
    return Judged(len(recent), len({id(one) for one, _ in objections}), tuple(objections))


def reason_of(said: str) -> Objection | None:
    """Give the reason of an objection, ``None`` where there is none."""
    return next((one for one in OBJECTIONS if re.search(one.said, said, re.DOTALL)), None)


def _objections(one: Recording) -> Iterator[str]:
    exchange = Exchange(
        method=one.method,
        path=quote(one.path),
        query=urlencode(one.query),
        status=one.status,
        request_body=_bytes(one.sent),
        response_body=_bytes(one.body),
        content_type=one.headers.get("content-type", ""),
    )
    for violation in referee().judge(exchange):
        yield _said(violation)


def _said(violation: Violation) -> str:
    return f"{violation.kind}: {violation.where}: {violation.sentence}"


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return (body if isinstance(body, str) else json.dumps(body)).encode()
