"""What HTML may hold that was made from somebody else's text."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

from hypothesis import settings

UNHURRIED = settings(deadline=None)
"""How fast a busy machine is, is not what these properties are about."""

FORBIDDEN = frozenset(
    {
        "script",
        "style",
        "iframe",
        "object",
        "embed",
        "form",
        "input",
        "img",
        "svg",
        "math",
        "link",
        "meta",
        "base",
    }
)
ALLOWED_ATTRIBUTES = frozenset(
    {"href", "title", "rel", "class", "align", "start", "open", "colspan", "rowspan"}
)
VOID = frozenset({"br", "hr"})


class Rules(HTMLParser):
    """Collects links and breaches of the rules; a browser's reading is close to this parser's."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.breaches: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html.encode().decode())  # ``Markup`` would escape what is added to it
        self.close()
        if self._open:
            self.breaches.append(f"left open: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check a tag and its attributes."""
        if tag in FORBIDDEN:
            self.breaches.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ALLOWED_ATTRIBUTES:
                self.breaches.append(f"{tag} {name}")
            if name == "href":
                self.links.append(value or "")
                if urlsplit((value or "").strip()).scheme not in {"", "http", "https", "mailto"}:
                    self.breaches.append(f"address {value!r}")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that tags close in order."""
        if not self._open or self._open.pop() != tag:
            self.breaches.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        """Comments are hidden, so they are not sent either."""
        self.breaches.append(f"comment {data!r}")

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        self.words += data
