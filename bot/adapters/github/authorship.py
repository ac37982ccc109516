"""What is ours: decided by identity alone, never by a text."""

from __future__ import annotations

import abc
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.adapters.github.values import actor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.ports import Actor


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """The App as GitHub knows it: its number, and the account that its work is done under."""

    app_id: int
    user_id: int


class Authorship(abc.ABC):
    """Tells our comments, commits, pull requests and checks from everybody else's.

    Args:
        signed_only: Whether a commit must also bear GitHub's signature. An author is a line of text
            that anybody may write; a signature is not, but an Enterprise Server may not sign.
    """

    def __init__(self, *, signed_only: bool = False) -> None:
        self._signed_only = signed_only

    @property
    @abc.abstractmethod
    def of_runs(self) -> Mapping[str, int]:
        """The part of a query that lists this App's check runs, as far as one can ask for it."""

    @abc.abstractmethod
    def _is_account(self, bot: Actor) -> bool: ...

    @abc.abstractmethod
    def is_app(self, app: Any) -> bool:
        """Say whether an App, as it stands beside a comment or a check run, is this one."""

    def is_ours(self, user: Any) -> bool:
        """Say whether an account is the App's own."""
        who = actor(user)
        return who.is_bot and self._is_account(who)

    def comment_is_ours(self, data: Any) -> bool:
        """Say whether the App wrote a comment: by author and, where it is told, by App."""
        if not self.is_ours(data["user"]):
            return False
        app = data.get("performed_via_github_app")
        return app is None or self.is_app(app)

    def run_is_ours(self, data: Any) -> bool:
        """Say whether the App made a check run."""
        return self.is_app(data.get("app"))

    def commit_is_ours(self, data: Any) -> bool:
        """Say whether GitHub attributes a commit to the App."""
        # The author is null for an e-mail address without account, and ``{}`` in old answers.
        if not data.get("author") or not self.is_ours(data["author"]):
            return False
        return not self._signed_only or (data["commit"].get("verification") or {}).get("verified") is True


class ByKey(Authorship):
    """The App whose private key is at hand: GitHub itself says who that is.

    Args:
        identity: Gives the App's identity. Asked only when an account is a bot at all.
        app_id: The App's number, where it is known without asking.
        signed_only: See ``Authorship``.
    """

    def __init__(
        self, identity: Callable[[], Identity], *, app_id: int | None = None, signed_only: bool = False
    ) -> None:
        super().__init__(signed_only=signed_only)
        self._identity = identity
        self._app_id = app_id

    @property
    def of_runs(self) -> Mapping[str, int]:
        """The App's number."""
        return {"app_id": self._number}

    @property
    def _number(self) -> int:
        return self._identity().app_id if self._app_id is None else self._app_id

    def _is_account(self, bot: Actor) -> bool:
        return bot.id == self._identity().user_id

    def is_app(self, app: Any) -> bool:
        """Compare the number."""
        return bool((app or {}).get("id") == self._number)


class BySlug(Authorship):
    """The App that a token was made for, known by its slug. Nothing is asked for.

    No person can have such a login: GitHub gives ``[bot]`` to Apps only, and one App has a slug at a time.

    Args:
        slug: The last part of the address of the App's page.
        signed_only: See ``Authorship``.
    """

    def __init__(self, slug: str, *, signed_only: bool = False) -> None:
        super().__init__(signed_only=signed_only)
        self._slug = slug

    @property
    def of_runs(self) -> Mapping[str, int]:
        """Nothing: runs are asked for by number, which a slug does not tell."""
        return {}

    def _is_account(self, bot: Actor) -> bool:
        return bot.login == f"{self._slug}[bot]"

    def is_app(self, app: Any) -> bool:
        """Compare the slug."""
        return bool((app or {}).get("slug") == self._slug)

    def run_is_ours(self, data: Any) -> bool:
        """Say whether the bot made a check run, and not a job.

        To GitHub, each job of a workflow is a check run of the same App. A job may have the name of one of
        our checks, bears a UUID as its external id, and cannot be changed by anybody.
        """
        return self.is_app(data.get("app")) and not _UUID.fullmatch(data.get("external_id") or "")
