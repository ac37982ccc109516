"""How the sandbox says no: with GitHub's status and GitHub's words."""

from __future__ import annotations

from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    """An answer that GitHub would give with a status of 400 or more.

    Args:
        status: The HTTP status.
        message: GitHub's ``message``.
        errors: GitHub's ``errors``: mappings with ``resource``, ``field``, ``code`` and sometimes
            ``message``, or plain sentences. Left out of the body when empty.
        headers: Headers of the answer, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = errors or []
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Give the JSON body."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors:
            body["errors"] = self.errors
        return {**body, "documentation_url": DOCUMENTATION, "status": str(self.status)}


def not_found() -> ApiError:
    """What is not there and what may not be seen look alike."""
    return ApiError(404, "Not Found")


def invalid(resource: str, field: str, code: str = "invalid", message: str = "", **more: Any) -> ApiError:
    """Give the 422 of a field; ``message`` is the sentence of a ``custom`` error."""
    error: dict[str, Any] = {"resource": resource, "field": field, "code": code, **more}
    if message:
        error["message"] = message
    return ApiError(422, "Validation Failed", [error])
