"""Who the bot is to GitHub: the App's key, and the tokens of its installations.

Source: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App" and "Create an
installation access token for an app"; ``reference/reliability.md`` 5.1, F17, F18.
"""

from __future__ import annotations

import abc
import email.utils
import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github.Auth import AppAuth, Auth

from bot.core.problems import OutsideFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.adapters.github.client import Client
    from bot.adapters.github.redaction import Redactor
    from bot.ports import Clock

RENEW_BEFORE = timedelta(minutes=5)
_JWT_SINCE = timedelta(seconds=60)  # before now, for a clock that is a little fast
_JWT_UNTIL = timedelta(minutes=9)  # GitHub takes ten at most
_TOLERATED_SKEW = timedelta(seconds=30)
_SMALLEST_KEY = 2048  # bits

log = logging.getLogger(__name__)


class Credentials(Auth, abc.ABC):
    """PyGithub's authentication, which can also hear that it was refused."""

    @abc.abstractmethod
    def refused(self, headers: Mapping[str, str]) -> bool:
        """Take note of a 401; say whether the next try would show other credentials."""


class AppKey(Credentials):
    """The App itself: a JSON Web Token, made anew for each request with a key that was read once.

    Args:
        app_id: The App's id, or its client id.
        private_key_pem: The key that GitHub gave, PEM.
        clock: The time; corrected by GitHub's own when GitHub refuses.

    Raises:
        ValueError: The text is no RSA key. The message does not hold it.
    """

    def __init__(self, app_id: int | str, private_key_pem: str, clock: Clock) -> None:
        self._clock = clock
        self._skew = timedelta(0)
        self._key = _read_key(private_key_pem)
        # PyGithub reads the system's clock for the claims; the bot's own clock is put in while signing.
        self._auth = AppAuth(app_id, sign_func=self._sign)

    @property
    def token_type(self) -> str:
        """``Bearer``."""
        return self._auth.token_type

    @property
    def token(self) -> str:
        """A token for now."""
        return self._auth.token

    def _sign(self, claims: dict[str, Any]) -> str:
        now = self._clock.now() + self._skew
        times = {"iat": int((now - _JWT_SINCE).timestamp()), "exp": int((now + _JWT_UNTIL).timestamp())}
        return jwt.encode(claims | times, self._key, algorithm="RS256")

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Set the clock by GitHub's ``Date`` if it is off, which is the usual reason of a 401."""
        try:
            theirs = email.utils.parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
        except (TypeError, ValueError):
            return False
        skew = theirs - self._clock.now()
        if abs(skew - self._skew) <= _TOLERATED_SKEW:
            return False
        log.warning("the clock differs from GitHub's by %.0f s", skew.total_seconds())
        self._skew = skew
        return True


def _read_key(pem: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _SMALLEST_KEY:
        # Nothing of the text is repeated, and nothing is chained that might.
        raise ValueError(
            "The App's private key is not an RSA key of 2048 bits or more in PEM form."
        ) from None
    return key


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    expires_at: datetime


class Tokens:
    """The installation tokens, one for each (installation, repository). Safe to share between threads.

    Args:
        as_app: Makes a client that is the App.
        clock: Decides when a token is renewed: five minutes before it ends.
        redact: Learns each token.
        permissions: What a token for a repository may do; never more.
    """

    def __init__(
        self, as_app: Callable[[], Client], clock: Clock, redact: Redactor, permissions: Mapping[str, str]
    ) -> None:
        self._as_app = as_app
        self._clock = clock
        self._redact = redact
        self._permissions = dict(permissions)
        self._tokens: dict[tuple[int, str], _Token] = {}
        self._locks: dict[tuple[int, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, installation: int, repository: str) -> str:
        """Give a token for one repository, or for all with metadata only when it is empty.

        Args:
            installation: The installation's id.
            repository: The name without the owner.

        Raises:
            Missing: There is no such installation (any more).
            Refused: It is suspended, or does not grant what is asked for.
            OutsideFailure: GitHub did not answer.
        """
        key = (installation, repository.lower())
        with self._lock:
            if (token := self._live(key)) is not None:
                return token.value
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:  # one thread asks, the others wait for its answer
            with self._lock:
                token = self._live(key)
            if token is None:
                token = self._mint(installation, repository)
                self._redact.learn(token.value)
                with self._lock:
                    self._tokens[key] = token
                    self._forget_old()
            return token.value

    def discard(self, installation: int, repository: str, value: str) -> None:
        """Forget a token that GitHub refused, unless another one took its place already."""
        key = (installation, repository.lower())
        with self._lock:
            token = self._tokens.get(key)
            if token is not None and token.value == value:
                del self._tokens[key]

    def _live(self, key: tuple[int, str]) -> _Token | None:
        token = self._tokens.get(key)
        return token if token is not None and self._clock.now() < token.expires_at - RENEW_BEFORE else None

    def _forget_old(self) -> None:
        now = self._clock.now()
        for key in [k for k, t in self._tokens.items() if t.expires_at <= now]:
            del self._tokens[key]
            # A lock that somebody waits for stays with them; two threads may then ask twice, no more.
            self._locks.pop(key, None)

    def _mint(self, installation: int, repository: str) -> _Token:
        body: dict[str, Any] = (
            {"repositories": [repository], "permissions": self._permissions}
            if repository
            else {"permissions": {"metadata": "read"}}
        )
        client = self._as_app()
        try:
            path = f"/app/installations/{installation:d}/access_tokens"
            answer = client.send("POST", path, body=body)
        finally:
            client.close()
        try:
            value, ends = (
                answer.data["token"],
                datetime.fromisoformat(answer.data["expires_at"]).astimezone(UTC),
            )
        except (KeyError, TypeError, ValueError):
            raise OutsideFailure("GitHub's answer holds no installation token.") from None
        if answer.status != HTTPStatus.CREATED or not isinstance(value, str) or not value:
            raise OutsideFailure("GitHub's answer holds no installation token.")
        return _Token(value, ends)


class Installation(Credentials):
    """One installation, narrowed to one repository (or to none but their names)."""

    def __init__(self, tokens: Tokens, installation: int, repository: str) -> None:
        self._tokens = tokens
        self._installation = installation
        self._repository = repository
        self._shown = ""

    @property
    def token_type(self) -> str:
        """``token``, as PyGithub sends it."""
        return "token"

    @property
    def token(self) -> str:
        """A token that is good for five minutes at least; raises as ``Tokens.get``."""
        self._shown = self._tokens.get(self._installation, self._repository)
        return self._shown

    def refused(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - the App's key needs them
        """Forget the token that was shown last; there will be a new one."""
        self._tokens.discard(self._installation, self._repository, self._shown)
        return True
