"""The words of a command line: ASCII, linear, matched whole.

Nothing is normalised before it is matched, and no digit but ``0`` to ``9`` counts.
Every function raises ``Declined`` with one problem that points at the word.
Sources: DNS-1035 for names; Unicode's general categories for what cannot be seen.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from pytimeparse2 import parse as seconds_of

from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.core.usage import FLAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from bot.core.comment import Line

LONGEST_LINE = 1024  # bytes of UTF-8
LONGEST_NAME = 63
LONGEST_HOLD = timedelta(days=365)
WHOLE_NUMBER = "Use a whole number from 0 to 100."

_LONGEST_SHOWN = 120  # characters of a line in a problem
_LONGEST_NUMBER = 9  # digits; a longer one is not worth showing
_MOST_CODE_POINTS = 5  # listed in one message

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_COMMAND_LIKE_NUMBER = re.compile(r" {0,3}/canary +([0-9]+) *", re.ASCII)
_DIGITS_THEN_TEXT = re.compile(r"([0-9]+)[^0-9A-Za-z_.,+%/-].*", re.ASCII | re.DOTALL)
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?", re.ASCII)
# What a person types to tell objects apart: ``shop/customer``, ``virtualservice/customer``, ``vs/shop/customer``;
# names of other kinds than Service are DNS subdomains, with dots.
_QUALIFIED = re.compile(r"([A-Za-z][A-Za-z0-9.-]*/){0,2}[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)
# A destination: ``host/subset``, ``host:8080/subset``, ``namespace/name:80``.
_DESTINATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*([:/.][A-Za-z0-9._-]+)*", re.ASCII)
_ROUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[0-9]{1,4}\])?", re.ASCII)
LONGEST_REFERENCE = 253
LATEST = "@latest"
LONG_DASHES = frozenset("–—―")  # what a phone makes of two hyphens
_NAME_CHARACTERS = re.compile(r"[a-z0-9-]+", re.ASCII)
_OPTION = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)=(.*)", re.ASCII | re.DOTALL)
_FLAG = re.compile(r"--([a-z]{1,20})", re.ASCII)
_SHA = re.compile(r"[0-9a-fA-F]{7,40}", re.ASCII)
_DURATION = re.compile(
    r"(?=[0-9])(?:[0-9]{1,4}w)?(?:[0-9]{1,4}d)?(?:[0-9]{1,4}h)?(?:[0-9]{1,5}m)?(?:[0-9]{1,6}s)?", re.ASCII
)

# Bidi controls, by Unicode's property Bidi_Control.
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Letters and symbols that show nothing, whatever their category says.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# They choose the look of an emoji, so a reason may hold them; a command word may not.
_SELECTORS = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line and where it starts, in characters from 0."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The character behind it."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stands behind a verb.

    ``words`` are the positional ones; ``options`` are ``key=value``, each key once; ``flags`` are ``--name``, with
    the word behind it where it takes one;
    ``reason`` is the free text behind `` -- ``, ``None`` when there is none.
    """

    line: Line
    words: tuple[Word, ...]
    options: dict[str, Word]
    reason: str | None = None
    flags: tuple[tuple[str, Word], ...] = ()


def decline(
    line: Line, problem: str, message: str, remedy: str = "", *, at: tuple[int, int] | None = None
) -> NoReturn:
    """Raise ``Declined`` with a problem that shows the line; ``at`` is (start, end) in characters."""
    start, end = at if at is not None else (0, len(line.text))
    source, shift = _window(line.text, start)
    caret = max(0, min(start - shift, len(source) - 1))
    raise Declined(
        Problem(
            problem,
            message,
            remedy,
            place=Place(line=line.number, column=start + 1),
            source=source,
            caret=(caret, max(1, min(end - start, len(source) - caret))),
        )
    )


def _window(text: str, start: int) -> tuple[str, int]:
    """Give the part of a long line around ``start``, and how far offsets move to the left in it."""
    if len(text) <= _LONGEST_SHOWN:
        return text, 0
    first = max(0, start - _LONGEST_SHOWN // 3)
    lead, tail = "…" if first else "", "…" if first + _LONGEST_SHOWN < len(text) else ""
    return f"{lead}{text[first : first + _LONGEST_SHOWN]}{tail}", first - len(lead)


def decline_word(line: Line, word: Word, problem: str, message: str, remedy: str = "") -> NoReturn:
    """Raise ``Declined`` with the caret under a word."""
    decline(line, problem, message, remedy, at=(word.start, word.end))


def split(text: str, start: int = 0) -> tuple[Word, ...]:
    """Part a text at plain spaces."""
    return tuple(Word(m[0], start + m.start()) for m in re.finditer("[^ ]+", text))


def code_points(characters: Iterable[str]) -> str:
    """Give characters as ``U+FF12 U+FF15``, the first few of them."""
    found = [f"U+{ord(c):04X}" for c in characters]
    return " ".join(found[:_MOST_CODE_POINTS]) + (" …" if len(found) > _MOST_CODE_POINTS else "")


def is_unseen(character: str) -> bool:
    """Whether a character is invisible, a control, a separator, or a space that is no plain space."""
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _BLANK
        or (character.isspace() and character != " ")
    )


def check_length(line: Line) -> None:
    """Refuse a line that is too long to be read.

    Raises:
        Declined: ``line-too-long``, ``number-too-long``.
    """
    if len(line.text) <= LONGEST_LINE // 4 or len(line.text.encode("utf-8", "surrogatepass")) <= LONGEST_LINE:
        return
    if _COMMAND_LIKE_NUMBER.fullmatch(line.text):
        decline(line, "number-too-long", "Number too long.", WHOLE_NUMBER)
    decline(
        line, "line-too-long", f"A command line holds at most {LONGEST_LINE} bytes.", "Shorten the reason."
    )


def check_characters(line: Line, *, command_end: int) -> None:
    """Refuse what a reader cannot see, by its code point.

    Args:
        line: The whole line.
        command_end: Where free text begins; spaces of other kinds are fine behind it.

    Raises:
        Declined: ``hidden-character``, ``plain-space-needed``.
    """
    for at, c in enumerate(line.text):
        if c == " " or "!" <= c <= "~":
            continue
        if c == "\t" or (unicodedata.category(c) == "Zs" and at < command_end):
            shown = code_points(c)
            decline(
                line, "plain-space-needed", "Use a plain space.", f"There is {shown} here.", at=(at, at + 1)
            )
        if c in _DIRECTION:
            message = f"Hidden direction characters ({code_points(c)}) refused."
        elif unicodedata.category(c) in {"Cc", "Zl", "Zp"}:
            message = f"Control or separator characters are not accepted ({code_points(c)})."
        elif (
            unicodedata.category(c) in _HIDDEN_CATEGORIES
            or c in _BLANK
            or (at < command_end and _SELECTORS.match(c))
        ):
            message = f"Invisible characters ({code_points(c)}) refused."
        else:
            continue
        name = unicodedata.name(c, "")
        remedy = f"Type the line again without it{f' ({name})' if name else ''}."
        decline(line, "hidden-character", message, remedy, at=(at, at + 1))


def arguments(
    line: Line,
    words: tuple[Word, ...],
    *,
    verb: str,
    options: Collection[str],
    takes_reason: bool,
    flags: Mapping[str, bool] | None = None,
) -> Arguments:
    """Part the words behind a verb into positional words, options, flags and reason.

    Args:
        line: The line, for problems.
        words: Those behind the verb.
        verb: As it is typed.
        options: The keys that the verb takes.
        takes_reason: Whether free text may stand behind `` -- ``.
        flags: The flags that the verb takes, and whether a word belongs behind each.

    Raises:
        Declined: ``unknown-option``, ``argument-missing``, ``unexpected-text`` (an option given twice).
    """
    plain: list[Word] = []
    given: dict[str, Word] = {}
    set_: list[tuple[str, Word]] = []
    known = flags or {}
    rest = iter(words)
    for word in rest:
        if word.text == "--" and takes_reason:
            reason = line.text[word.end :].strip() or None
            return Arguments(line, tuple(plain), given, reason, tuple(set_))
        if word.text[0] in LONG_DASHES and word.text[1:] in known:
            message = f"Two hyphens begin {code(word.text[1:])} (got {code_points(word.text[0])})."
            decline_word(line, word, "unexpected-text", message, f"Write `--{word.text[1:]}`.")
        flag = _FLAG.fullmatch(word.text)
        if flag is not None and flag[1] in known:
            _add_flag(line, set_, word, next(rest, None) if known[flag[1]] else word)
            continue
        option = _OPTION.fullmatch(word.text)
        if option is None and not _is_dashed(word.text):
            plain.append(word)
        elif option is None or option[1] not in options:
            _decline_option(line, word, option[1] if option else word.text, verb, options, known)
        elif option[1] in given:
            decline_word(line, word, "unexpected-text", f"`{option[1]}=` is given twice.", "Keep one.")
        else:
            given[option[1]] = Word(option[2], word.start + len(option[1]) + 1)
    return Arguments(line, tuple(plain), given, None, tuple(set_))


def _add_flag(line: Line, given: list[tuple[str, Word]], flag: Word, value: Word | None) -> None:
    name = flag.text.removeprefix("--")
    if value is None or (value is not flag and _is_dashed(value.text)):
        decline_word(line, flag, "argument-missing", f"A word belongs behind `{flag.text}`.", FLAGS[name])
    if any(name == other and value.text == word.text for other, word in given):
        shown = flag.text if value is flag else f"{flag.text} {value.text}"
        decline_word(line, value, "unexpected-text", f"{code(shown)} is given twice.", "Keep one.")
    given.append((name, value))


def _is_dashed(text: str) -> bool:
    return text.startswith("-") and not looks_like_number(text)


def _decline_option(  # noqa: PLR0917 - one problem, its facts
    line: Line, word: Word, key: str, verb: str, options: Collection[str], flags: Collection[str]
) -> NoReturn:
    bare = key.lstrip("-").partition("=")[0].lower()
    like = get_close_matches(bare, sorted(flags), n=1) if key.startswith("-") else []
    close = get_close_matches(key.lower(), sorted(options), n=1)
    if like:
        remedy = f"Did you mean `--{like[0]}`?"
    elif close:
        remedy = f"Did you mean `{close[0]}=`?"
    elif options:
        remedy = f"`{verb}` takes {', '.join(f'`{o}=`' for o in options)}."
    else:
        remedy = f"`{verb}` takes no options."
    decline_word(line, word, "unknown-option", f"Unknown option {code(key)}.", remedy)


def looks_like_number(text: str) -> bool:
    """Whether a word is meant as a number, right or wrong: digits of any script, a sign before them."""
    bare = text.lstrip("+-−.,")
    return bare[:1].isdigit() or bare[:1].isnumeric()


def percent(line: Line, word: Word) -> int:
    """Read a percent, 0 to 100.

    Raises:
        Declined: ``number-too-long``, ``weight-leading-zero``, ``weight-out-of-range``,
            ``weight-not-a-number``, ``unexpected-text``.
    """
    text = word.text
    if _DIGITS.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            decline_word(line, word, "number-too-long", "Number too long.", WHOLE_NUMBER)
        value = int(text)
        if text != str(value):
            message = f"Leading zeros are not accepted. Did you mean {value}?"
            decline_word(line, word, "weight-leading-zero", message, WHOLE_NUMBER)
        if value > 100:  # noqa: PLR2004 - percents
            decline_word(line, word, "weight-out-of-range", f"{value} is outside 0–100.", WHOLE_NUMBER)
        return value
    foreign = [c for c in text if not c.isascii() and c.isnumeric()]
    if foreign:
        message = f"Only ASCII digits (got {code_points(foreign)})."
        decline_word(line, word, "weight-not-a-number", message, WHOLE_NUMBER)
    if tail := _DIGITS_THEN_TEXT.fullmatch(text):
        at = (word.start + len(tail[1]), word.end)
        decline(line, "unexpected-text", "Unexpected text after the weight.", "Remove it.", at=at)
    bare = text.removesuffix("%")
    remedy = f"Write `{bare}` without the sign." if _DIGITS.fullmatch(bare) else "Try `/canary 25`."
    decline_word(line, word, "weight-not-a-number", WHOLE_NUMBER, remedy)


def name(line: Line, word: Word, *, what: str = "Service", known: Collection[str] = ()) -> str:
    """Read a name: DNS-1035, at most 63 characters.

    Args:
        line: The line, for the problem.
        word: The name alone, without its option's key.
        what: What it names, for the message: ``Service``, ``App``, ``Revision``.
        known: The names that exist, where they are known: for the message only.

    Raises:
        Declined: ``bad-name``; ``unknown-service`` for letters of other scripts.
    """
    if not word.text:
        word = Word("", max(0, word.start - 1))
        decline(
            line,
            "bad-name",
            f"{what} names are not empty.",
            "Write the name behind `=`.",
            at=(word.start, word.start + 1),
        )
    if is_name(word.text) or (what == "Service" and is_qualified(word.text)):
        return word.text
    foreign = [c for c in word.text if not c.isascii()]
    rule = f"{what} names use a–z, 0–9 and '-'."
    if foreign and all(c.isalnum() for c in foreign) and what != "Revision":
        # A look-alike: say that there is no such service, and why.
        names = f"; known: {', '.join(known)}." if known else "."
        message = f"Unknown {what.lower()} {code(word.text)} (got {code_points(foreign)}){names}"
        decline_word(line, word, "unknown-service", message, rule)
    remedy = ""
    if _NAME_CHARACTERS.fullmatch(word.text):
        rule += f" They begin with a letter, do not end with '-', and have at most {LONGEST_NAME} characters."
    elif word.text.isascii() and _NAME.fullmatch(word.text.lower()):
        remedy = f"Did you mean `{word.text.lower()}`?"
    decline_word(line, word, "bad-name", rule, remedy)


def is_name(text: str) -> bool:
    """Whether a text is a DNS-1035 name of at most 63 characters."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def is_qualified(text: str) -> bool:
    """Whether a text names an object together with its kind, its namespace or both, or as a DNS subdomain."""
    return (
        any(sign in text for sign in "/.")
        and len(text) <= LONGEST_REFERENCE
        and _QUALIFIED.fullmatch(text) is not None
    )


def reference(line: Line, word: Word) -> str:
    """Read a revision's name, a destination's, or ``@latest``.

    Raises:
        Declined: ``bad-name``.
    """
    text = word.text
    is_destination = len(text) <= LONGEST_REFERENCE and _DESTINATION.fullmatch(text) is not None
    if text == LATEST or (is_destination and any(sign in text for sign in ".:/")):
        return text
    return name(line, word, what="Revision")


def route(line: Line, word: Word) -> str:
    """Read the name or the place of a rule, like ``primary`` or ``http[1]``.

    Raises:
        Declined: ``bad-name``.
    """
    if len(word.text) > LONGEST_NAME or _ROUTE.fullmatch(word.text) is None:
        at = (word.start, max(word.end, word.start + 1))
        message = "A rule is named by its own name, or by its place like `http[1]`."
        decline(line, "bad-name", message, "Leave `route=` out to see which there are.", at=at)
    return word.text


def sha(line: Line, word: Word) -> str:
    """Read a commit: 7 to 40 hexadecimal digits; given back in lower case.

    Raises:
        Declined: ``wrong-head``: what is no commit is not the head.
    """
    if not _SHA.fullmatch(word.text):
        at = (word.start, max(word.end, word.start + 1))
        decline(line, "wrong-head", "`sha=` takes 7 to 40 hexadecimal digits of the head commit.", at=at)
    return word.text.lower()


def duration(line: Line, word: Word) -> timedelta:
    """Read a duration such as ``30m``, ``2h`` or ``1d12h``; more than none, a year at most.

    Raises:
        Declined: ``bad-duration``.
    """
    remedy = "Write it like `30m`, `2h` or `1d12h`."
    seconds = seconds_of(word.text) if _DURATION.fullmatch(word.text) else None
    if not isinstance(seconds, int):
        decline_word(line, word, "bad-duration", "A duration is digits with their unit.", remedy)
    if not 0 < seconds <= LONGEST_HOLD.total_seconds():
        decline_word(line, word, "bad-duration", "A duration is longer than none and at most a year.", remedy)
    return timedelta(seconds=seconds)
