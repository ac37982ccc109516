"""What Go's standard library makes of text, where an upstream program's answer depends on it.

Source: Go 1.22, ``strconv.Quote``, ``strconv.Atoi`` and ``time.ParseDuration``. Text is what Python makes of
the command line or of a file: a byte that is no UTF-8 is a lone surrogate (``surrogateescape``).
"""

from __future__ import annotations

import re

LARGEST = 2**63 - 1
_LONGEST = 19  # digits of LARGEST

_INTEGER = re.compile(r"([+-]?)([0-9]+)", re.ASCII)
_SHORT = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(
    r"(?=[0-9.])([0-9]*)(?:\.([0-9]*))?(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + ")"
)
SECOND = 10**9  # nanoseconds


def quoted(text: str) -> str:
    """Give text as ``%q`` prints it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # noqa: PLR2004 - a byte, by surrogateescape
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x20 or number == 0x7F:  # noqa: PLR2004 - ASCII
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004 - Unicode's planes


def encoded(text: str) -> bytes:
    """Give the bytes that the text stands for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, as an escape in a file can spell it
        return text.encode("utf-8", "surrogatepass")


def integer(text: str) -> int | None:
    """Give the number that ``Atoi`` reads: a sign, ASCII digits, 64 bits; else ``None``."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    digits = found[2].lstrip("0") or "0"
    if len(digits) > _LONGEST:
        return None
    number = -int(digits) if found[1] == "-" else int(digits)
    return number if -LARGEST - 1 <= number <= LARGEST else None


def duration(text: str) -> int | None:
    """Give the nanoseconds of a duration like ``1m30s``, or ``None`` where it is none."""
    sign, rest = (text[0], text[1:]) if text[:1] in {"+", "-"} else ("", text)
    if rest == "0":
        return 0
    total = at = 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None or not (found[1] or found[2]):
            return None
        unit, fraction = _UNITS[found[3]], found[2] or ""
        if max(len(found[1].lstrip("0")), len(fraction)) > _LONGEST:
            return None
        total += int(found[1] or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        at = found.end()
    if not rest or total > LARGEST:
        return None
    return -total if sign == "-" else total
