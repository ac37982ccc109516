"""A file in a form: what a browser does to its bytes, undone.

A text area sends every line end as CR LF (HTML Living Standard, "value sanitization" and
form submission) and shows no byte-order mark, so bytes are put back here: a line that
nobody touched keeps its own end.
"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

LARGEST = 512 * 1024  # bytes of a file that is shown and edited
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def as_text(content: bytes) -> str | None:
    """Give a file's text for a form, ``None`` when it is none: not UTF-8, with a NUL, too large."""
    if len(content) > LARGEST or b"\0" in content:
        return None
    try:
        return content.decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError:
        return None


def with_own_ends(before: bytes, typed: str) -> bytes:
    """Give the bytes that somebody meant who saw ``before`` and sent ``typed``.

    Args:
        before: The file's bytes, UTF-8.
        typed: The text area's value, its lines parted by CR LF or LF.
    """
    text = before.decode("utf-8")
    mark = _MARK if text.startswith(_MARK) else ""
    lines = typed.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\r" not in text:
        return (mark + "\n".join(lines)).encode("utf-8")
    old = _cut(text.removeprefix(_MARK))
    bare = [line.rstrip("\r\n") for line in old]
    usual = Counter(line[len(short) :] for line, short in zip(old, bare, strict=True) if line != short)
    default = usual.most_common(1)[0][0] if usual else "\n"
    ends = [default] * len(lines)
    for block in SequenceMatcher(None, bare, lines, autojunk=False).get_matching_blocks():
        for at in range(block.size):
            own = old[block.a + at][len(bare[block.a + at]) :]
            ends[block.b + at] = own or default
    ends[-1] = ""
    return (mark + "".join(map("".join, zip(lines, ends, strict=True)))).encode("utf-8")


def _cut(text: str) -> list[str]:
    """Cut behind CR LF, LF and lone CR only; ``splitlines`` knows more ends than a text area."""
    lines: list[str] = []
    begin = at = 0
    while at < len(text):
        if text.startswith("\r\n", at):
            at += 2
        elif text[at] in "\r\n":
            at += 1
        else:
            at += 1
            continue
        lines.append(text[begin:at])
        begin = at
    return [*lines, text[begin:]]
