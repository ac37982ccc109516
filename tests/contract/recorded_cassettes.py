"""Real exchanges with GitHub, recorded by the makers of github3.py and read from its source distribution.

The files of ``tests/cassettes`` are in the format of the library betamax: JSON, with bodies as text or as
Base64, often packed by gzip.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was recorded; ``target`` is path and query, ``sent`` the body's text."""

    method: str
    host: str
    target: str
    accept: str
    sent: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it was recorded; the names of ``headers`` are small."""

    status: int
    headers: dict[str, str]
    text: str


def read_cassette(file: Path) -> Iterator[tuple[Asked, Answered]]:
    """Read the exchanges of one file."""
    for one in json.loads(file.read_text("utf-8"))["http_interactions"]:
        asked, answered = one["request"], one["response"]
        url = urlsplit(asked["uri"])
        # Two versions of the format: a status with its words, and the number alone.
        status = answered["status"]["code"] if "status" in answered else answered["status_code"]
        yield (
            Asked(
                method=asked["method"],
                host=url.netloc,
                target=f"{url.path}?{url.query}" if url.query else url.path,
                accept=_headers(asked).get("accept", ""),
                sent=_text(asked["body"]),
            ),
            Answered(int(status), _headers(answered), _text(answered.get("body", ""))),
        )


def _headers(one: dict[str, Any]) -> dict[str, str]:
    return {
        name.lower(): value if isinstance(value, str) else ", ".join(value)
        for name, value in one["headers"].items()
    }


def _text(body: Any) -> str:
    if isinstance(body, str):
        return body
    if "base64_string" not in body:
        return str(body.get("string", ""))
    raw = base64.b64decode(body["base64_string"])
    return (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8", "replace")
