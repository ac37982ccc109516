r"""Who owns a file: GitHub's CODEOWNERS, read and matched.

Source: GitHub's documentation, "About code owners". Patterns are those of gitignore without ``!``, ``[ ]`` and a
leading ``\#``; the last pattern that matches a file decides, and one without owners gives the file to nobody; a line
that is no rule is skipped. Where the documentation is silent, gitignore's own rules count, except that ``docs/*`` means
the files of the folder and none below, as GitHub documents it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LOCATIONS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, on the base branch; the first file that is there counts, also when it is too large."""

TOO_LARGE = 3 * 1024 * 1024  # bytes; GitHub loads what is smaller

_USER = re.compile(r"@[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?", re.ASCII)
_TEAM = re.compile(r"@[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?/[A-Za-z0-9_.-]{1,255}", re.ASCII)
_EMAIL = re.compile(r"[^\s@#,;<>]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}", re.ASCII)
_ANY = "**"  # any number of folders, none included


@dataclass(frozen=True, slots=True)
class Line:
    """One rule. ``number`` counts from 1; ``owners`` are ``@user``, ``@org/team`` or addresses, as written."""

    number: int
    pattern: str
    owners: tuple[str, ...]

    def matches(self, path: str) -> bool:
        """Whether the rule is about a file; ``path`` is the repository's own, with ``/`` and none in front."""
        return _matches(_compiled(self.pattern), tuple(path.split("/")))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that GitHub skips, and why. ``number`` counts from 1, 0 for the whole file."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class CodeOwners:
    """A file's rules, in its order, and what was skipped."""

    lines: tuple[Line, ...]
    skipped: tuple[Skipped, ...] = ()

    def rule_for(self, path: str) -> Line | None:
        """Give the rule that decides about a file: the last that matches; ``None`` where none does."""
        return next((line for line in reversed(self.lines) if line.matches(path)), None)

    def owners_of(self, path: str) -> tuple[str, ...]:
        """Give a file's owners, as written; nobody where no rule matches, or the last that does names none."""
        rule = self.rule_for(path)
        return () if rule is None else rule.owners


def parse(content: bytes) -> CodeOwners:
    """Read a file; never raises, whatever it holds."""
    if len(content) >= TOO_LARGE:
        return CodeOwners((), (Skipped(0, "The file has 3 MB or more, and GitHub does not load it."),))
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines: list[Line] = []
    skipped: list[Skipped] = []
    for number, raw in enumerate(text.split("\n"), 1):
        words = _words(raw.removesuffix("\r"))
        if not words:
            continue
        pattern, *owners = words
        why = _against(pattern) or next((_no_owner(word) for word in owners if not is_owner(word)), "")
        if why:
            skipped.append(Skipped(number, why))
        else:
            lines.append(Line(number, pattern, tuple(owners)))
    return CodeOwners(tuple(lines), tuple(skipped))


def is_owner(word: str) -> bool:
    """Whether a word can be an owner: ``@user``, ``@org/team`` or an address."""
    return any(form.fullmatch(word) for form in (_USER, _TEAM, _EMAIL))


def _words(line: str) -> list[str]:
    """Part a line at blanks that no back-slash stands before; a word that begins with ``#`` ends it."""
    words: list[str] = []
    word = ""
    at = 0
    while at < len(line):
        letter = line[at]
        if letter == "\\" and at + 1 < len(line):
            word += line[at : at + 2]
            at += 2
            continue
        if letter in " \t":
            if word:
                words.append(word)
            word = ""
        elif letter == "#" and not word:
            break
        else:
            word += letter
        at += 1
    return [*words, word] if word else words


def _against(pattern: str) -> str:
    """Say why a pattern is none, empty where it is one."""
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in pattern):
        return "A pattern holds no control characters."
    if pattern.startswith("!"):
        return "CODEOWNERS knows no `!`."
    if pattern.startswith("\\#"):
        return "CODEOWNERS knows no pattern that begins with `#`."
    if "[" in pattern or "]" in pattern:
        return "CODEOWNERS knows no `[ ]`."
    if "***" in pattern:
        return "Three asterisks in a row mean nothing."
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        return "A pattern does not end with a back-slash."
    if "//" in pattern or not pattern.strip("/"):
        return "A pattern names files or folders between its slashes."
    return ""


def _no_owner(word: str) -> str:
    return "An owner is written `@user`, `@org/team` or as an address." if word else ""


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> tuple[str, ...]:
    """Give a pattern as what the folders and the name of a whole path must match, one by one."""
    body = pattern.removesuffix("/")
    is_rooted = "/" in body
    parts = body.removeprefix("/").split("/")
    found = parts if is_rooted else [_ANY, *parts]
    if parts[-1] == _ANY:
        found = [*found, "*"]  # all that lies below, but not the folder itself
    if pattern.endswith("/"):
        found = [*found, _ANY, "*"]  # what lies in a folder of the name
    elif parts[-1] not in {"*", _ANY}:
        found = [*found, _ANY]  # the file itself, or what lies in a folder of the name
    return tuple(found)


def _matches(wanted: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Match part for part; linear in both, because going back to the last ``**`` is enough."""
    at = place = 0
    back: tuple[int, int] | None = None
    while place < len(parts):
        if at < len(wanted) and wanted[at] == _ANY:
            back = (at, place)
            at += 1
        elif at < len(wanted) and _fits(wanted[at], parts[place]):
            at += 1
            place += 1
        elif back is not None:
            back = (back[0], back[1] + 1)
            at, place = back[0] + 1, back[1]
        else:
            return False
    return all(part == _ANY for part in wanted[at:])


def _fits(glob: str, name: str) -> bool:
    """Match one name: ``*`` is any text, ``?`` one character, a back-slash takes the next one as it is."""
    tokens = _tokens(glob)
    at = place = 0
    back: tuple[int, int] | None = None
    while place < len(name):
        kind, letter = tokens[at] if at < len(tokens) else ("end", "")
        if kind == "any":
            back = (at, place)
            at += 1
        elif kind == "one" or (kind == "is" and letter == name[place]):
            at += 1
            place += 1
        elif back is not None:
            back = (back[0], back[1] + 1)
            at, place = back[0] + 1, back[1]
        else:
            return False
    return all(kind == "any" for kind, _ in tokens[at:])


@lru_cache(maxsize=4096)
def _tokens(glob: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(glob):
        letter = glob[at]
        if letter == "\\" and at + 1 < len(glob):
            at += 1
            found.append(("is", glob[at]))
        elif letter == "*":
            found.append(("any", ""))
        else:
            found.append(("one", "") if letter == "?" else ("is", letter))
        at += 1
    return tuple(found)
