"""Text from outside, made inert for Markdown.

User text is shown only inside code: no mention, link, image or issue reference
can come out of it. Source: CommonMark 0.31, code spans and fenced code blocks.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_SHOWN = 300  # characters of foreign text in one reply
LONGEST_LINE = 2000  # characters of a line in a block
LONGEST_RUN = 20  # back-ticks in a row; GitHub's cmark knows no code span beyond 80, no fence beyond 255

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONG_RUN = re.compile(f"(`{{{LONGEST_RUN}}})`+")


def _visible(character: str) -> str:
    if character == " " or "!" <= character <= "~" or unicodedata.category(character) not in _ESCAPED:
        return character
    return f"\\u{{{ord(character):x}}}"


def printable(text: str, *, longest: int = LONGEST_SHOWN) -> str:
    """Make control, format and surrogate characters visible, on one line, and cap the length.

    The cap counts characters of ``text``; an escape is longer than the character it stands
    for. A very long run of back-ticks is cut, because no code span could hold it.
    """
    shown = _LONG_RUN.sub(r"\1…", "".join(map(_visible, text[:longest])))
    return shown if len(text) <= longest else shown + "…"


def code(text: str, *, longest: int = LONGEST_SHOWN) -> str:
    """Give a code span that holds ``text``, whatever it is."""
    shown = printable(text, longest=longest)
    fence = "`" * (1 + _longest_run(shown))
    # A space keeps a back-tick at either end away from the fence. CommonMark strips one space
    # from both ends, unless the span is nothing but spaces.
    needs_pad = not shown or (shown.strip(" ") and (shown[0] in " `" or shown[-1] in " `"))
    pad = " " if needs_pad else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str, *, longest: int = LONGEST_SHOWN) -> str:
    """Give a code span for a cell of a table.

    GitHub parts cells before it looks for code spans. A bar is spelled and not escaped: behind
    a back-slash in the text, the escaping one would itself be escaped.
    """
    return code(text, longest=longest).replace("|", "\\u{7c}")


def code_block(lines: str, *, language: str = "text") -> str:
    """Give a fenced block that holds ``lines``, whatever they are; line feeds are kept."""
    return _fenced("\n".join(printable(line, longest=LONGEST_LINE) for line in lines.split("\n")), language)


def pointed(source: str, caret: tuple[int, int]) -> str:
    """Give a fenced block that holds one line, and carets under a part of it.

    Args:
        source: The line, whatever it is; a line feed in it is escaped.
        caret: (start, length) in characters of ``source``. The carets stand under what is
            shown for them: escapes are longer, East Asian characters wider, accents narrower.
    """
    start, length = caret
    shown = printable(source, longest=LONGEST_LINE)
    before = _columns(source[:start])
    under = max(1, _columns(source[start : start + max(1, length)]))
    return _fenced(f"{shown}\n{' ' * before}{'^' * under}", "text")


def _columns(text: str) -> int:
    shown = printable(text, longest=LONGEST_LINE)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown
    )


def _fenced(body: str, language: str) -> str:
    fence = "`" * max(3, 1 + _longest_run(body))
    return f"{fence}{language}\n{body}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
