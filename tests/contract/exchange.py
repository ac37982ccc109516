"""What the referee judges, and what it says."""

from __future__ import annotations

from dataclasses import dataclass

NO_ANSWER = 0
GRAPHQL_PATH = "/graphql"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    ``path`` is below the API's root, as sent (percent-encoded, without query); ``query`` is raw,
    without ``?``; ``status`` is 0 when no answer came; ``content_type`` is the answer's.
    """

    method: str
    path: str
    query: str = ""
    status: int = NO_ANSWER
    request_body: bytes = b""
    response_body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that GitHub does not document.

    ``kind`` is one of ``path``, ``method``, ``parameter``, ``query``, ``request``, ``status``,
    ``response``, ``media``, ``webhook``, ``graphql``, and ``extra`` for a property of an answer or a
    payload that nothing describes. ``where`` is the operation (``GET /app``) or the event (``push``),
    the request itself where it has none.
    """

    kind: str
    where: str
    sentence: str
    status: int = NO_ANSWER

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.sentence}"
