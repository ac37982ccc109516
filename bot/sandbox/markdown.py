"""Comments as GitHub shows them: Markdown in, safe HTML out.

CommonMark with tables, strikethrough and bare addresses; raw HTML passes the
sanitiser, HTML comments are gone, code stays code. Mentions, issue references and
commits outside code become links, as on GitHub: a reply of the bot that would ring
somebody's bell is seen to do so here. An image becomes a link that says so, because
nothing on a rehearsal's page is loaded from elsewhere.

Source: GitHub Flavored Markdown 0.29, and "Autolinked references and URLs" in GitHub's docs.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

LONGEST = 65_536  # characters of one comment, GitHub's own limit

_TAGS = {
    *("a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2"),
    *("h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "samp"),
    *("small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot"),
    *("th", "thead", "tr", "tt", "ul", "var"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "details": {"open"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
}
# Our own decorations; a person who writes one of them by hand gains nothing.
_CLASSES = {
    "a": {"mention", "reference", "sha", "picture"},
    "pre": {"code"},
    "span": {"line", "add", "del", "hunk", "key", "note", "value"},
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener noreferrer",
    clean_content_tags={"script", "style", "title", "textarea", "iframe", "noscript", "xmp", "plaintext"},
)

_REFERENCES = re.compile(
    r"""
      (?P<url>     (?<![\w@]) (?: https?:// | www\. ) [^\s<>]+ )
    | (?P<mention> (?<![\w@/.`+-]) @ (?P<login> [A-Za-z0-9] (?: -? [A-Za-z0-9] ){0,38} )
                   (?: / [A-Za-z0-9][\w-]* | \[bot\] )? (?! [\w@-] ) )
    | (?P<issue>   (?<![\w/#&.-]) (?: (?P<where> [\w.-]+/[\w.-]+ ) \# | \# | GH- ) (?P<number> [0-9]{1,9} )
                   (?! [\w-] ) )
    | (?P<sha>     (?<![\w./@#-]) (?= [0-9a-f]*[0-9] ) (?= [0-9a-f]*[a-f] ) [0-9a-f]{7,40} (?! [\w-] ) )
    """,
    re.VERBOSE | re.ASCII,
)
_TRAILING = re.compile(r"[?!.,:*_~'\"]+$")


def _fence(
    _self: RendererHTML, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType
) -> str:
    token = tokens[idx]
    language = (token.info.split() or [""])[0].lower()
    return f'<pre class="code"><code>{highlighted(token.content, language)}</code></pre>\n'


def _code_block(
    _self: RendererHTML, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType
) -> str:
    return f'<pre class="code"><code>{highlighted(tokens[idx].content, "")}</code></pre>\n'


def _aligned(
    self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
) -> str:
    """Say a column's alignment without a style, which the page's policy forbids."""
    token = tokens[idx]
    style = str(token.attrs.pop("style", ""))
    if style.startswith("text-align:"):
        token.attrs["align"] = style.removeprefix("text-align:")
    return self.renderToken(tokens, idx, options, env)


def _parser(*, breaks: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "breaks": breaks})
    parser.enable(["table", "strikethrough"])
    for name, rule in {
        "fence": _fence,
        "code_block": _code_block,
        "th_open": _aligned,
        "td_open": _aligned,
    }.items():
        parser.add_render_rule(name, rule)
    return parser


_COMMENT = _parser(breaks=True)
_DOCUMENT = _parser(breaks=False)


def render(text: str, *, repository: str = "", breaks: bool = True) -> Markup:
    """Give the HTML of a comment, a description or a check's summary.

    Args:
        text: Markdown, untrusted; more than ``LONGEST`` characters are cut.
        repository: ``owner/name`` that ``#1`` and commits belong to.
        breaks: Whether a line end breaks the line, as in comments but not in files.

    Returns:
        HTML without scripts, styles, forms, images and handlers; the sanitiser has the last word.
    """
    html = (_COMMENT if breaks else _DOCUMENT).render(text[:LONGEST])
    linker = _Linker(repository)
    linker.feed(_CLEANER.clean(html))
    linker.close()
    return Markup(_CLEANER.clean(linker.result()))  # noqa: S704 - sanitised


def highlighted(text: str, language: str) -> Markup:
    """Give the inside of a code block, escaped, with diffs and YAML coloured line by line."""
    lines = text.removesuffix("\n").split("\n")
    paint = _paint_diff if language in {"diff", "patch"} else painted_yaml if language in _YAML else escape
    return Markup("\n".join(paint(line) for line in lines))  # noqa: S704 - each line is escaped


_YAML = {"yaml", "yml"}
_YAML_LINE = re.compile(
    r"(?P<lead>\s*(?:-\s+)*)(?P<key>[\w./-]+|\"[^\"]*\")(?P<colon>:(?=\s|$))(?P<rest>.*)", re.DOTALL
)
_YAML_REST = re.compile(r"(?P<value>(?:\"[^\"]*\"|'[^']*'|[^#\"']|(?<!\s)#)*)(?P<note>#.*)?", re.DOTALL)


def painted_yaml(line: str) -> str:
    """Give one line of YAML, escaped, with its key, value and comment marked; a hint, not a parser."""
    if line.lstrip().startswith("#"):
        return f'<span class="note">{escape(line)}</span>'
    if found := _YAML_LINE.fullmatch(line):
        start = f'{escape(found["lead"])}<span class="key">{escape(found["key"])}</span>{found["colon"]}'
        return start + _painted_value(found["rest"])
    lead = len(line) - len(line.lstrip(" -"))
    return escape(line[:lead]) + _painted_value(line[lead:])


def _painted_value(text: str) -> str:
    found = _YAML_REST.fullmatch(text)
    if found is None:
        return escape(text)
    value, note = found["value"], found["note"]
    shown = f'<span class="value">{escape(value)}</span>' if value.strip() else escape(value)
    return shown + (f'<span class="note">{escape(note)}</span>' if note else "")


_DIFF = {"@": "hunk", "+": "add", "-": "del"}


def _paint_diff(line: str) -> str:
    kind = _DIFF.get(line[:1])
    return f'<span class="line {kind}">{escape(line)}</span>' if kind else escape(line)


class _Linker(HTMLParser):
    """Sanitised HTML with its references linked, outside code and links."""

    def __init__(self, repository: str) -> None:
        super().__init__(convert_charrefs=True)
        self._repository = repository
        self._out: list[str] = []
        self._text: list[str] = []
        self._quiet = 0  # how many code, pre and a elements are open

    def result(self) -> str:
        self._flush()
        return "".join(self._out)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._flush()
        if tag == "img":
            self._out.append(_picture(dict(attrs), linked=self._quiet == 0))
            return
        self._quiet += tag in {"a", "code", "pre"}
        self._out.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self._flush()
        self._quiet -= tag in {"a", "code", "pre"}
        self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def _flush(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if self._quiet:
            self._out.append(escape(text, quote=False))
            return
        end = 0
        for found in _REFERENCES.finditer(text):
            self._out.append(escape(text[end : found.start()], quote=False))
            self._out.append(_link(found, self._repository))
            end = found.end()
        self._out.append(escape(text[end:], quote=False))


def _picture(attributes: dict[str, Any], *, linked: bool) -> str:
    label = f"image: {attributes.get('alt') or attributes.get('src') or '?'}"
    address = attributes.get("src")
    if not (linked and address):
        return escape(label)
    return f'<a class="picture" href="{escape(address)}">{escape(label)}</a>'


def _link(found: re.Match[str], repository: str) -> str:
    text = found[0]
    if found["url"]:
        return _address(text)
    if found["mention"]:
        return _anchor("mention", f"/{quote(found['login'])}", text)
    where = found["where"] or repository
    if not where:
        return escape(text, quote=False)
    if found["number"]:
        return _anchor("reference", f"/{quote(where)}/pull/{int(found['number'])}", text)
    return _anchor("sha", f"/{quote(where)}/commit/{text}", text[:7])


def _address(text: str) -> str:
    """Link a bare address, without the punctuation that ends its sentence."""
    tail = ""
    while True:
        cut = _TRAILING.search(text)
        if cut:
            end = cut.start()
        elif text.endswith(")") and text.count(")") > text.count("("):
            end = len(text) - 1
        else:
            break
        text, tail = text[:end], text[end:] + tail
    address = text if text.startswith("http") else f"http://{text}"
    return f'<a href="{escape(address)}">{escape(text, quote=False)}</a>{escape(tail, quote=False)}'


def _anchor(kind: str, address: str, text: str) -> str:
    return f'<a class="{kind}" href="{escape(address)}">{escape(text, quote=False)}</a>'
