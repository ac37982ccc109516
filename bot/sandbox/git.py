"""The git command line on bare repositories, for the sandbox.

Every command is an argument list, runs with the sandbox's own configuration (never the user's),
without hooks and without a network. Objects cannot change once written, so what is read by sha
is kept, and so is what follows from shas alone. What lies in plain files is read there
(``objects``), since starting git costs some milliseconds. Needs git 2.38 or later for
``merge-tree --write-tree``.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.sandbox import objects
from bot.sandbox.history import History, parse_commit
from bot.sandbox.objects import SHA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from bot.sandbox.model import Commit

__all__ = ["ABSENT", "CONFIGURATION", "SHA", "SIGNATURE", "Git", "GitError", "Signed", "Stale", "TreeEntry"]
__all__ += ["environment", "parse_commit"]

ABSENT = "0" * 40  # what git calls a ref that is not there
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nc2FuZGJveA==\n-----END PGP SIGNATURE-----"
CONFIGURATION = """\
[safe]
	directory = *
[core]
	hooksPath = /dev/null
	quotePath = false
[gc]
	auto = 0
[maintenance]
	auto = false
[init]
	defaultBranch = main
[protocol]
	allow = never
[protocol "file"]
	allow = always
"""


_BRANCH_NAMES: dict[str, bool] = {}  # which names git takes does not depend on a repository


class GitError(Exception):
    """A git command failed; the text is its standard error."""


class Stale(Exception):  # noqa: N818 - an answer
    """A ref is not where the writer thought it was."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: octal mode (``100644``), type, sha, size of a blob, path."""

    mode: str
    kind: str
    sha: str
    size: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Signed:
    """Who makes a commit, and when; with ``sign`` it carries the sandbox's signature."""

    author: tuple[str, str]
    committer: tuple[str, str]
    authored_at: datetime
    committed_at: datetime
    sign: bool


def environment(configuration: Path, **more: str) -> dict[str, str]:
    """Give the environment of a git command: the caller's, without its git settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(configuration),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
        **more,
    }


class Git:
    """One bare repository.

    Args:
        path: Its folder.
        configuration: A git configuration file, the only one that is read.
        objects: Another repository's object folder to share, as forks do.
    """

    def __init__(self, path: Path, configuration: Path, objects: Path | None = None) -> None:
        self.path = path
        self.configuration = configuration
        self.objects = objects or path / "objects"
        self._commits: dict[str, Commit] = {}
        self._blobs: dict[str, bytes] = {}
        self._kinds: dict[str, str] = {}
        self._logs: dict[tuple[tuple[str, ...], str | None, int | None], list[str]] = {}
        self._bases: dict[tuple[str, str], str | None] = {}
        self._merges: dict[tuple[str, str], str | None] = {}
        self._history = History(self._at_hand)

    @classmethod
    def init(cls, path: Path, configuration: Path, objects: Path | None = None) -> Git:
        """Make an empty bare repository at ``path``."""
        path.mkdir(parents=True)
        git = cls(path, configuration, objects)
        git.run("init", "--quiet", "--bare", "--template=", str(path))
        return git

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: Sequence[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run a git command and give its standard output. Raises ``GitError``."""
        return self.answer(*arguments, stdin=stdin, ok=ok, env=env)[1]

    def answer(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: Sequence[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Run a git command and give its exit status, one of ``ok``, and its standard output."""
        here = {"GIT_DIR": str(self.path), "GIT_OBJECT_DIRECTORY": str(self.objects)}
        done = subprocess.run(
            ["git", *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.path,
            env=environment(self.configuration, **(here | dict(env or {}))),
        )
        if done.returncode not in ok:
            raise GitError(f"git {arguments[0]}: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.returncode, done.stdout

    # refs --------------------------------------------------------------------------------------

    def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """Give the refs under a prefix, by name without it."""
        found = objects.refs(self.path, prefix)
        if found is not None:
            return found
        lines = self.run("for-each-ref", "--format=%(objectname) %(refname)", prefix).decode().splitlines()
        return {line[41 + len(prefix) :]: line[:40] for line in lines}

    def ref(self, name: str) -> str | None:
        """Give the sha of a full ref name, ``None`` when it is not there."""
        sha = objects.ref(self.path, name)
        if sha is not None:
            return sha
        status, out = self.answer(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name, ok=(0, 1, 128)
        )
        return out.decode().strip() if status == 0 and name.startswith("refs/") else None

    def update_ref(self, name: str, new: str, old: str) -> None:
        """Point a ref at ``new`` if it is at ``old`` (``ABSENT``: not there). Raises ``Stale``."""
        try:
            self.run("update-ref", "--no-deref", "--end-of-options", name, new, old)
        except GitError as error:
            raise Stale(str(error)) from error

    def delete_ref(self, name: str, old: str) -> None:
        """Delete a ref if it is at ``old``. Raises ``Stale``."""
        try:
            self.run("update-ref", "--no-deref", "-d", name, old)
        except GitError as error:
            raise Stale(str(error)) from error

    def is_branch_name(self, name: str) -> bool:
        """Tell whether git takes ``name`` as a branch."""
        if name not in _BRANCH_NAMES:
            asked = "\0" not in name
            _BRANCH_NAMES[name] = (
                asked and self.answer("check-ref-format", f"refs/heads/{name}", ok=(0, 1))[0] == 0
            )
        return _BRANCH_NAMES[name]

    def resolve(self, revision: str) -> str | None:
        """Give the commit that a sha (also a short one), branch or tag names."""
        if "\0" in revision:
            return None
        short = re.fullmatch(r"[0-9a-f]{4,40}", revision)
        plain = revision if short else objects.ref(self.path, f"refs/heads/{revision}")
        if plain is not None and SHA.fullmatch(plain) and self.kind(plain) == "commit":
            return plain
        names = [
            f"refs/heads/{revision}",
            f"refs/tags/{revision}",
            revision if revision.startswith("refs/") else "",
        ]
        if short:
            names.insert(0, revision)
        elif revision == "HEAD":
            names.insert(0, "HEAD")
        for name in filter(None, names):
            status, out = self.answer(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", ok=(0, 1, 128)
            )
            if status == 0:
                return out.decode().strip()
        return None

    # objects -----------------------------------------------------------------------------------

    def kind(self, sha: str) -> str | None:
        """Give the type of an object, ``None`` when there is none."""
        if sha not in self._kinds:
            if not SHA.fullmatch(sha):
                return None
            found = objects.read(self.objects, sha)
            status, out = (0, b"") if found else self.answer("cat-file", "-t", sha, ok=(0, 1, 128))
            if status != 0:
                return None
            self._kinds[sha] = found[0] if found else out.decode().strip()
        return self._kinds[sha]

    def blob(self, sha: str) -> bytes:
        """Give the content of a blob."""
        if sha not in self._blobs:
            found = objects.read(self.objects, sha)
            there = found is not None and found[0] == "blob"
            self._blobs[sha] = found[1] if found and there else self.run("cat-file", "blob", sha)
        return self._blobs[sha]

    def write_blob(self, content: bytes) -> str:
        """Store a blob and give its sha."""
        return objects.write(self.objects, "blob", content)

    def commit(self, sha: str) -> Commit:
        """Read a commit."""
        commit = self._at_hand(sha)
        if commit is None:
            commit = self._commits[sha] = parse_commit(sha, self.run("cat-file", "commit", sha))
        return commit

    def _at_hand(self, sha: str) -> Commit | None:
        """Give a commit that can be had without starting git."""
        if sha not in self._commits:
            found = objects.read(self.objects, sha) if SHA.fullmatch(sha) else None
            if found is None or found[0] != "commit":
                return None
            self._commits[sha] = parse_commit(sha, found[1])
        return self._commits[sha]

    def write_commit(self, tree: str, parents: Iterable[str], message: str, made: Signed) -> str:
        """Store a commit and give its sha. A message without a line feed at its end gets none, as on GitHub."""
        header = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        header.append(f"author {_person(made.author, made.authored_at)}")
        header.append(f"committer {_person(made.committer, made.committed_at)}")
        if made.sign:
            header.append("gpgsig " + SIGNATURE.replace("\n", "\n "))
        raw = ("\n".join(header) + "\n\n" + message).encode()
        return objects.write(self.objects, "commit", raw)

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Find a path in a commit; the empty path is the root."""
        path = path.strip("/")
        if "\0" in path:
            return None
        if not path:
            return TreeEntry("040000", "tree", self.commit(commit).tree, None, "")
        at_hand, parts = self._at_hand(commit), objects.parts_of(path)
        if at_hand is not None and parts is not None:
            known, mode, sha = objects.find(self.objects, at_hand.tree, parts)
            if known:
                return self._described(mode, sha, path) if sha else None
        found = self._entries("ls-tree", "-z", "-l", "--full-tree", commit, "--", path)
        return found[0] if found else None

    def _described(self, mode: str, sha: str, path: str) -> TreeEntry:
        kind = {"40000": "tree", "160000": "commit"}.get(mode, "blob")
        return TreeEntry(mode.zfill(6), kind, sha, len(self.blob(sha)) if kind == "blob" else None, path)

    def tree(self, tree: str, *, recursive: bool = False) -> list[TreeEntry]:
        """List a tree; recursively with the trees themselves, as GitHub does."""
        return self._entries("ls-tree", "-z", "-l", "--full-tree", *(["-r", "-t"] if recursive else []), tree)

    def _entries(self, *arguments: str) -> list[TreeEntry]:
        entries = []
        for line in self.run(*arguments).split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, kind, sha, size = facts.decode().split()
            known = int(size) if size.isdigit() else None
            entries.append(TreeEntry(mode, kind, sha, known, path.decode("utf-8", "surrogateescape")))
        return entries

    def write_tree(self, base: str | None, changes: Iterable[tuple[str, str, str | None]]) -> str:
        """Store a tree: ``base`` with changes of (path, mode, blob or ``None`` to delete)."""
        changes = list(changes)
        made = objects.changed(self.objects, base, changes)
        if made is not None:
            return made
        lines = [
            f"{mode if sha else '0'} {sha or ABSENT}\t{path}".encode("utf-8", "surrogateescape")
            for path, mode, sha in changes
        ]
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if base is not None:
                self.run("read-tree", base, env=index)
            self.run(
                "update-index", "-z", "--replace", "--index-info", stdin=b"\0".join([*lines, b""]), env=index
            )
            return self.run("write-tree", env=index).decode().strip()

    # history -----------------------------------------------------------------------------------

    def log(self, *revisions: str, path: str | None = None, limit: int | None = None) -> list[Commit]:
        """Give commits, newest first."""
        fixed = all(SHA.fullmatch(revision.removeprefix("^")) for revision in revisions)
        asked = (revisions, path, limit)
        found = self._logs.get(asked)
        if found is None and fixed and not path and not revisions[0].startswith("^"):
            without = [revision[1:] for revision in revisions[1:] if revision.startswith("^")]
            if len(without) == len(revisions) - 1:
                found = self._history.line(revisions[0], without, limit)
        if found is None:
            many = [] if limit is None else [f"--max-count={limit}"]
            where = ["--", path] if path else ["--"]
            found = self.run("rev-list", "--topo-order", *many, *revisions, *where).decode().split()
        if fixed:
            self._logs[asked] = found
        return [self.commit(sha) for sha in found]

    def merge_base(self, one: str, other: str) -> str | None:
        """Give the best common ancestor."""
        if self._history.is_ancestor(one, other):
            return one
        if self._history.is_ancestor(other, one):
            return other
        if (one, other) in self._bases:
            return self._bases[one, other]
        base = self.run("merge-base", one, other, ok=(0, 1)).decode().strip() or None
        if SHA.fullmatch(one) and SHA.fullmatch(other):
            self._bases[one, other] = base
        return base

    def is_ancestor(self, one: str, other: str) -> bool:
        """Tell whether ``one`` is ``other`` or reachable from it."""
        if one == other:
            return True
        known = self._history.is_ancestor(one, other)
        if known is None:
            known = self.answer("merge-base", "--is-ancestor", one, other, ok=(0, 1))[0] == 0
        return known

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """Merge two commits three-way; give the tree, or ``None`` for a conflict."""
        for old, new in ((ours, theirs), (theirs, ours)):
            if self._history.is_ancestor(old, new):
                return self.commit(new).tree
        if (ours, theirs) in self._merges:
            return self._merges[ours, theirs]
        status, out = self.answer("merge-tree", "--write-tree", ours, theirs, ok=(0, 1, 128))
        tree = out.decode().split("\n", 1)[0].strip() if status == 0 else None
        if SHA.fullmatch(ours) and SHA.fullmatch(theirs):
            self._merges[ours, theirs] = tree
        return tree

    def replay(self, commits: Iterable[Commit], onto: str, made: Signed) -> str | None:
        """Rebase ``commits``, oldest first, onto a commit; ``None`` for a conflict.

        ``merge-tree`` of git 2.38 takes no merge base, so each step merges with a commit that has
        the tree built so far and the parent of the commit that is replayed.
        """
        for commit in commits:
            parent = commit.parents[0] if commit.parents else onto
            step = self.write_commit(self.commit(onto).tree, [parent], "replay", replace(made, sign=False))
            tree = self.merge_tree(step, commit.sha)
            if tree is None:
                return None
            author = (commit.author_name, commit.author_email)
            who = replace(made, author=author, authored_at=commit.authored_at, sign=False)
            onto = self.write_commit(tree, [onto], commit.message, who)
        return onto


def _person(who: tuple[str, str], when: datetime) -> str:
    name, email = (re.sub(r"[<>\n\0]", "", part) for part in who)
    return f"{name} <{email}> {int(when.timestamp())} +0000"
