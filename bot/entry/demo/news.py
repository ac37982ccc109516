"""What the bot did since somebody last looked, found on the pull requests themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.core.markers import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.sandbox.model import Account, Entry, Pull
    from bot.sandbox.world import World

Kind = Literal["commit", "check", "reply", "merged", "edited", "closed", "notice", "opened"]
_ORDER: tuple[Kind, ...] = ("commit", "check", "reply", "merged", "edited", "closed", "notice", "opened")


@dataclass(frozen=True, slots=True)
class News:
    """One thing that the bot did.

    ``text`` is the body of a comment, the subject of a commit, or the title of a check. ``check``,
    ``conclusion`` and ``remarks`` (on lines of files) are set for checks, ``sha`` for commits and merges.
    """

    kind: Kind
    pull: Pull
    text: str = ""
    sha: str = ""
    check: str = ""
    conclusion: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class Watcher:
    """Looks at a repository again and again, and tells what is new.

    ``checks`` are those of the heads when last looked at: (pull request, name) to (conclusion, title).
    """

    world: World
    repo: str
    bot: Account
    checks: dict[tuple[int, str], tuple[str | None, str]] = field(default_factory=dict)
    _entries: dict[int, int] = field(default_factory=dict)
    _bodies: dict[int, str] = field(default_factory=dict)

    def look(self) -> list[News]:
        """Give the news, in the order in which they make sense to a reader."""
        news = [one for pull in self.world.pulls(self.repo) for one in self._of(pull)]
        merged = {one.pull.number for one in news if one.kind == "merged"}

        def place(one: News) -> tuple[int, int]:
            # What was merged at once had to be opened before.
            kind = "reply" if one.kind == "opened" and one.pull.number in merged else one.kind
            return _ORDER.index(kind), one.pull.number

        return sorted(news, key=place)

    def _of(self, pull: Pull) -> Iterator[News]:
        timeline = self.world.timeline(self.repo, pull.number)
        known = self._entries.get(pull.number, 0)
        self._entries[pull.number] = len(timeline)
        fresh = [entry for entry in timeline[known:] if entry.actor is self.bot]
        is_new = any(entry.kind == "opened" for entry in fresh)
        for entry in fresh:
            # The commit of a pull request that the bot opened comes with its opening.
            if not (is_new and entry.kind == "commit"):
                yield from self._of_entry(pull, entry)
        for comment in pull.comments:
            if self._bodies.get(comment.id, comment.body) != comment.body:
                yield News("edited", pull, comment.body)
            self._bodies[comment.id] = comment.body
        for run in self.world.checks(self.repo, pull.head_sha):
            key, now = (pull.number, run.name), (run.conclusion, str(run.output.get("title") or ""))
            if self.checks.get(key) != now:
                self.checks[key] = now
                if not is_new:
                    remarks = tuple(f"{a['path']}:{a['start_line']}: {a['message']}" for a in run.annotations)
                    yield News("check", pull, now[1], check=run.name, conclusion=now[0], remarks=remarks)

    @staticmethod
    def _of_entry(pull: Pull, entry: Entry) -> Iterator[News]:
        match entry.kind:
            case "commit":
                yield News("commit", pull, entry.text.partition("\n")[0], sha=entry.sha or "")
            case "comment":
                answer = Answer.read(entry.text)
                is_reply = answer is not None and answer.to.startswith(("comment/", "review/"))
                yield News("reply" if is_reply else "notice", pull, entry.text)
            case "merged" | "closed" | "opened" as kind:
                yield News(kind, pull, entry.text, sha=entry.sha or "")
            case _:
                return
