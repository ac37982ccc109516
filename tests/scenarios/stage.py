"""One repository with state, people on it, and the bot: what a scenario is told with.

Everything goes over HTTP as in production: webhook, PyGithub, real commits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from bot.core.markers import Answer, strip
from bot.manifests.knative import find_services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.entry.rehearsal import Rehearsal
    from bot.ports import Role
    from bot.sandbox.model import Comment, Pull
    from tests.scenarios.answers import Answers, Said

PATH = "apps/customer.yaml"
PEOPLE = {"mona": "write", "kim": "write", "tess": "triage", "rita": "read", "ada": "admin"}

CUSTOMER = b"""\
# Storefront customer service. Owners: team-shop.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
  namespace: shop
spec:
  template:
    metadata:
      name: customer-v3   # bump with every change of the template
    spec:
      containers:
        - image: quay.io/shop/customer:3.4.1
          env:
            - name: VERSION
              value: "v3"
  # Who gets what. Every tag is a URL of its own.
  traffic:
  - tag: current
    revisionName: customer-v3
    percent: 100
  - tag: latest
    latestRevision: true
    percent: 0
"""
VERSION_4 = CUSTOMER.replace(b"customer-v3   #", b"customer-v4   #").replace(
    b"customer:3.4.1", b"customer:4.0.0"
)


@dataclass(slots=True)
class Reply:
    """One comment of the bot, as read."""

    number: int
    text: str
    answer: Answer

    @property
    def code(self) -> str:
        return self.answer.code

    @property
    def decision(self) -> str:
        return self.answer.decision


@dataclass(slots=True)
class Stage:
    """A repository of its own in the shared sandbox."""

    run: Rehearsal
    repo: str
    _read: set[int] = field(default_factory=set)

    # people -----------------------------------------------------------------------------------

    def branch(self, name: str, files: Mapping[str, bytes | None], *, by: str = "mona") -> None:
        """Push a commit on a new branch."""
        self.run.world.create_branch(self.repo, name)
        self.run.world.commit(self.repo, name, files, f"Change {name}", by=by)

    def feature(
        self, content: bytes = VERSION_4, *, name: str = "v4", path: str = PATH, by: str = "mona"
    ) -> int:
        """Open a feature pull request and wait for the bot's check."""
        self.branch(name, {path: content}, by=by)
        pull = self.run.world.open_pull(self.repo, name, "main", f"Customer {name}", by=by)
        self.settle()
        return pull.number

    def push(self, branch: str, content: bytes, *, path: str = PATH, by: str = "mona") -> str:
        sha = self.run.world.commit(self.repo, branch, {path: content}, "Push", by=by)
        self.settle()
        return sha

    def write(self, number: int, text: str, *, by: str = "mona") -> Comment:
        """Comment without waiting for anything."""
        return self.run.world.comment(self.repo, number, text, by=by)

    def say(self, number: int, text: str, *, by: str = "mona") -> Reply:
        """Comment, wait, and read the one reply to it."""
        comment = self.write(number, text, by=by)
        self.settle()
        return self.reply_to(comment)

    def say_unheard(self, number: int, text: str, *, by: str = "mona") -> None:
        """Comment and wait: nothing may come of it."""
        before = len(self.all_replies(number))
        comment = self.write(number, text, by=by)
        self.settle()
        assert len(self.all_replies(number)) == before
        assert comment.reactions == []

    def reply_to(self, comment: Comment) -> Reply:
        to = f"comment/{comment.id}"
        replies = [
            r for n in self.numbers() for r in self.all_replies(n) if to in {r.answer.to, *r.answer.also}
        ]
        assert len(replies) == 1, f"{len(replies)} replies to {comment.body!r}"
        self._mark(replies[0].number, replies[0].answer.to)
        return replies[0]

    def notice(self, number: int, name: str) -> Reply:
        """Read a comment of the bot that answers nobody."""
        replies = [r for r in self.all_replies(number) if r.answer.to.startswith(name)]
        assert len(replies) == 1, [r.answer.to for r in self.all_replies(number)]
        self._mark(number, replies[0].answer.to)
        return replies[0]

    def merge(self, number: int, *, by: str = "mona", method: str = "merge") -> None:
        self.run.world.merge(self.repo, number, by=by, method=method)  # type: ignore[arg-type]
        self.settle()

    def measure(self, **gates: Said) -> None:
        """Say what gates are answered from now on; ``_`` stands for ``-`` in a name."""
        for name, said in gates.items():
            self.answers.told[self.repo, name.replace("_", "-")] = said

    @property
    def answers(self) -> Answers:
        """What gates are answered, and what was asked."""
        return cast("Answers", self.run.gates)

    def configure(self, text: str) -> None:
        """Write the configuration on the default branch."""
        content = f"version: 1\n{text}".encode()
        self.run.world.commit(self.repo, "main", {".github/canary.yaml": content}, "Rules", by="ada")
        self.settle()

    def close(self, number: int, *, by: str = "mona") -> None:
        self.run.world.close_pull(self.repo, number, by=by)
        self.settle()

    def role(self, login: str, role: Role | str) -> None:
        self.run.world.set_role(self.repo, login, role)

    def later(self, **delta: float) -> None:
        """Let time pass, and the bot do what is due."""
        self.run.clock.advance(timedelta(**delta))
        self.settle()

    def settle(self) -> None:
        self.run.settle()

    # what is there ----------------------------------------------------------------------------

    def numbers(self) -> list[int]:
        return [p.number for p in self.run.world.pulls(self.repo)]

    def pull(self, number: int) -> Pull:
        return self.run.world.pull(self.repo, number)

    def all_replies(self, number: int) -> list[Reply]:
        said = [e.comment for e in self.run.world.timeline(self.repo, number) if e.comment is not None]
        found = []
        for comment in said:
            if comment.author is self.run.app.bot:
                answer = Answer.read(comment.body)
                assert answer is not None, comment.body
                found.append(Reply(number, strip(comment.body), answer))
        return found

    def _mark(self, number: int, to: str) -> None:
        for entry in self.run.world.timeline(self.repo, number):
            if (
                entry.comment is not None
                and (a := Answer.read(entry.comment.body)) is not None
                and a.to == to
            ):
                self._read.add(entry.comment.id)

    def unread(self) -> list[str]:
        """Give the bot's comments that no line of the scenario has read."""
        return [
            f"#{number}: {entry.comment.body}"
            for number in self.numbers()
            for entry in self.run.world.timeline(self.repo, number)
            if entry.comment is not None
            and entry.comment.author is self.run.app.bot
            and entry.comment.id not in self._read
        ]

    def open_branches(self, prefix: str = "canary/") -> list[str]:
        return sorted(
            p.head_ref for p in self.run.world.pulls(self.repo, state="open") if p.head_ref.startswith(prefix)
        )

    def step(self) -> Pull:
        """Give the one open pull request of the bot."""
        mine = [p for p in self.run.world.pulls(self.repo, state="open") if p.author is self.run.app.bot]
        assert len(mine) == 1, [(p.number, p.title) for p in mine]
        return mine[0]

    def no_step(self) -> bool:
        return not [p for p in self.run.world.pulls(self.repo, state="open") if p.author is self.run.app.bot]

    def read(self, ref: str = "main", path: str = PATH) -> bytes:
        return self.run.world.read(self.repo, ref, path)

    def split(self, ref: str = "main", *, path: str = PATH, name: str = "customer") -> dict[str, int]:
        """Give the shares by revision; targets at 0 % are left out."""
        manifest = next(m for m in find_services(self.read(ref, path), path).manifests if m.name == name)
        return {t.shown: t.effective_percent for t in manifest.targets if t.effective_percent}

    def check(self, number: int, name: str) -> tuple[str | None, str]:
        """Give (conclusion, title) of a check on a pull request's head; (None, …) while pending."""
        runs = {c.name: c for c in self.run.world.checks(self.repo, self.pull(number).head_sha)}
        assert name in runs, sorted(runs)
        return runs[name].conclusion, runs[name].output["title"]

    def reactions(self, comment: Comment) -> list[str]:
        return [r.content for r in comment.reactions]

    def log(self, ref: str = "main") -> list[str]:
        return [c.message for c in self.run.world.log(self.repo, ref)]
