"""Every file that the bot commits in a scenario, judged by the platforms' own schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.github.writing import GitHubRepository
from tests.manifests.crds import Watch
from tests.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.ports import File


@pytest.fixture(autouse=True)
def schema_judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a schema accepted of a file before the bot's commit, it accepts afterwards."""
    if not (SHARED / "crds").exists():
        yield
        return
    read: dict[str, bytes] = {}  # what the bot last read at a path: nothing more is asked for here
    written: list[tuple[str, bytes, bytes]] = []
    file, commit_file, commit_on = (
        getattr(GitHubRepository, name) for name in ("file", "commit_file", "commit_on")
    )

    def reading(self: Any, path: str, sha: str) -> File | None:
        found: File | None = file(self, path, sha)
        if found is not None:
            read[path] = found.content
        return found

    def replacing(self: Any, branch: str, before: File, content: bytes, message: str) -> str:
        written.append((before.path, before.content, content))
        return str(commit_file(self, branch, before, content, message))

    def committing(self: Any, parent: str, path: str, content: bytes, message: str) -> str:
        written.append((path, read.get(path, content), content))
        return str(commit_on(self, parent, path, content, message))

    for name, made in (("file", reading), ("commit_file", replacing), ("commit_on", committing)):
        monkeypatch.setattr(GitHubRepository, name, made)
    yield
    watch = Watch()
    for path, before, after in written:
        watch.written(before, after, path)
    assert watch.wrong == []
