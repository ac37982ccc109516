r"""PromQL with places for values, and the one way in which a value gets into a query.

A template names ``{candidate}``, ``{stable}``, ``{revision}`` (the one that is judged at the moment),
``{service}``, ``{namespace}`` as the value of a label matcher, and ``{window}`` as a duration:

    sum(rate(http_requests_total{revision="{revision}",code=~"5.."}[{window}]))

A value is written into the literal that stands there, with everything escaped that could end it, and after
``=~`` also everything that a regular expression would read. It changes one literal, never the query's tree.

Sources: Prometheus, ``promql/parser/lex.go`` (tokens, ``lexEscape``) and ``util/strutil/quote.go`` (a quote of
the other kind must not be escaped; ``\u`` and ``\U`` stand in both kinds), as Go's literals; RE2, ``QuoteMeta``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.core.problems import Declined, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from datetime import timedelta

NAMES = ("revision", "candidate", "stable", "service", "namespace", "window")
LONGEST = 2000  # characters of a template
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.:/@-+*?()[]{}|^$,;=<>!~#%&"
)
_META = frozenset("\\.+*?()|[]{}^$")

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<comment>\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`]*`)
    |(?P<hole>\{[ \t]*[a-z]+(?:[-_][a-z]+)*[ \t]*\})
    |(?P<number>[0-9][0-9A-Za-z_.]*|\.[0-9][0-9A-Za-z_.]*)
    |(?P<name>:?[A-Za-z_][A-Za-z0-9_:]*)
    |(?P<mark>=~|!~|!=|==|>=|<=|[-+*/%^=<>(),\[\]{}@:])""",
    re.ASCII | re.VERBOSE,
)
_ESCAPE = re.compile(
    r"""\\(?:[abfnrtv\\'"]|[0-3][0-7]{2}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})""", re.ASCII
)
_HOLE = re.compile(r"\{([a-z]+(?:[-_][a-z]+)*)\}", re.ASCII)
_MATCHERS = frozenset({"=", "!=", "=~", "!~"})
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_AGGREGATIONS = frozenset({"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile"}) | {
    "topk",
    "bottomk",
    "count_values",
    "limitk",
    "limit_ratio",
}
_KEYWORDS = frozenset({"and", "or", "unless", "atan2", "offset", "bool", "start", "end", "inf", "nan"})
_WORDS = _LABEL_LISTS | _AGGREGATIONS | _KEYWORDS
_WORD_CHARACTER = re.compile(r"[A-Za-z0-9_.]", re.ASCII)
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True)
class Values:
    """What a template can ask for, next to its window. ``namespace`` and ``stable`` may be empty: not known."""

    service: str
    candidate: str
    stable: str = ""
    namespace: str = ""

    def of(self, revision: str) -> dict[str, str]:
        """Give all values by name; ``revision`` is the one that is judged."""
        return {
            "revision": revision,
            "candidate": self.candidate,
            "stable": self.stable,
            "service": self.service,
            "namespace": self.namespace,
        }


@dataclass(frozen=True, slots=True)
class Hole:
    """A place for a value: inside a string, inside a regular expression in a string, or bare."""

    name: str
    how: Literal["text", "pattern", "duration"]


Part = str | Hole


@dataclass(frozen=True, slots=True)
class Template:
    """A query with places for values, as ``parse`` gives it.

    ``selectors`` are the series that it reads, each as an instant vector of its own and without its range:
    what to ask ``timestamp()`` of, because the time of a computed value says nothing about its samples.
    """

    text: str
    parts: tuple[Part, ...]
    selectors: tuple[tuple[Part, ...], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names that it asks for."""
        return frozenset(part.name for part in self.parts if isinstance(part, Hole))

    def fill(self, values: Values, *, revision: str, window: timedelta) -> str:
        """Give the query.

        Args:
            values: What is known.
            revision: What ``{revision}`` stands for, the candidate or the stable one.
            window: What ``{window}`` stands for.

        Raises:
            Declined: ``config-invalid``, a value is asked for that is not known or cannot be written.
        """
        return _fill(self.parts, values.of(revision), window)

    def newest(self, values: Values, *, revision: str, window: timedelta) -> str:
        """Give a query for the time of the newest sample of each series that is read, in Unix seconds.

        It answers one value for each selector that has any sample; raises as ``fill``.
        """
        filled = dict.fromkeys(_fill(parts, values.of(revision), window) for parts in self.selectors)
        return " or ".join(
            f'label_replace(max(timestamp({one})), "selector", "{number}", "", "")'
            for number, one in enumerate(filled)
        )


def literal(value: str) -> str:
    """Give a string literal that means ``value`` and nothing else.

    Raises:
        Declined: ``config-invalid``, the value holds half of a surrogate pair, which no query can hold.
    """
    return f'"{_escaped(value)}"'


def pattern(value: str) -> str:
    """Give a string literal with a regular expression that matches ``value`` and nothing else; raises the same."""
    return f'"{_escaped(_quoted_meta(value))}"'


def duration(length: timedelta) -> str:
    """Give a duration of PromQL in whole seconds: ``15m``, ``1h30m``, ``36h``.

    Raises:
        Declined: ``config-invalid``, less than a second, or more than a year.
    """
    seconds = int(length.total_seconds())
    if not 1 <= seconds <= 365 * _DAY:
        raise Declined(Problem("config-invalid", "A window lies between a second and a year."))
    hours, rest = divmod(seconds, _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n)


def parse(text: str) -> Template:
    """Read a template.

    Only what decides where a value may stand is read: strings, comments, names and marks. Whether the rest is
    PromQL is for Prometheus to say.

    Raises:
        Declined: ``config-invalid``, with a caret under what is wrong.
    """
    return _Reader(text).read()


def _fill(parts: tuple[Part, ...], known: dict[str, str], window: timedelta) -> str:
    made: list[str] = []
    for part in parts:
        if isinstance(part, str):
            made.append(part)
            continue
        value = duration(window) if part.name == "window" else known[part.name]
        if not value:
            # An empty matcher would choose the series that lack the label, which is another question.
            raise Declined(
                Problem("config-invalid", f"The query asks for `{{{part.name}}}`, which is not known here.")
            )
        if part.how == "duration":
            made.append(value)
        else:
            made.append(_escaped(_quoted_meta(value) if part.how == "pattern" else value))
    return "".join(made)


def _escaped(value: str) -> str:
    return "".join(c if c in _PLAIN else _spelled(c) for c in value)


def _spelled(character: str) -> str:
    point = ord(character)
    if character == "\\":
        return "\\\\"
    if 0xD800 <= point <= 0xDFFF:  # noqa: PLR2004 - surrogates
        raise Declined(
            Problem("config-invalid", f"{code(character)} is half of a character; no query can hold it.")
        )
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"  # noqa: PLR2004 - four digits


def _quoted_meta(value: str) -> str:
    return "".join("\\" + c if c in _META else c for c in value)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


class _Reader:
    """Reads one template: tokens, then the parts of each."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fail(self, message: str, start: int, length: int = 1, remedy: str = "") -> Declined:
        caret = (start, length)
        return Declined(Problem("config-invalid", message, remedy, source=self.text, caret=caret))

    def read(self) -> Template:
        if len(self.text) > LONGEST:
            raise self.fail(f"The query has {len(self.text)} characters, want at most {LONGEST}.", 0)
        tokens = self.tokens()
        # Each token's own parts, so that a selector can be cut out of the middle.
        made = [self.parts(tokens, n) for n in range(len(tokens))]
        selectors = tuple(dict.fromkeys(_joined(made[a:b]) for a, b in _selectors(tokens)))
        if not selectors:
            raise self.fail("The query reads no metric, so nothing could ever fail it.", 0, len(self.text))
        return Template(self.text, _joined(made), selectors)

    def tokens(self) -> list[_Token]:
        """Give all tokens but comments; spaces and line ends are one space."""
        found: list[_Token] = []
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None or match.lastgroup is None:
                here = self.text[at]
                what = "This string has no end." if here in "\"'`" else "PromQL has no such character here."
                raise self.fail(what, at)
            if match.lastgroup == "comment":
                hole = _HOLE.search(match[0])
                if hole is not None and hole[1] in NAMES:
                    raise self.fail("A value cannot stand in a comment.", at + hole.start(), len(hole[0]))
            kind = "space" if match.lastgroup == "comment" else match.lastgroup
            text = " " if kind == "space" else match[0]
            found.append(_Token(kind, text, at))
            at = match.end()
        return found

    def parts(self, tokens: list[_Token], number: int) -> tuple[Part, ...]:
        token = tokens[number]
        if token.kind == "hole":
            return (self.bare(tokens, number),)
        if token.kind != "string":
            return (token.text,)
        before = _before(tokens, number)
        return self.string(token, before.text if before else "")

    def bare(self, tokens: list[_Token], number: int) -> Hole:
        token = tokens[number]
        name = token.text.strip("{} \t")
        if name != "window" or " " in token.text or "\t" in token.text:
            if name in NAMES:
                raise self.fail(
                    f"`{{{name}}}` stands outside a string.",
                    token.start,
                    len(token.text),
                    f'Write it as the value of a label: `{{label="{{{name}}}"}}`.',
                )
            raise self.unknown(name, token.start, len(token.text))
        before = _before(tokens, number)
        if before is not None and before.text == "-":
            before = _before(tokens, tokens.index(before))
        end = token.start + len(token.text)
        neighbours = self.text[max(0, token.start - 1) : token.start] + self.text[end : end + 1]
        if (
            before is None
            or before.text not in {"[", ":", "offset"}
            or _WORD_CHARACTER.search(neighbours) is not None
        ):
            raise self.fail(
                "`{window}` is a duration.", token.start, len(token.text), "Write it as `[{window}]`."
            )
        return Hole(name, "duration")

    def string(self, token: _Token, before: str) -> tuple[Part, ...]:
        quote, body = token.text[0], token.text[1:-1]
        made: list[Part] = []
        at = 0
        for hole in _HOLE.finditer(body):
            # An escape is read whole, so that none can reach into a value.
            text = self.raw(token, body, at, hole.start())
            where = token.start + 1 + hole.start()
            if hole[1] not in NAMES:
                raise self.unknown(hole[1], where, len(hole[0]))
            if before not in _MATCHERS:
                raise self.fail(
                    f"`{hole[0]}` is not the value of a label matcher.",
                    where,
                    len(hole[0]),
                    f'Write it behind a label, `label="{hole[0]}"`.',
                )
            made += [text, Hole(hole[1], "pattern" if before in {"=~", "!~"} else "text")]
            at = hole.end()
        last = self.raw(token, body, at, len(body))
        if not made:
            return (token.text,)
        if quote == "`":
            quote, made, last = '"', [p if isinstance(p, Hole) else _escaped(p) for p in made], _escaped(last)
        return (quote, *made, last, quote)

    def raw(self, token: _Token, body: str, start: int, end: int) -> str:
        text = body[start:end]
        if token.text[0] == "`":
            return text
        at = text.find("\\")
        while at >= 0:
            escape = _ESCAPE.match(text, at)
            if escape is None or (escape[0][1] in "\"'" and escape[0][1] != token.text[0]):
                raise self.fail("This is no escape of PromQL.", token.start + 1 + start + at, 2)
            at = text.find("\\", escape.end())
        return text

    def unknown(self, name: str, start: int, length: int) -> Declined:
        close = difflib.get_close_matches(name, NAMES, n=1)
        known = ", ".join(f"`{{{n}}}`" for n in NAMES)
        remedy = f"Did you mean `{{{close[0]}}}`?" if close else f"Known: {known}."
        return self.fail(f"There is no value {code('{' + name + '}')}.", start, length, remedy)


def _before(tokens: list[_Token], number: int) -> _Token | None:
    return next((t for t in reversed(tokens[:number]) if t.kind != "space"), None)


def _joined(made: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    joined: list[Part] = []
    for part in (p for parts in made for p in parts):
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)


def _selectors(tokens: list[_Token]) -> list[tuple[int, int]]:
    """Give (first, behind) of each instant selector among the tokens."""
    found: list[tuple[int, int]] = []
    solid = [n for n, t in enumerate(tokens) if t.kind != "space"]
    at = 0
    while at < len(solid):
        token = tokens[solid[at]]
        after = tokens[solid[at + 1]].text if at + 1 < len(solid) else ""
        if token.kind == "name" and token.text.lower() in _LABEL_LISTS and after == "(":
            while at < len(solid) and tokens[solid[at]].text != ")":
                at += 1
        elif token.text == "{" or (token.kind == "name" and after == "{"):
            first = solid[at]
            while at < len(solid) and tokens[solid[at]].text != "}":
                at += 1
            if at < len(solid):
                found.append((first, solid[at] + 1))
        elif token.kind == "name" and after != "(" and token.text.lower() not in _WORDS:
            found.append((solid[at], solid[at] + 1))
        at += 1
    return found
