"""Git's objects and refs, read and written in git's own files without starting git.

Nothing is remembered here that could change: an object is named by its content, and a ref is read
from its file each time. What is not found loose, or is not plain, is left to git itself: ``None``
always means "ask git". Source: git's ``gitformat-loose``, ``gitrepository-layout`` and
``git-update-index`` (what ``--replace`` removes).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHA = re.compile(r"[0-9a-f]{40}")
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows it without having it
FOLDER = "40000"  # the mode of a tree, as it stands in a tree
FILES = frozenset({"100644", "100755", "120000"})
_MODES = FILES | {FOLDER, "160000"}
# A narrower set than git's: no name that any file system could take for ".git", no revision syntax.
_PART = re.compile(r"(?!(?i:\.git)(?!hub$|ignore$|keep$))[\w.+@=, -]*[\w+@=,-]", re.ASCII)
_REF = re.compile(r"refs(/[A-Za-z0-9_][A-Za-z0-9_.+=,-]*)+", re.ASCII)

Entries = dict[str, tuple[str, str]]
"""A tree: mode and sha by name."""


def read(objects: Path, sha: str) -> tuple[str, bytes] | None:
    """Give type and content of a loose object."""
    try:
        raw = zlib.decompress((objects / sha[:2] / sha[2:]).read_bytes())
    except (OSError, zlib.error):
        return None
    header, _, content = raw.partition(b"\0")
    return header.decode("ascii").partition(" ")[0], content


def write(objects: Path, kind: str, content: bytes) -> str:
    """Store an object loose, as ``hash-object -w`` does, and give its sha."""
    raw = f"{kind} {len(content)}\0".encode() + content
    sha = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    path = objects / sha[:2] / sha[2:]
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="tmp_obj_", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(zlib.compress(raw, 1))
        Path(name).chmod(0o444)
        Path(name).replace(path)  # at once: nobody sees half an object
    return sha


def ref(repository: Path, name: str) -> str | None:
    """Give the sha of a ref that has a file of its own."""
    if not _REF.fullmatch(name) or ".." in name or name.endswith(".lock"):
        return None
    try:
        text = (repository / name).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if SHA.fullmatch(text) else None


def refs(repository: Path, prefix: str) -> dict[str, str] | None:
    """Give the refs under a prefix (with a slash at its end) by name without it, in git's order."""
    if (repository / "packed-refs").exists() or not (repository / "refs" / "heads").is_dir():
        return None  # the latter: refs that are kept in tables
    found: dict[str, str] = {}
    for folder, _, files in os.walk(repository / prefix):
        for file in files:
            name = os.path.relpath(os.path.join(folder, file), repository)  # noqa: PTH118 - said often
            sha = ref(repository, name)
            if sha is None and not file.endswith(".lock"):
                return None
            if sha is not None:
                found[name[len(prefix) :]] = sha
    return {name: found[name] for name in sorted(found, key=str.encode)}


def parse_tree(content: bytes) -> Entries | None:
    """Read a tree; ``None`` when a mode or a name in it is not plain."""
    entries: Entries = {}
    at = 0
    while at < len(content):
        blank, end = content.index(b" ", at), content.index(b"\0", at)
        mode = content[at:blank].decode("ascii")
        name = content[blank + 1 : end].decode("utf-8", "surrogateescape")
        if mode not in _MODES:
            return None
        entries[name] = (mode, content[end + 1 : end + 21].hex())
        at = end + 21
    return entries


def write_entries(objects: Path, entries: Entries) -> str:
    """Store a tree and give its sha."""

    def place(item: tuple[str, tuple[str, str]]) -> bytes:
        return os.fsencode(item[0]) + (b"/" if item[1][0] == FOLDER else b"")

    content = b"".join(
        mode.encode() + b" " + os.fsencode(name) + b"\0" + bytes.fromhex(sha)
        for name, (mode, sha) in sorted(entries.items(), key=place)
    )
    return write(objects, "tree", content)


def parts_of(path: str) -> list[str] | None:
    """Give the names on a path; ``None`` when git may not take it as it stands."""
    parts = path.split("/")
    return parts if all(map(_PART.fullmatch, parts)) else None


def find(objects: Path, tree: str, parts: Iterable[str]) -> tuple[bool, str, str]:
    """Find a path below a tree: whether git need not be asked, mode and sha (empty: not there)."""
    mode = FOLDER
    for part in parts:
        if mode != FOLDER:
            return True, "", ""
        found = read(objects, tree)
        entries = parse_tree(found[1]) if found is not None and found[0] == "tree" else None
        if entries is None:
            return False, "", ""
        mode, tree = entries.get(part, ("", ""))
        if not tree:
            return True, "", ""
    return True, mode, tree


class Draft:
    """A tree under change, loaded folder by folder; raises ``KeyError`` where git has to be asked.

    Args:
        objects: The folder of the objects.
        tree: The sha of the tree to begin with; ``None`` for an empty one.
    """

    def __init__(self, objects: Path, tree: str | None) -> None:
        self._objects = objects
        self._entries: Entries = {}
        self._folders: dict[str, Draft] = {}
        if tree not in {None, EMPTY_TREE}:
            found = read(objects, tree)
            entries = parse_tree(found[1]) if found is not None and found[0] == "tree" else None
            if entries is None:
                raise KeyError(tree)
            self._entries = entries

    def put(self, parts: list[str], entry: tuple[str, str]) -> None:
        """Put (mode, sha) at a path; a file in the way of the path, or a folder there, goes."""
        name = parts[0]
        if len(parts) == 1:
            self._folders.pop(name, None)
            self._entries[name] = entry
            return
        self._folder(name, make=True).put(parts[1:], entry)

    def drop(self, parts: list[str]) -> None:
        """Take the file at a path away; nothing happens when there is none."""
        name = parts[0]
        if len(parts) == 1:
            if name not in self._folders and self._entries.get(name, (FOLDER, ""))[0] != FOLDER:
                del self._entries[name]
        elif name in self._folders or self._entries.get(name, ("", ""))[0] == FOLDER:
            self._folder(name, make=False).drop(parts[1:])

    def _folder(self, name: str, *, make: bool) -> Draft:
        if name not in self._folders:
            mode, sha = self._entries.get(name, ("", ""))
            self._folders[name] = Draft(self._objects, sha if mode == FOLDER else None)
            if make:
                self._entries.pop(name, None)
        return self._folders[name]

    def store(self) -> str:
        """Store the tree and give its sha."""
        return write_entries(self._objects, self._settled())

    def _settled(self) -> Entries:
        entries = dict(self._entries)
        for name, folder in self._folders.items():
            below = folder._settled()  # noqa: SLF001 - another of the same kind
            entries.pop(name, None)
            if below:  # git keeps no empty folder
                entries[name] = (FOLDER, write_entries(self._objects, below))
        return entries


def changed(objects: Path, base: str | None, changes: Iterable[tuple[str, str, str | None]]) -> str | None:
    """Give the tree ``base`` with changes of (path, mode, blob or ``None`` to delete), stored."""
    try:
        draft = Draft(objects, base)
        for path, mode, sha in changes:
            parts = parts_of(path)
            if parts is None or mode not in FILES:
                return None
            if sha is None:
                draft.drop(parts)
            elif (objects / sha[:2] / sha[2:]).exists():
                draft.put(parts, (mode, sha))
            else:
                return None
        return draft.store()
    except KeyError:
        return None
