"""What of a Markdown text a reader of GitHub would see as live: mentions, links, images, HTML, references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

_GITHUB = MarkdownIt("commonmark", {"linkify": True}).enable(["table", "linkify"])
_MARKER = re.compile(r"<!-- canary-bot:[a-z-]+ \{[^\r\n<>]*\} -->\n?")
_REFERENCE = re.compile(
    r"(?<![\w/])@[A-Za-z0-9]|#\d|\bGH-\d|://|www\.|\b[0-9a-f]{40}\b|&#|&[a-z]+;", re.IGNORECASE
)


def _tokens(markdown: str) -> Iterator[Token]:
    for token in _GITHUB.parse(markdown):
        yield token
        yield from token.children or ()


def outside_code(markdown: str) -> str:
    """Give the words that stand in no code, one line for each token."""
    return "\n".join(t.content for t in _tokens(markdown) if t.type == "text")


def live(markdown: str, *, author: str = "") -> list[str]:
    """Give what is live in a text of the bot, besides the mention of ``author`` at its beginning.

    The bot's own marker is looked for as well: it has to be one HTML comment that ends.
    """
    body, greeting = markdown, f"@{author} "
    if author and body.startswith(greeting):
        body = body.removeprefix(greeting)
    found = []
    for token in _tokens(body):
        if token.type in {"link_open", "image", "html_inline"}:
            found.append(f"{token.type}: {token.content or token.attrs}")
        elif token.type == "html_block" and not _MARKER.fullmatch(token.content):
            found.append(f"html: {token.content}")
    return found + _REFERENCE.findall(outside_code(body))
