"""Text from outside, made inert for Markdown.

User text is shown only inside code: no mention, link, image or issue reference
can come out of it. Source: CommonMark 0.31, code spans and fenced code blocks.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_SHOWN = 300  # characters of foreign text in one reply


def printable(text: str, *, longest: int = LONGEST_SHOWN) -> str:
    """Make control, format and surrogate characters visible, on one line, and cap the length."""
    shown = "".join(
        f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else c
        for c in text[: longest + 1]
    )
    return shown if len(text) <= longest else shown[:longest] + "…"


def code(text: str, *, longest: int = LONGEST_SHOWN) -> str:
    """Give a code span that holds ``text``, whatever it is."""
    shown = printable(text, longest=longest)
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
    # A space keeps a back-tick at either end away from the fence, and CommonMark strips one
    # space only when the span is not all spaces.
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def code_block(lines: str, *, language: str = "text") -> str:
    """Give a fenced block that holds ``lines``, whatever they are; line feeds are kept."""
    body = "\n".join(printable(line, longest=2000) for line in lines.split("\n"))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return f"{fence}{language}\n{body}\n{fence}"
