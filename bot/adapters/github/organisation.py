"""The file of an organisation's ``.github`` repository, as an installation of one of its repositories sees it.

The repository has to be covered by the installation. Where it is not, or is not there, there is no file, and that is
believed for some minutes: otherwise every look would ask again.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.adapters.github.values import understood
from bot.ports import Missing, OrganisationFile, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.adapters.github.client import Client
    from bot.adapters.github.memory import Memory
    from bot.ports import File

NAME = ".github"
# GitHub's words (422) where a token is asked for a repository that the installation does not cover, and those of a
# stand-in that was written elsewhere.
_NOT_COVERED = re.compile(r"not accessible to (?:the parent|this) installation", re.ASCII)
_NOTHING = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}  # no such repository, or one without commits


class Organisation:
    """One owner's ``.github`` repository. Not to be shared between threads.

    Args:
        owner: Whose it is.
        installation: The installation through which it is seen.
        client: Makes a client that may read it.
        memory: Shared by all repositories of the forge.
        file: Reads a plain file of it at a commit.
    """

    def __init__(
        self,
        owner: str,
        installation: int,
        *,
        client: Callable[[], Client],
        memory: Memory,
        file: Callable[[Client, str, str], File | None],
    ) -> None:
        self._owner = owner
        self._scope = (installation, owner.lower())
        self._make = client
        self._client: Client | None = None
        self._memory = memory
        self._file = file

    def file(self, path: str, sha: str = "") -> OrganisationFile | None:
        """Give a file as it is now, by the commit that changed it last, or at a commit.

        One request for what is there, none for what was not a moment ago, none for a commit that is known.

        Raises:
            Refused: It is no plain file, or may not be read.
        """
        if not sha and self._is_known_to_have_none(path):
            return None
        at = sha
        try:
            if self._client is None:
                self._client = self._make()
            at = at or self._last_change(self._client, path)
            found = self._file(self._client, path, at) if at else None
        except Missing:
            found = None
        except Refused as refusal:
            if _NOT_COVERED.search(str(refusal)) is None:
                raise
            found = None
        if found is None:
            if not sha:
                self._memory.no_organisation_file.put((*self._scope, path), value=True)
            return None
        return OrganisationFile(at, found.content)

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()

    def _is_known_to_have_none(self, path: str) -> bool:
        if self._memory.owner_kinds.get(self._scope) == "User":
            return True
        return self._memory.no_organisation_file.get((*self._scope, path)) is not None

    def _last_change(self, client: Client, path: str) -> str:
        params: dict[str, str | int] = {"path": path, "per_page": 1}
        where = f"/repos/{quote(self._owner, safe='')}/{NAME}/commits"
        answer = client.send("GET", where, params=params, answers=_NOTHING)
        if answer.status in _NOTHING:
            return ""
        with understood("commits"):
            return str(answer.data[0]["sha"]) if answer.data else ""
