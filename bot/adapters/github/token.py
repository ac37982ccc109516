"""GitHub with a token that was handed over: ``GITHUB_TOKEN`` of a workflow, or an App's installation token.

There is no key, so nothing can be renewed and nothing asked of the App itself: who the token is
follows from the App's slug. Source: docs.github.com, "Automatic token authentication" (GITHUB_TOKEN
is an installation token of the App ``github-actions``), "Generating an installation access token".
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from bot.adapters.github.authorship import BySlug
from bot.adapters.github.client import Client, Wire
from bot.adapters.github.credentials import Credentials
from bot.adapters.github.forge import is_name, web_address
from bot.adapters.github.memory import Memory
from bot.adapters.github.redaction import Redactor
from bot.adapters.github.statuses import TokenRepository
from bot.ports import Missing, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bot.adapters.github.client import Answer
    from bot.ports import Clock, Repository

WORKFLOWS = "github-actions"
"""The slug of the App that every workflow's ``GITHUB_TOKEN`` belongs to."""

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?", re.ASCII)
# Also the tokens of persons before 2021, forty hexadecimal digits: GitHub, "Behind GitHub's new authentication
# token formats".
_PERSONAL = re.compile(r"gh[pou]_.*|github_pat_.*|[0-9a-f]{40}", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_INSTALLATION = 0  # a token names no installation, and reaches only its own


class GivenToken(Credentials):
    """A token as it is, for as long as it lives."""

    def __init__(self, token: str) -> None:
        self._token = token

    @property
    def token_type(self) -> str:
        """``token``, as PyGithub sends it."""
        return "token"

    @property
    def token(self) -> str:
        """The token."""
        return self._token

    def refused(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - the App's key needs them
        """Say that there is no other one."""
        return False


@dataclass(slots=True)
class Introduction:
    """Who a token turned out to be, once GitHub's answer to a write told it.

    ``stranger`` says in words that it is another App than was said, and is empty as long as it is not.
    Safe to share between threads.
    """

    slug: str
    stranger: str = ""
    _lock: Lock = field(default_factory=Lock)

    def hear(self, data: Any) -> None:
        """Look whose work an answer shows: a reaction's or comment's user, a check run's App."""
        if not isinstance(data, dict):
            return
        user, app = data.get("user"), data.get("app")
        found = app.get("slug") if isinstance(app, dict) else None
        login = user.get("login") if isinstance(user, dict) else None
        if found is None and isinstance(login, str) and login.endswith("[bot]"):
            found = login.removesuffix("[bot]")
        if isinstance(found, str) and _SLUG.fullmatch(found) and found != self.slug:
            with self._lock:
                self.stranger = (
                    f"The token belongs to the App {found} and not to {self.slug}: name it in the input app-slug. "
                    "Otherwise the bot would not know its own answers again."
                )


class IntroducedClient(Client):
    """Sends no more writes once it is known that the token is another App's than was said.

    The bot would take its own comments and pull requests for somebody else's, and answer again in each run.
    The first write for a comment is a reaction, so that is found out before anything else is done.
    """

    def __init__(self, wire: Wire, credentials: Credentials, introduction: Introduction) -> None:
        super().__init__(wire, credentials)
        self._introduction = introduction

    def send(self, method: str, path: str, **more: Any) -> Answer:
        """Send a request; raises as ``Client.send``, and ``Refused`` for writes as a stranger."""
        if method != "GET" and self._introduction.stranger:
            raise Refused(self._introduction.stranger)
        answer = super().send(method, path, **more)
        if method == "POST":
            self._introduction.hear(answer.data)
        return answer

    def graphql(self, field: str, document: str, variables: Mapping[str, Any]) -> Any:
        """Send a document; raises as ``Client.graphql``, and ``Refused`` for mutations as a stranger."""
        if document.startswith("mutation") and self._introduction.stranger:
            raise Refused(self._introduction.stranger)
        return super().graphql(field, document, variables)


class TokenForge:
    """``bot.ports.Forge`` for one repository and one token. Safe to share between threads.

    Args:
        token: An installation token. A person's token is refused: the bot would act, and answer, as
            that person, and could not tell its own comments from theirs.
        repository: ``owner/name``.
        slug: The slug of the App that the token belongs to.
        base_url: The API's address: ``GITHUB_API_URL``.
        clock: Decides how long a rate limit lasts.
        web_url: The address of the pages: ``GITHUB_SERVER_URL``; worked out when it is not given.
        on_request: Hears method, path and status of each request on the wire (0: no answer).
        signed_commits_only: Take only commits with GitHub's signature for the App's own.
        evidence_url: Where a status leads to, which itself holds one line only.
        sleep: Waits between two tries of a read, for a second at most.

    Raises:
        ValueError: The token is a person's or none, or a name is none; in words, without the token.
    """

    def __init__(
        self,
        token: str,
        repository: str,
        *,
        slug: str = WORKFLOWS,
        base_url: str = "https://api.github.com",
        clock: Clock,
        web_url: str | None = None,
        on_request: Callable[[str, str, int], None] = lambda _method, _path, _status: None,
        signed_commits_only: bool = False,
        evidence_url: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not token or _PERSONAL.fullmatch(token):
            raise ValueError(
                "The token is missing or belongs to a person. Use the GITHUB_TOKEN of the workflow or the token of "
                "an App (actions/create-github-app-token): the bot must not act as a person."
            )
        if not _TOKEN.fullmatch(token):
            raise ValueError("The token holds a space, a line end or another character that no token has.")
        if not is_name(repository):
            raise ValueError("A repository is named owner/name.")
        if not _SLUG.fullmatch(slug):
            raise ValueError(
                "The slug of an App is the last part of the address of its page, in small letters."
            )
        self.redact = Redactor()
        self.redact.learn(token)
        self._wire = Wire(
            base_url=base_url.rstrip("/"),
            clock=clock,
            redact=self.redact,
            on_request=on_request,
            sleep=sleep,
        )
        self.caveats: set[str] = set()
        self._introduction = Introduction(slug)
        logging.getLogger("github.Requester").addFilter(self.redact)
        self._token = token
        self._repository = repository
        self._slug = slug
        self._memory = Memory(clock)
        self._web_url = (web_url or web_address(self._wire.base_url)).rstrip("/")
        self._signed_only = signed_commits_only
        self._evidence_url = evidence_url

    def repository(self, installation: int, name: str) -> Repository:  # noqa: ARG002 - the token decides
        """Give the repository, with a client of its own. Sends nothing.

        Raises:
            Missing: It is another repository than the token's.
        """
        if name.lower() != self._repository.lower():
            raise Missing(f"{name} is not the repository of this run.")
        client = IntroducedClient(self._wire, GivenToken(self._token), self._introduction)
        return TokenRepository(
            self._repository,
            _INSTALLATION,
            client=client,
            memory=self._memory,
            authorship=BySlug(self._slug, signed_only=self._signed_only),
            web_url=f"{self._web_url}/{self._repository}",
            evidence_url=self._evidence_url,
            starts_workflows=self.starts_workflows,
            caveats=self.caveats,
        )

    @property
    def stranger(self) -> str:
        """Say that the token turned out to be another App's than ``slug``; empty as long as it did not."""
        return self._introduction.stranger

    @property
    def starts_workflows(self) -> bool:
        """Whether workflows start on what this token pushes and opens: not on a workflow's own."""
        return self._slug != WORKFLOWS

    def repositories(self) -> Iterator[tuple[int, str]]:
        """Give the one repository."""
        yield _INSTALLATION, self._repository
