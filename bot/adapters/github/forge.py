"""GitHub as one App sees it: the repositories of its installations."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.adapters.github.authorship import ByKey
from bot.adapters.github.client import Client, Wire
from bot.adapters.github.credentials import AppKey, Installation, Tokens
from bot.adapters.github.memory import Memory
from bot.adapters.github.organisation import NAME as ORGANISATION
from bot.adapters.github.redaction import Redactor
from bot.adapters.github.values import understood
from bot.adapters.github.writing import GitHubRepository
from bot.ports import Missing, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bot.ports import Clock, Repository

# reference/reliability.md 5.1. Comments, labels and reactions of a pull request need no "issues".
PERMISSIONS = {"contents": "write", "pull_requests": "write", "checks": "write", "metadata": "read"}
# Only for asking who is in a team, and only where a configuration names one: an installation need not grant it.
TEAMS = {"metadata": "read", "members": "read"}
# Only for looking into a merge queue, and only where a branch has one: an older installation may not grant it yet.
QUEUES = {"metadata": "read", "contents": "read", "pull_requests": "read", "merge_queues": "read"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+", re.ASCII)

log = logging.getLogger(__name__)


class GitHubForge:
    """``bot.ports.Forge`` on GitHub or GitHub Enterprise Server. Safe to share between threads.

    Args:
        app_id: The App's id, or its client id.
        private_key_pem: The App's private key, PEM.
        base_url: The API's address: ``GITHUB_API_URL``.
        clock: Decides when tokens are renewed and how long a rate limit lasts.
        web_url: The address of the pages; worked out from ``base_url`` when it is not given.
        on_request: Hears method, path and status of each request on the wire (0: no answer), from
            any thread.
        permissions: What a repository's token may do.
        signed_commits_only: Take only commits with GitHub's signature for the App's own.
        timeout: Seconds for connecting, and for each read.
        sleep: Waits between two tries of a read, for a second at most.

    Raises:
        ValueError: The key is no RSA key.
    """

    def __init__(
        self,
        app_id: int | str,
        private_key_pem: str | SecretStr,
        base_url: str = "https://api.github.com",
        *,
        clock: Clock,
        web_url: str | None = None,
        on_request: Callable[[str, str, int], None] = lambda _method, _path, _status: None,
        permissions: Mapping[str, str] | None = None,
        signed_commits_only: bool = False,
        timeout: int = 15,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        secret = private_key_pem
        pem = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        self.redact = Redactor()
        self.redact.learn(pem)
        self._wire = Wire(
            base_url=base_url.rstrip("/"),
            clock=clock,
            timeout=timeout,
            redact=self.redact,
            on_request=on_request,
            sleep=sleep,
        )
        # At DEBUG, PyGithub logs whole answers, and one of them is the token.
        logging.getLogger("github.Requester").addFilter(self.redact)
        self._app_id = int(app_id) if re.fullmatch(r"[0-9]+", str(app_id), re.ASCII) else None
        self._key = AppKey(app_id, pem, clock)
        self._tokens = Tokens(self._as_app, clock, self.redact, permissions or PERMISSIONS)
        self._team_tokens = Tokens(self._as_app, clock, self.redact, TEAMS)
        self._queue_tokens = Tokens(self._as_app, clock, self.redact, QUEUES)
        self._memory = Memory(clock)
        self._web_url = (web_url or web_address(self._wire.base_url)).rstrip("/")
        self._signed_only = signed_commits_only

    def repository(self, installation: int, name: str) -> Repository:
        """Give one repository, with a client of its own. Sends nothing.

        Raises:
            ValueError: ``name`` is not of the form ``owner/name``.
        """
        if not is_name(name):
            raise ValueError("A repository is named owner/name.")
        own = name.partition("/")[2]
        client = Client(self._wire, Installation(self._tokens, installation, own))
        return GitHubRepository(
            name,
            installation,
            client=client,
            memory=self._memory,
            authorship=ByKey(
                lambda: self._memory.identity(self._as_app, client),
                app_id=self._app_id,
                signed_only=self._signed_only,
            ),
            web_url=f"{self._web_url}/{name}",
            organisation=lambda: Client(self._wire, Installation(self._tokens, installation, ORGANISATION)),
            teams=lambda: Client(self._wire, Installation(self._team_tokens, installation, own)),
            queues=lambda: Client(self._wire, Installation(self._queue_tokens, installation, own)),
        )

    def repositories(self) -> Iterator[tuple[int, str]]:
        """Give (installation, ``owner/name``) of all that the App may see and change.

        Suspended installations and archived repositories are left out.

        Raises:
            OutsideFailure: GitHub did not answer.
        """
        app = self._as_app()
        try:
            found = list(app.pages("/app/installations"))
        finally:
            app.close()
        with understood("the App's installations"):
            numbers = [int(one["id"]) for one in found if not one.get("suspended_at")]
        for installation in numbers:
            client = Client(self._wire, Installation(self._tokens, installation, ""))
            try:
                listed = list(client.pages("/installation/repositories", key="repositories"))
            except (Missing, Refused) as gone:
                # Uninstalled or suspended since the list was made; the others still count.
                log.warning("installation %d is left out: %s", installation, gone)
                continue
            finally:
                client.close()
            with understood("an installation's repositories"):
                names = [str(one["full_name"]) for one in listed if not one.get("archived")]
            yield from ((installation, name) for name in names)

    def _as_app(self) -> Client:
        # A 401 says that nothing was done, so also a token may be asked for twice.
        return Client(self._wire, self._key, renew=("GET", "POST"))


def is_name(text: str) -> bool:
    """Say whether a text is of the form ``owner/name``."""
    return _NAME.fullmatch(text) is not None


def web_address(base_url: str) -> str:
    """Give the address of the pages: github.com, a data-residency host, or an Enterprise Server."""
    if match := re.fullmatch(r"(https?://)api\.(github\.com|[a-z0-9-]+\.ghe\.com)", base_url):
        return match[1] + match[2]
    return base_url.removesuffix("/api/v3")
