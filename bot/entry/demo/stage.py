"""The stage of the demo: people act in the sandbox, the bot answers over HTTP, and everything is compared.

Whatever the bot did since the last act is found on the pull requests themselves and printed, so
nothing can happen here unseen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core.checks import NAMES
from bot.core.markers import Answer, strip
from bot.entry.demo.news import Watcher
from bot.entry.demo.shop import REPO, propose
from bot.manifests.workload import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.entry.demo.metrics import Metrics
    from bot.entry.demo.news import News
    from bot.entry.demo.paper import Paper
    from bot.entry.rehearsal import Rehearsal
    from bot.manifests.workload import Workload
    from bot.sandbox.model import Comment, Pull

BOT_NAME = "canary-bot"
TABLE = "|---|"


class Lost(Exception):  # noqa: N818 - the end of a chapter
    """The story cannot go on from here."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The bot's one reply to a comment."""

    text: str
    answer: Answer
    reactions: tuple[str, ...]


@dataclass(slots=True)
class Stage:
    """The repository, what was seen of it, and what was not as expected.

    ``is_terse`` leaves out the checks that have nothing to say.
    """

    run: Rehearsal
    paper: Paper
    metrics: Metrics
    met: int = 0
    missed: list[str] = field(default_factory=list)
    is_terse: bool = False
    watcher: Watcher = field(init=False)
    _had_table: bool = False

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.watcher = Watcher(self.run.world, REPO, self.run.app.bot)

    # expectations -------------------------------------------------------------------------------

    def expect(self, what: str, got: object, wanted: object) -> None:
        """Compare; a difference is printed and remembered."""
        if got == wanted:
            self.met += 1
            return
        self.fail(f"{what}: got {got!r}, want {wanted!r}")

    def fail(self, what: str) -> None:
        """Print what is not as expected, and remember it."""
        self.missed.append(what)
        self.paper.missed(what)

    def expect_split(self, what: str, ref: str, path: str, service: str, wanted: dict[str, int]) -> None:
        """Compare a service's shares at a branch; revisions at 0 % are left out."""
        self.expect(what, self.split(ref, path, service), wanted)

    def expect_check(self, number: int, check: str, conclusion: str | None, title: str = "") -> None:
        """Compare a check on a pull request's head: its conclusion, and a part of its title."""
        got = self.watcher.checks.get((number, check), ("absent", ""))
        self.expect(
            f"check {check} on #{number}", (got[0], title if title in got[1] else got[1]), (conclusion, title)
        )

    # people -------------------------------------------------------------------------------------

    def opens(self, who: str, branch: str, path: str, content: bytes, *, title: str, body: str) -> int:
        """Open a pull request that changes one file."""
        number = propose(self.run, branch, path, content, title=title, body=body, by=who)
        self.paper.line()
        self.paper.act(who, f"opens #{number}", title, note=f"{branch} → main")
        self.paper.note(body)
        self._settle()
        return number

    def says(self, who: str, number: int, text: str, *, diffs: bool = True) -> Reply:
        """Comment, print the comment and all that follows, and give the reply.

        ``diffs`` says whether to show those of the pull requests that follow.

        Raises:
            Lost: There is not exactly one reply.
        """
        comment = self.run.world.comment(REPO, number, text, by=who)
        self.run.settle()
        reactions = tuple(reaction.content for reaction in comment.reactions)
        self.paper.said(who, number, text, reactions)
        self._tell_news(diffs=diffs)
        replies = list(self._replies(comment))
        self.expect(f"replies to {text!r}", len(replies), 1)
        if len(replies) != 1:
            raise Lost(f"#{number}: {len(replies)} replies to {text!r}")
        return Reply(strip(replies[0][0].body), replies[0][1], reactions)

    def expect_reply(self, reply: Reply, decision: str, code: str, reaction: str) -> None:
        """Compare a reply's outcome and the reactions to its comment."""
        self.expect("outcome", (reply.answer.decision, reply.answer.code), (decision, code))
        self.expect("reactions", reply.reactions, ("eyes", reaction))

    def merges(self, who: str, number: int, *, diffs: bool = True) -> None:
        """Merge as a person; ``diffs`` says whether to show those of the pull requests that follow."""
        self.run.world.merge(REPO, number, by=who)
        self.run.settle()
        self.paper.line()
        self.paper.act(who, f"merges #{number}", self.pull(number).title)
        self._tell_shares(self.pull(number))
        self._tell_news(diffs=diffs)

    def later(self, minutes: int) -> None:
        """Let time pass."""
        self.paper.moment(f"{minutes} minutes later")
        self.run.clock.advance(timedelta(minutes=minutes))
        before = self.paper.printed
        self._settle()
        if self.paper.printed == before:
            self.paper.note("nothing happens, as it should be")

    # what is there ------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """Give a pull request."""
        return self.run.world.pull(REPO, number)

    def mine(self, service: str = "") -> Pull:
        """Give the one open pull request of the bot, or that of one service.

        Raises:
            Lost: There is none, or more than one.
        """
        found = self.open_of_bot(service)
        whose = f" for {service}" if service else ""
        self.expect(f"open pull requests of the bot{whose}", len(found), 1)
        if len(found) != 1:
            raise Lost(f"open pull requests of the bot{whose}: {[pull.title for pull in found]}")
        return found[0]

    def open_of_bot(self, service: str = "") -> list[Pull]:
        """Give the open pull requests of the bot, or those of one service."""
        begin = f"{service}: " if service else ""
        pulls = self.run.world.pulls(REPO, state="open")
        return [p for p in pulls if p.author is self.run.app.bot and p.title.startswith(begin)]

    def read(self, ref: str, path: str) -> bytes:
        """Give a file."""
        return self.run.world.read(REPO, ref, path)

    def workload(self, ref: str, path: str, service: str) -> Workload:
        """Give a service or route as a file describes it.

        Raises:
            Lost: It is not there, or cannot be read.
        """
        for workload in find(self.read(ref, path), path, name=service).workloads:
            return workload
        raise Lost(f"{service} is not in {path} at {ref}")

    def split(self, ref: str, path: str, service: str) -> dict[str, int]:
        """Give the shares by revision; targets at 0 % are left out."""
        targets = self.workload(ref, path, service).split.targets
        return {t.shown: t.effective_percent for t in targets if t.effective_percent}

    def notices(self, number: int, kind: str) -> list[str]:
        """Give the bot's comments on a pull request that answer nobody, by the beginning of their name."""
        return [comment.body for comment, answer in self._said(number) if answer.to.startswith(kind)]

    def _said(self, number: int) -> Iterator[tuple[Comment, Answer]]:
        for comment in self.pull(number).comments:
            answer = Answer.read(comment.body) if comment.author is self.run.app.bot else None
            if answer is not None:
                yield comment, answer

    def _replies(self, to: Comment) -> Iterator[tuple[Comment, Answer]]:
        for pull in self.run.world.pulls(REPO):
            yield from (found for found in self._said(pull.number) if found[1].to == f"comment/{to.id}")

    # what the bot did ---------------------------------------------------------------------------

    def _settle(self) -> None:
        self.run.settle()
        self._tell_news()

    def _tell_news(self, *, diffs: bool = True) -> None:
        for news in self.watcher.look():
            self._tell(news, diffs=diffs)

    def _tell(self, news: News, *, diffs: bool) -> None:
        number = news.pull.number
        match news.kind:
            case "commit":
                self.paper.act(BOT_NAME, f"commits to #{number}:", news.text, note=news.sha[:7])
            case "check" if self.is_terse and news.conclusion == "neutral":
                return
            case "check":
                self.paper.checks([(news.check, news.conclusion, news.text)], on=number)
                for remark in news.remarks:
                    self.paper.note(remark, margin="    ")
            case "reply":
                self.paper.markdown(news.text, show="brief" if self._had_table else "all")
                self._had_table = self._had_table or TABLE in news.text
            case "edited" | "notice":
                did = "edits its reply on" if news.kind == "edited" else "comments on"
                self.paper.act(BOT_NAME, f"{did} #{number}:")
                self.paper.markdown(news.text, show="words")
            case "merged":
                self.paper.act(BOT_NAME, f"merges #{number}", news.pull.title)
                self._tell_shares(news.pull)
            case "closed":
                self.paper.act(BOT_NAME, f"closes #{number}", news.pull.title)
            case "opened":
                self._tell_opened(news.pull, diffs=diffs)

    def _tell_opened(self, pull: Pull, *, diffs: bool) -> None:
        self.paper.act(BOT_NAME, f"opens #{pull.number}", pull.title, note=pull.head_ref)
        if diffs:
            git = self.run.world.repository(REPO).git
            there = f"{pull.base_sha}...{pull.head_sha}"
            patch = git.run("diff", "-U1", "--no-color", "--no-ext-diff", there).decode("utf-8", "replace")
            _, at, body = patch.partition("\n@@")
            self.paper.diff(f"{at}{body}".strip("\n").split("\n"))
        states = [
            (name, *self.watcher.checks[pull.number, name])
            for name in NAMES
            if (pull.number, name) in self.watcher.checks
        ]
        states = [each for each in states if not self.is_terse or each[1] != "neutral"]
        self.paper.checks((name, end, "" if end == "success" else title) for name, end, title in states)

    def _tell_shares(self, pull: Pull) -> None:
        """Show the split on the base branch, of each service whose split a merged pull request changed."""
        base = self.run.world.repository(REPO).git.commit(pull.merge_commit_sha or "").parents[0]
        for path in (file.path for file in self.run.world.diff(REPO, pull.number)):
            before = {w.id: w.written for w in find(self.read(base, path), path).workloads}
            for workload in find(self.read(pull.base_ref, path), path).workloads:
                if workload.written != before.get(workload.id):
                    self.tell_share(workload, f"{workload.name} on {pull.base_ref}")

    def tell_share(self, workload: Workload, label: str) -> None:
        """Show who gets what, as a bar."""
        self.paper.share(label, ((t.shown, t.effective_percent) for t in workload.split.targets))
