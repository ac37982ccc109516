"""One PyGithub client, with the rules of sending.

Reads are tried again when GitHub stumbles; writes are sent once, because an answer that was
lost says nothing about what was done (``reference/reliability.md`` F08). PyGithub's own retries
stay off: they repeat POST, sleep for as long as ``Retry-After`` says, and cannot be counted.
Its objects stay unused for the same reason: they complete themselves with requests nobody sees.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import github
import requests
import urllib3
from github.Requester import Requester

from bot.adapters.github.redaction import Redactor
from bot.core.problems import OutsideFailure
from bot.core.text import printable
from bot.ports import Missing, Moved, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from bot.adapters.github.credentials import Credentials
    from bot.ports import Clock

PER_PAGE = 100
_PAGES = 200  # a list that goes on after 20,000 entries is not one of ours
_STUMBLES = frozenset({500, 502, 503, 504})
_PAUSES = (0.2, 0.8)  # seconds before the second and the third try of a read
_UNNAMED_WAIT = 60.0  # seconds; GitHub's advice for a limit without a time
_LONGEST_WAIT = 3_900.0  # seconds; a primary limit resets within the hour
_MEDIA_TYPE = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wire:
    """How all clients of one forge talk.

    ``on_request`` hears the method, the path and the status of every request on the wire,
    0 where no answer came. ``timeout`` is in seconds, for connecting and for each read.
    """

    base_url: str
    clock: Clock
    timeout: int = 15
    user_agent: str = "canary-bot"
    redact: Redactor = field(default_factory=Redactor)
    on_request: Callable[[str, str, int], None] = lambda _method, _path, _status: None
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub said. ``data`` is JSON of any kind, ``None`` for an empty body."""

    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def message(self) -> str:
        """GitHub's own words, untrusted; empty when there are none."""
        message = self.data.get("message") if isinstance(self.data, dict) else None
        return message if isinstance(message, str) else ""

    @property
    def codes(self) -> frozenset[str]:
        """The codes of a validation error (422) that is about no single field."""
        errors = self.data.get("errors") if isinstance(self.data, dict) else None
        found = errors if isinstance(errors, list) else []
        codes = (e.get("code") for e in found if isinstance(e, dict) and not e.get("field"))
        return frozenset(code for code in codes if isinstance(code, str))


class NoAnswer(OutsideFailure):
    """The request has no usable answer. ``again`` says that trying at once may help."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


class Client:
    """Sends requests with one set of credentials. Not to be shared between threads.

    Args:
        wire: The forge's way of talking.
        credentials: Who the client is.
        renew: The methods that are sent once more, with better credentials, after a 401.
    """

    def __init__(self, wire: Wire, credentials: Credentials, *, renew: Collection[str] = ("GET",)) -> None:
        self._wire = wire
        self._credentials = credentials
        self._renew = frozenset(renew)
        # PyGithub waits between requests and repeats writes unless it is told not to.
        self._github = github.Github(
            auth=credentials,
            base_url=wire.base_url,
            timeout=wire.timeout,
            user_agent=wire.user_agent,
            per_page=PER_PAGE,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )

    def said(self, answer: Answer) -> str:
        """Give GitHub's own words on one line, without secrets; empty when there are none."""
        return printable(" ".join(self._wire.redact(answer.message).split()))

    def close(self) -> None:
        """Let go of the connection."""
        self._github.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        answers: Collection[int] = (),
    ) -> Answer:
        """Send a request and give the answer.

        Args:
            method: The HTTP method.
            path: The path below the base URL, quoted.
            params: The query.
            body: What is sent as JSON.
            answers: Statuses of 400 and more that the caller wants to see itself.

        Raises:
            OutsideFailure: No answer, a limit, credentials that were refused, or a fault of GitHub's.
            Missing: 404, 410.
            Moved: 409.
            Refused: Any other 4xx.
        """
        answer = self._tried(method, path, params, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            better = self._credentials.refused(answer.headers)
            if better and method in self._renew:
                answer = self._tried(method, path, params, body)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        limit = _limit(answer, self._wire.clock)
        if limit is None and answer.status in answers:
            return answer
        raise self._failure(f"{method} {path}", answer, limit)

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Give the JSON of a GET; raises as ``send``."""
        return self.send("GET", path, params=params).data

    def graphql(self, field: str, document: str, variables: Mapping[str, Any]) -> Any:
        """Send one document and give what its one ``field`` holds.

        GitHub answers 200 also where a document fails; then ``errors`` say why.
        Source: docs.github.com, "Forming calls with GraphQL", "Rate limits for the GraphQL API".

        Raises:
            OutsideFailure: As ``send``, and for an answer of another shape.
            Missing: No such object, or none that may be seen.
            Moved: The head is another one.
            Refused: Any other failure.
        """
        body = {"query": document, "variables": variables}
        answer = self._once("POST", self._github.requester.graphql_url, None, body)
        limit = _limit(answer, self._wire.clock)
        if limit is not None or answer.status != HTTPStatus.OK:
            raise self._failure(f"GraphQL {field}", answer, limit)
        told = answer.data if isinstance(answer.data, dict) else {}
        errors = [one for one in told.get("errors") or () if isinstance(one, dict)]
        if errors:
            raise self._failed_document(errors[0])
        data = told.get("data")
        if not isinstance(data, dict) or data.get(field) is None:
            raise Missing(f"GraphQL {field}: nothing there")
        return data[field]

    def _failed_document(self, error: Mapping[str, Any]) -> Exception:
        said = printable(" ".join(self._wire.redact(str(error.get("message", ""))).split()))
        match error.get("type"):
            case "RATE_LIMITED":
                return OutsideFailure("GraphQL: GitHub's rate limit.", retry_after=_UNNAMED_WAIT)
            case "NOT_FOUND":
                return Missing(said)
            case _ if said.lower().startswith("pull request head branch was modified"):
                return Moved(said)  # GitHub has no type of its own for it
        return Refused(said)

    def pages(
        self, path: str, params: Mapping[str, str | int] | None = None, *, key: str | None = None
    ) -> Iterator[Any]:
        """Give the entries of a list, page after page; ``key`` is where they are in the answer.

        Raises:
            OutsideFailure: As ``send``, and for an answer that is no list.
        """
        page = 1
        while page <= _PAGES:
            query = {**(params or {}), "per_page": PER_PAGE} | ({"page": page} if page > 1 else {})
            answer = self.send("GET", path, params=query)
            entries = answer.data.get(key) if key and isinstance(answer.data, dict) else answer.data
            if not isinstance(entries, list):
                raise OutsideFailure(f"GET {path}: GitHub's answer is no list.")
            yield from entries
            # Only the number is taken from the link: GitHub writes other paths there, and no
            # address from an answer is ever followed.
            link = re.search(
                r'[?&]page=(\d{1,6})[^<>]*>;\s*rel="next"', answer.headers.get("link", ""), re.ASCII
            )
            if link is None or int(link[1]) <= page:
                return
            page = int(link[1])

    def _tried(
        self, method: str, path: str, params: Mapping[str, str | int] | None, body: Mapping[str, Any] | None
    ) -> Answer:
        for pause in _PAUSES if method == "GET" else ():
            try:
                answer = self._once(method, path, params, body)
            except NoAnswer as failure:
                if not failure.again:
                    raise
            else:
                if answer.status not in _STUMBLES or "retry-after" in answer.headers:
                    return answer
            self._wire.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, hides nothing
        return self._once(method, path, params, body)

    def _once(
        self, method: str, path: str, params: Mapping[str, str | int] | None, body: Mapping[str, Any] | None
    ) -> Answer:
        told = 0
        what = f"{method} {path}"
        try:
            # The exceptions are not chained: they hold the request, and with it the token.
            status, headers, text = self._github.requester.requestJson(
                method, path, parameters=dict(params or {}), headers=dict(_MEDIA_TYPE), input=body
            )
            told = status
        except requests.Timeout:
            raise NoAnswer(f"{what}: GitHub did not answer in time.", again=False) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise NoAnswer(f"{what}: no answer ({type(error).__name__}).", again=True) from None
        except RuntimeError:
            # PyGithub's word for a redirection to another host or scheme.
            raise NoAnswer(f"{what}: redirected; is the base URL right?", again=False) from None
        finally:
            self._wire.on_request(method, path, told)
        try:
            data = json.loads(text) if text else None
        except (ValueError, RecursionError):
            if status < HTTPStatus.BAD_REQUEST:
                raise NoAnswer(f"{what}: status {status}, but no JSON.", again=False) from None
            data = None  # an error page of something in between; the status says enough
        return Answer(status, headers, data)

    def _failure(self, what: str, answer: Answer, limit: float | None) -> Exception:
        status = answer.status
        if limit is not None:
            return OutsideFailure(f"{what}: GitHub's rate limit ({status}).", retry_after=limit)
        said = self.said(answer) or "no reason given"
        text = f"{what}: {status} {said}"
        if status == HTTPStatus.UNAUTHORIZED:
            return OutsideFailure(f"{what}: GitHub refused the App's credentials (401).")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
            return OutsideFailure(f"{what}: GitHub answered {status}.", retry_after=_named_wait(answer))
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return Missing(text)
        if status == HTTPStatus.REQUEST_TIMEOUT:
            return OutsideFailure(text)
        return Moved(text) if status == HTTPStatus.CONFLICT else Refused(said)


def _named_wait(answer: Answer) -> float | None:
    value = answer.headers.get("retry-after", "")
    return min(float(value), _LONGEST_WAIT) if re.fullmatch(r"\d{1,6}", value, re.ASCII) else None


def _limit(answer: Answer, clock: Clock) -> float | None:
    """Give the seconds to wait when the answer is a rate limit, else ``None``.

    Source: docs.github.com, "Rate limits for the REST API": 403 or 429; ``retry-after``, else
    ``x-ratelimit-reset`` when nothing remains, else a minute at least.
    """
    spent = answer.headers.get("x-ratelimit-remaining") == "0"
    named = _named_wait(answer)
    if answer.status == HTTPStatus.FORBIDDEN:
        if named is None and not spent and not Requester.isRateLimitError(answer.message):
            return None
    elif answer.status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    if named is not None:
        return named
    reset = answer.headers.get("x-ratelimit-reset", "")
    if spent and re.fullmatch(r"\d{1,12}", reset, re.ASCII):
        return min(max(int(reset) - clock.now().timestamp(), 0.0) + 1.0, _LONGEST_WAIT)
    return _UNNAMED_WAIT
