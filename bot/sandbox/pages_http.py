"""One visit to the sandbox's pages: who it is, what was sent, and what goes back.

Forms carry a token that belongs to the visitor's session cookie, so another site open
in the same browser cannot press a button here; the answers forbid scripts, styles and
pictures from elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.sandbox.markdown import highlighted
from bot.sandbox.pages_view import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request

LARGEST_FORM = 4 * 1024 * 1024  # bytes; a manifest in a form field, escaped
MOST_FIELDS = 40
RESERVED = (
    *("api", "app", "app-manifests", "apps", "avatars", "graphql", "installation", "login", "orgs"),
    *("rate_limit", "repos", "repositories", "search", "static", "user", "users"),
)
"""First parts of a path that belong to the API and to the pages themselves, and are no owner."""

USER_COOKIE = "sandbox_user"
SESSION_COOKIE = "sandbox_session"
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATIC = Path(__file__).parent / "static"
_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "canary.svg": "image/svg+xml",
}


class _Owner(Convertor[str]):
    """The first part of a repository's path."""

    regex = rf"(?!(?:{'|'.join(RESERVED)})(?:/|$))[A-Za-z0-9][A-Za-z0-9-]{{0,38}}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("owner", _Owner())


class Refusal(Exception):  # noqa: N818 - an answer
    """A page that says no."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.status, self.title, self.text = status, title, text


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, taken apart.

    ``path`` holds the route's parameters, ``here`` the address of the page with its query.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    cookies: Mapping[str, str]
    here: str
    session: str
    csrf: str
    secure: bool = False
    new_session: bool = False

    @property
    def repo(self) -> str:
        """``owner/name`` of the path."""
        return f"{self.path['owner']}/{self.path['name']}"

    @property
    def number(self) -> int:
        """The pull request's number of the path."""
        return int(self.path["number"])


class Door:
    """Takes requests apart and makes answers.

    Each process has a key of its own: a page that was open before a restart asks to be reloaded.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        digest = hashlib.sha256()
        self._files = {name: (_STATIC / name).read_bytes() for name in _TYPES}
        for content in self._files.values():
            digest.update(content)
        self._assets = digest.hexdigest()[:10]
        self._templates = Environment(
            loader=PackageLoader("bot.sandbox", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"plain": visible, "moment": moment, "urlpath": quote}

    def _token(self, session: str) -> str:
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()

    async def visit(self, request: Request) -> Visit:
        """Take a request apart. Raises ``Refusal`` 400, 403 and 413."""
        session = request.cookies.get(SESSION_COOKIE, "")
        is_new = not session.isascii() or not session
        if is_new:
            session = secrets.token_urlsafe(16)
        token = self._token(session)
        form: dict[str, str] = {}
        if request.method == "POST":
            form = await _form(request)
            self._check_sender(request, form, token)
        query = f"?{request.url.query}" if request.url.query else ""
        return Visit(
            path={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
            form=form,
            cookies=dict(request.cookies),
            here=request.url.path + query,
            session=session,
            csrf=token,
            secure=request.url.scheme == "https",
            new_session=is_new,
        )

    @staticmethod
    def _check_sender(request: Request, form: Mapping[str, str], token: str) -> None:
        site = request.headers.get("sec-fetch-site", "same-origin")
        sent = form.get("csrf", "").encode("utf-8", "replace")
        if site not in {"same-origin", "none"} or not hmac.compare_digest(sent, token.encode()):
            raise Refusal(
                403, "This form is too old", "The sandbox was started again, or the form came from elsewhere."
            )

    def page(
        self, visit: Visit, template: str, *, now: datetime, status: int = 200, **values: object
    ) -> Response:
        """Give a page of a template."""
        environment = self._templates.overlay()
        environment.filters = {**self._templates.filters, "ago": lambda when: ago(when, now)}
        html = environment.get_template(template).render(
            csrf=visit.csrf, here=visit.here, now=now, assets=self._assets, **values
        )
        answer = HTMLResponse(html, status, headers=_HEADERS)
        if visit.new_session:
            answer.set_cookie(
                SESSION_COOKIE, visit.session, httponly=True, samesite="strict", secure=visit.secure
            )
        return answer

    def static(self, name: str) -> Response:
        """Give a file of the pages' own. Raises ``Refusal`` 404."""
        if name not in self._files:
            raise Refusal(404, "Not found", "There is no such file.")
        headers = {**_HEADERS, "Cache-Control": "no-cache"}
        return Response(self._files[name], media_type=_TYPES[name], headers=headers)


def redirect(path: str) -> RedirectResponse:
    """Lead to a page of this site after a form; an address of another site leads to the first page."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return RedirectResponse(path if is_local else "/", 303, headers=_HEADERS)


async def _form(request: Request) -> dict[str, str]:
    """Read the fields of a form, the last of equals."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refusal(400, "Not a form", "Only forms of these pages are taken.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise Refusal(413, "Too large", f"A form holds at most {LARGEST_FORM // 1024} kB.")
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise Refusal(400, "Not a form", "The form cannot be read.") from None
    return dict(fields)


def moment(when: datetime) -> str:
    """Give a time as the clock in the head shows it."""
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def ago(when: datetime | None, now: datetime) -> Markup:
    """Give how long ago something was, with the exact time behind it."""
    if when is None:
        return Markup()
    text = Markup('<time datetime="{}" title="{}">{}</time>')
    return text.format(f"{when:%Y-%m-%dT%H:%M:%SZ}", moment(when), _distance((now - when).total_seconds()))


def _distance(seconds: float) -> str:
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return "just now"


def painted(path: str, text: str) -> Markup:
    """Give one line of a file, coloured where the file's kind is known."""
    return highlighted(text, "yaml") if path.endswith((".yaml", ".yml")) else Markup.escape(text)
