"""Which lines of a comment may be commands; the rest is conversation.

CommonMark decides, through markdown-it. A candidate is a line of a top-level paragraph
that begins with ``/``. Quotes, code, lists, tables, headings, HTML and its comments,
link texts, link reference definitions and footnotes are conversation.

Sources: CommonMark 0.31; GitHub Flavored Markdown 0.29, tables.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import backtick, html_inline, image, link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

LONGEST_COMMENT = 65_536  # characters; GitHub accepts no longer comment

# Characters that a reader cannot tell from nothing or from a slash. A line that begins with
# them and goes on with ``canary`` is a candidate, so that it gets an answer: it never runs.
_UNSEEN = "\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_SLASHES = "/\u2044\u2215\u29f8\uff0f"
_CANDIDATE = re.compile(rf" {{0,3}}(?:/|[{_UNSEEN}]{{0,8}}[{_SLASHES}]canary(?![\w-]))", re.ASCII)
_ANY_CANDIDATE = re.compile(rf"^{_CANDIDATE.pattern}", re.ASCII | re.MULTILINE)

_LINE_END = re.compile(r"\r\n?|\n")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)", re.ASCII)
_WHOLE_TAG = re.compile(r"""</?[A-Za-z](?:[^>"']|"[^"]*"|'[^']*')*+>""", re.ASCII)
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "wbr")
)
# An HTML block may end, for CommonMark, within a comment or a tag: a browser reads on.
_SWALLOWS = "<"
# Without their end tag these reach to the end of the comment as a browser shows it.
_CONTAINERS = frozenset(
    (
        *(_SWALLOWS, "details", "blockquote", "pre", "table", "ul", "ol", "dl", "svg", "math", "select"),
        *("template", "textarea", "title", "style", "script", "xmp", "iframe", "noembed", "noframes"),
        "plaintext",
    )
)


@dataclass(frozen=True, slots=True)
class Line:
    """A candidate: its number, counted from 1 by line feeds, and its text without the line end.

    The text is as it was typed, up to three leading spaces included, and untrusted.
    """

    number: int
    text: str


def command_lines(text: str) -> tuple[Line, ...]:
    """Give the lines of a comment that may be commands, in their order.

    Up to three spaces may stand before the slash, as CommonMark allows for a paragraph.
    A continuation line that is indented further reads as code to its author, and is
    none. Lines end at LF, with or without a CR before it: a lone CR, U+2028 or a
    vertical tab stay inside their line, where the grammar refuses them.

    Args:
        text: The comment. One that is longer than ``LONGEST_COMMENT`` has no commands.
    """
    if len(text) > LONGEST_COMMENT or not _ANY_CANDIDATE.search(text):
        return ()
    return tuple(line for line in _paragraph_lines(text) if _CANDIDATE.match(line.text))


def _paragraph_lines(text: str) -> Iterator[Line]:
    """Give the visible lines of top-level paragraphs that begin behind a line feed."""
    starts = [0, *(m.end() for m in _LINE_END.finditer(text))]
    feeds = 0
    last = 0
    for index in _visible(text):
        start = starts[index]
        if start and text[start - 1] != "\n":
            continue  # behind a lone CR: part of a line that began earlier
        feeds += text.count("\n", last, start)
        last = start
        end = text.find("\n", start)
        line = text[start:] if end < 0 else text[start:end].removesuffix("\r")
        yield Line(feeds + 1, line)


@dataclass(frozen=True, slots=True)
class _HtmlTag:
    line: int
    closes: bool
    name: str


def _visible(text: str) -> list[int]:
    """Give the indices of CommonMark's lines that are plain lines of top-level paragraphs."""
    env: dict[str, Any] = {}
    tokens = _MARKDOWN.parse(text, env)
    footnote_ends = _footnote_ends(env)
    shown: list[int] = []
    hidden: list[tuple[int, int]] = []
    tags: list[_HtmlTag] = []
    for i, token in enumerate(tokens):
        if token.map is None:
            continue
        if token.type == "html_block":
            found = _tags_in(token.content, token.map[0])
            # The end of a list or quote closes its elements, but no comment that was left open.
            tags += (tag for tag in found if not token.level or tag.name == _SWALLOWS)
        elif token.type == "paragraph_open" and not token.level and token.map[0] not in footnote_ends:
            shown += range(*token.map)
            inner_hidden, inner_tags = _paragraph(tokens[i + 1], token.map[0], env)
            hidden += inner_hidden
            tags += inner_tags
    hidden += _elements(tags)
    return _without(shown, hidden)


def _without(lines: list[int], hidden: list[tuple[int, int]]) -> list[int]:
    """Give the rising ``lines`` that lie in none of the ranges (first, last); overlaps cost nothing."""
    kept = []
    ranges = iter(sorted(hidden))
    upcoming = next(ranges, None)
    reach = -1
    for line in lines:
        while upcoming is not None and upcoming[0] <= line:
            reach = max(reach, upcoming[1])
            upcoming = next(ranges, None)
        if line > reach:
            kept.append(line)
    return kept


def _footnote_ends(env: dict[str, Any]) -> set[int]:
    # GitHub's footnotes look like link reference definitions to CommonMark, and a paragraph
    # right behind one continues it.
    found = [*env.get("references", {}).items(), *((r["label"], r) for r in env.get("duplicate_refs", ()))]
    return {reference["map"][1] for label, reference in found if label.startswith("^")}


def _paragraph(
    inline: Token, first: int, env: dict[str, Any]
) -> tuple[list[tuple[int, int]], list[_HtmlTag]]:
    """Give the ranges (first, last) of lines that begin inside of spans, and the HTML tags."""
    source = inline.content
    if "\n" not in source and "<" not in source:
        return [], []
    hidden: list[tuple[int, int]] = []
    feeds = [m.start() for m in re.finditer("\n", source)]
    footnote = next((n for n, s in enumerate(source.split("\n")) if _FOOTNOTE.match(s)), None)
    if footnote is not None:
        hidden.append((first + footnote + 1, first + len(feeds)))
    spans: list[tuple[int, int]] = []
    _MARKDOWN.inline.parse(source, _MARKDOWN, {**env, "source": source, "spans": spans}, [])
    tags: list[_HtmlTag] = []
    for start, stop in spans:
        line, last = first + bisect_left(feeds, start), first + bisect_left(feeds, stop)
        if last > line:
            hidden.append((line + 1, last))
        if tag := _TAG.match(source, start):
            tags.append(_HtmlTag(line, bool(tag[1]), tag[2].lower()))
    return hidden, tags


def _tags_in(html: str, line: int) -> Iterator[_HtmlTag]:
    """Give the tags of an HTML block; one that swallows what follows is the last."""
    at = 0
    while (start := html.find("<", at)) >= 0:
        if html.startswith("<!--", start):
            at = html.find("-->", start) + 3
            is_whole = at >= 3  # noqa: PLR2004 - found
        elif tag := _TAG.match(html, start):
            whole = _WHOLE_TAG.match(html, start)
            is_whole = whole is not None
            at = whole.end() if whole else at
            if whole:
                yield _HtmlTag(line, bool(tag[1]), tag[2].lower())
        else:
            at = start + 1
            continue
        if not is_whole:
            yield _HtmlTag(line, closes=False, name=_SWALLOWS)
            return


def _elements(tags: Iterable[_HtmlTag]) -> Iterator[tuple[int, int]]:
    """Give the ranges (first, last) of lines that begin inside of an HTML element."""
    opened: list[_HtmlTag] = []
    count: dict[str, int] = {}
    for tag in tags:
        if tag.name in _VOID:
            continue
        if not tag.closes:
            opened.append(tag)
            count[tag.name] = count.get(tag.name, 0) + 1
        elif count.get(tag.name):
            # Elements in between that were never closed end here too.
            while (start := opened.pop()).name != tag.name:
                count[start.name] -= 1
            count[tag.name] -= 1
            yield start.line + 1, tag.line
    for tag in opened:
        if tag.name in _CONTAINERS:
            yield tag.line + 1, LONGEST_COMMENT


def _recording(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    """Make an inline rule of markdown-it note where its matches stand.

    Inline tokens have no positions of their own. The text of an image is parsed as a
    source of its own, whose offsets would mislead: the image as a whole is noted anyway.
    """

    def recorded(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
        start = state.pos
        found = rule(state, silent)
        if found and not silent and state.src == state.env["source"]:
            state.env["spans"].append((start, state.pos))
        return found

    return recorded


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark").enable("table")
    # Spans are parsed for the few paragraphs where they matter, by ``_paragraph``.
    markdown.core.ruler.disable(["inline", "text_join"])
    markdown.inline.ruler.at("backticks", _recording(backtick))
    markdown.inline.ruler.at("html_inline", _recording(html_inline))
    markdown.inline.ruler.at("link", _recording(link))
    markdown.inline.ruler.at("image", _recording(image))
    return markdown


_MARKDOWN = _markdown()
