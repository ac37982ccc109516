"""What Git itself says: names of objects, paths and branches that may be asked for.

Object names: ``git hash-object``, gitformat-pack; SHA-1 repositories only, as on GitHub.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

from bot.ports import Refused

FOLDER, FILE, EXECUTABLE, LINK, SUBMODULE = "040000", "100644", "100755", "120000", "160000"
_LONGEST_PATH = 1_024
_PRINTABLE = re.compile(r"[ -\[\]-~]+", re.ASCII)  # ASCII without control characters and backslash
_FULL_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree object."""

    mode: str
    name: str
    sha: str


def is_full_sha(text: str) -> bool:
    """Say whether ``text`` names a commit for good."""
    return _FULL_SHA.fullmatch(text) is not None


def blob_sha(content: bytes) -> str:
    """Give the name Git gives to a file's content."""
    return _object_sha("blob", content)


def tree_sha(entries: tuple[Entry, ...]) -> str:
    """Give the name Git gives to a folder."""
    # Git sorts folders as if their names ended in a slash, and writes modes without leading zeros.
    ordered = sorted(entries, key=lambda e: e.name.encode() + (b"/" if e.mode == FOLDER else b""))
    rows = (f"{e.mode.lstrip('0')} {e.name}\0".encode() + bytes.fromhex(e.sha) for e in ordered)
    return _object_sha("tree", b"".join(rows))


def _object_sha(kind: str, content: bytes) -> str:
    header = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def replaced(levels: tuple[tuple[Entry, ...], ...], path: str, leaf: Entry) -> str:
    """Give the root tree's name after one file was written.

    Args:
        levels: The entries of each folder on the way to ``path``, the root first; folders
            that are not there yet are left out.
        path: The file's path from the root.
        leaf: The file's new entry.
    """
    folders = path.split("/")[:-1]
    new = leaf
    for depth in range(len(folders), -1, -1):
        old = levels[depth] if depth < len(levels) else ()
        sha = tree_sha((*(e for e in old if e.name != new.name), new))
        new = Entry(FOLDER, folders[depth - 1] if depth else "", sha)
    return new.sha


def readable(path: str) -> str:
    """Check a path before it is asked for, and give it as part of a URL.

    Source: ``reference/reliability.md`` T30. Only ASCII; no empty, ``.`` or ``..`` segment; no
    ``.git*`` segment in any case, save ``.github`` at the root, where the configuration lives.

    Raises:
        Refused: The path is not of that grammar.
    """
    segments = path.split("/")
    refused = (
        len(path) > _LONGEST_PATH
        or not _PRINTABLE.fullmatch(path)
        or any(s in {"", ".", ".."} for s in segments)
        or any(_is_gits_own(s) for s in (segments[1:] if segments[0] == ".github" else segments))
    )
    if refused:
        raise Refused("Path refused: it is not a plain path inside the repository.")
    return quote(path, safe="/")


def writable(path: str) -> str:
    """Check a path before it is written to: as ``readable``, and not under ``.github``.

    Raises:
        Refused: The path is not of that grammar.
    """
    quoted = readable(path)
    if path.split("/", 1)[0] == ".github":
        raise Refused("Path refused: the bot does not write below .github.")
    return quoted


def _is_gits_own(segment: str) -> bool:
    # ``git~1`` is what Windows calls ``.git``; trailing dots and spaces are ignored there.
    name = segment.lower().strip(" .")
    return (
        segment.lower().lstrip(" ").startswith(".git") or re.fullmatch(r"git~\d+", name, re.ASCII) is not None
    )


def branch_path(branch: str) -> str:
    """Give a branch's name as part of a URL.

    Raises:
        Refused: No branch can have that name.
    """
    # urllib3 resolves dot segments, so such a name would ask for something else altogether.
    if not branch or any(s in {"", ".", ".."} for s in branch.split("/")) or branch != branch.strip():
        raise Refused("No branch has that name.")
    return quote(branch, safe="/")
