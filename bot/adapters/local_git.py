"""The git command line on somebody's own working tree: only questions, never a change.

Every command is an argument list, takes no optional lock, asks nobody anything and reaches no
network. The user's own configuration counts, as it would at the prompt. Needs git 2.24 or later
for ``--end-of-options``.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.core import trailers
from bot.core.problems import OutsideFailure
from bot.ports import ChangedFile, Commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PATIENCE = 60.0  # seconds for one command
LONG_PATIENCE = 600.0  # seconds for one that reads a whole history
LINK, SUBMODULE, FOLDER = "120000", "160000", "040000"

_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # overrides every setting: a partial clone fetches nothing either
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
# A configured monitor is a program that would be started; signatures would mix with the messages.
_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "log.follow=false")
# The first commit and merges are told as changes, whatever somebody likes to see of them.
_WHOLE = ("-c", "log.showRoot=true", "-c", "log.diffMerges=separate")
_LAST = 253_402_300_799  # the last second that a date can be, in the year 9999
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_STATUS = {"A": "added", "D": "removed", "M": "modified", "T": "changed", "R": "renamed", "C": "copied"}


@dataclass(frozen=True, slots=True)
class Landing:
    """One commit of a first-parent line, with the plain files of the asked paths that it changed.

    ``at`` is the committer's time, UTC. ``files`` gives each path's new blob, ``None`` where it is no plain file
    any more.
    """

    sha: str
    at: datetime
    author: str
    committer: str
    parents: tuple[str, ...]
    message: str
    files: tuple[tuple[str, str | None], ...]


class Git:
    """One working tree. ``top`` is its root."""

    def __init__(self, top: Path) -> None:
        self.top = top

    @classmethod
    def around(cls, folder: Path) -> Git | None:
        """Find the working tree that a folder belongs to, ``None`` when there is none, or no git.

        Raises:
            OutsideFailure: git refuses, for example because the folder belongs to another user.
        """
        try:
            done = _run(["rev-parse", "--show-toplevel"], folder)
        except FileNotFoundError:
            return None
        if done.returncode == 0:
            return cls(Path(os.fsdecode(done.stdout.removesuffix(b"\n"))).resolve())
        if b"not a git repository" in done.stderr:
            return None
        raise OutsideFailure(_words(done))

    def ask(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> bytes:
        """Run a command and give its standard output; empty for another status of ``ok`` than 0.

        Raises:
            OutsideFailure: git failed; the text is its own and untrusted.
        """
        done = _run(list(arguments), self.top)
        if done.returncode not in ok:
            raise OutsideFailure(_words(done))
        return done.stdout if done.returncode == 0 else b""

    def commit(self, revision: str) -> str | None:
        """Give the full sha of a commit that a person named, ``None`` when there is none."""
        if not revision or revision.startswith("-") or not revision.isprintable():
            return None
        # 1 is "no such thing" under --quiet, 128 an expression that git cannot read.
        name = f"{revision}^{{commit}}"
        return (
            self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name, ok=(0, 1, 128))
            .decode("ascii", "replace")
            .strip()
            or None
        )

    def branch_of(self, reference: str) -> str | None:
        """Give what a symbolic reference leads to, ``None`` when it is none."""
        shown = self.ask("symbolic-ref", "--quiet", "--short", reference, ok=(0, 1, 128))
        return shown.decode("utf-8", "replace").strip() or None

    def merge_base(self, one: str, other: str) -> str | None:
        """Give the best common ancestor of two shas, ``None`` when there is none."""
        return self.ask("merge-base", one, other, ok=(0, 1)).decode().strip() or None

    def changed(self, sha: str) -> tuple[ChangedFile, ...]:
        """Give the files that differ between a commit and the working tree, untracked ones included."""
        words = _words_of(
            self.ask(
                "diff", "--name-status", "-z", "-M", "--no-ext-diff", "--ignore-submodules=all", sha, "--"
            )
        )
        found: dict[str, ChangedFile] = {}
        at = 0
        while at + 1 < len(words):
            letter = words[at][:1]
            moved = letter in {"R", "C"}
            path = words[at + (2 if moved else 1)]
            previous = words[at + 1] if letter == "R" else None
            found[path] = ChangedFile(path, _STATUS.get(letter, "changed"), previous_path=previous)
            at += 3 if moved else 2
        for path in _words_of(self.ask("ls-files", "-z", "--others", "--exclude-standard")):
            found.setdefault(path, ChangedFile(path, "added"))
        return tuple(found[path] for path in sorted(found))

    def entry(self, path: str, sha: str) -> tuple[str, bytes] | None:
        """Give a file's mode and content at a commit, ``None`` when absent; no content for what is no file."""
        row = self.ask("ls-tree", "-z", "--full-tree", sha, "--", path)
        if not row:
            return None
        mode, _, blob = row.split(b"\0", 1)[0].split(b"\t", 1)[0].split(b" ")
        if mode.decode() in {LINK, SUBMODULE, FOLDER}:
            return mode.decode(), b""
        return mode.decode(), self.ask("cat-file", "blob", blob.decode())

    def blob(self, sha: str) -> bytes | None:
        """Give a content by its sha, ``None`` when there is none or it is another object."""
        if not _SHA.fullmatch(sha):
            return None
        kind = self.ask("cat-file", "-t", sha, ok=(0, 1, 128)).strip()
        return self.ask("cat-file", "blob", sha) if kind == b"blob" else None

    def log(self, until: str, *, since: str | None = None, path: str = "", limit: int) -> tuple[Commit, ...]:
        """Give commits, newest first.

        ``ours`` is true for a commit whose message holds the bot's trailers: offline there is nobody to ask
        who wrote it.

        Args:
            until: The newest, a full sha.
            since: Leave out what is reachable from this sha.
            path: Only those that changed this file.
            limit: At most so many.
        """
        said = self.ask(
            *("log", "-z", "--no-color", "--encoding=UTF-8", "--format=%H%n%P%n%cI%n%an%n%B"),
            *(f"--max-count={limit:d}", until, *([f"^{since}"] if since else [])),
            *("--", *([path] if path else [])),
        )
        return tuple(_commit(text) for text in _words_of(said))

    # --- a whole history: what was replaced by ``git replace`` counts as it was ----------------------

    def is_shallow(self) -> bool:
        """Whether the clone lacks the older history."""
        return self.ask("rev-parse", "--is-shallow-repository").strip() == b"true"

    def line(
        self, until: str, paths: Sequence[str] = (), *, globs: Sequence[str] = ()
    ) -> tuple[Landing, ...]:
        """Give all commits of the first-parent line, newest first, each compared with its first parent.

        Args:
            until: The newest, a full sha.
            paths: Files and folders to tell changes of, as they are written.
            globs: Patterns of files instead, as ``git help glossary`` has them; one ``*`` passes slashes.
        """
        said = self._history(
            *("log", "-z", "--first-parent", "-m", "--sparse", "--raw", "--no-abbrev", "--no-renames"),
            *("--no-color", "--no-ext-diff", "--no-notes", "--no-mailmap", "--encoding=UTF-8"),
            *("--format=%H%x00%ct%x00%an%x00%cn%x00%P%x00%B%x00", until, "--", *paths, *globs),
            before=["--no-literal-pathspecs"] if globs else [],
        )
        return tuple(_landings(said))

    def parents(self, until: str) -> dict[str, tuple[str, ...]]:
        """Give the parents of every commit behind a full sha, parents before children."""
        rows = (
            self._history("rev-list", "--topo-order", "--reverse", "--parents", until)
            .decode("ascii")
            .splitlines()
        )
        return {sha: tuple(parents) for sha, *parents in (row.split(" ") for row in rows)}

    def mentioning(self, until: str, text: str) -> tuple[tuple[str, str, str], ...]:
        """Give sha, author's name and message of the commits behind a full sha whose message holds a text."""
        said = self._history(
            *("log", "-z", "--no-color", "--no-notes", "--no-mailmap", "--encoding=UTF-8"),
            *("--format=%H%n%an%n%B", "--fixed-strings", f"--grep={text}", until, "--"),
        )
        rows = (word.split("\n", 2) for word in _words_of(said))
        return tuple((sha, author, message) for sha, author, message in rows)

    def contents(self, names: Sequence[str], *, largest: int) -> dict[str, bytes]:
        """Give contents by blob sha or ``commit:path``; what is missing, no file or larger is left out.

        Args:
            names: Without line feeds; as many as may be held in memory at ``largest`` bytes each.
            largest: In bytes.
        """
        rows = self._fed("--batch-check=%(objectname) %(objecttype) %(objectsize)", names)
        shas: dict[str, str] = {}
        for name, row in zip(names, rows.split(b"\n"), strict=False):
            found = row.split(b" ")
            if len(found) == 3 and found[1] == b"blob" and int(found[2]) <= largest:  # noqa: PLR2004 - the format
                shas[name] = found[0].decode("ascii")
        wanted = tuple(dict.fromkeys(shas.values()))
        said, at, held = self._fed("--batch=%(objectname) %(objectsize)", wanted), 0, {}
        for sha in wanted:
            end = said.index(b"\n", at)
            size = int(said[at:end].split(b" ")[1])
            held[sha] = said[end + 1 : end + 1 + size]
            at = end + size + 2
        return {name: held[sha] for name, sha in shas.items()}

    def _fed(self, form: str, names: Iterable[str]) -> bytes:
        fed = b"".join(os.fsencode(name) + b"\n" for name in names)
        return self._history("cat-file", form, fed=fed) if fed else b""

    def _history(self, *arguments: str, before: Sequence[str] = (), fed: bytes | None = None) -> bytes:
        words = [*before, "--no-replace-objects", *_WHOLE, *arguments]
        done = _run(words, self.top, patience=LONG_PATIENCE, fed=fed)
        if done.returncode:
            raise OutsideFailure(_words(done))
        return done.stdout


def _landings(said: bytes) -> Iterable[Landing]:
    words = said.split(b"\0")
    at = 0
    while at + 6 < len(words):
        sha, seconds, author, committer, parents, message = (os.fsdecode(w) for w in words[at : at + 6])
        at += 7  # an empty word ends the commit
        files: list[tuple[str, str | None]] = []
        while at + 1 < len(words) and words[at].lstrip(b"\n").startswith(b":"):
            _, mode, _, blob, _ = words[at].lstrip(b"\n").decode("ascii").split(" ")
            is_file = mode.startswith("100")
            files.append((os.fsdecode(words[at + 1]), blob if is_file else None))
            at += 2
        # Anybody may write any date into a commit.
        when = datetime.fromtimestamp(min(int(seconds), _LAST), UTC)
        yield Landing(sha, when, author, committer, tuple(parents.split()), message, tuple(files))


def _run(
    arguments: list[str], folder: Path, *, patience: float = PATIENCE, fed: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *_SETTINGS, *arguments],
            cwd=folder,
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.DEVNULL if fed is None else None,
            input=fed,
            capture_output=True,
            check=False,
            timeout=patience,
        )
    except subprocess.TimeoutExpired:
        raise OutsideFailure(f"git {arguments[0]} took more than {patience:g} s") from None


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"git: {lines[0].removeprefix('fatal: ')}" if lines else f"git ended with status {done.returncode}"


def _words_of(output: bytes) -> list[str]:
    return [os.fsdecode(word) for word in output.split(b"\0") if word]


def _commit(text: str) -> Commit:
    sha, parents, at, author, message = text.split("\n", 4)
    return Commit(
        sha=sha,
        message=message,
        at=datetime.fromisoformat(at).astimezone(UTC),
        author=author,
        ours=bool(trailers.records(message)),
        parents=tuple(parents.split()),
    )
