"""The real process is killed in the middle of a rollout, again and again, and nothing is lost or doubled.

``canary serve`` runs as a child, the sandbox in the test. The kill comes with a write of the bot: it is carried
out, its answer is never heard, which is the worst moment there is. Between two writes a kill at any other moment
is the same as one with the first of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bot.sandbox.clock import SandboxClock
from bot.sandbox.server import SandboxServer
from bot.sandbox.world import World
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, VERSION_4, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bot.entry.rehearsal import Rehearsal
    from bot.sandbox.model import App, Comment, Pull

ROOT = Path(__file__).parents[2]
SECRET = "a webhook secret for tests only!!"
REPO = "acme/shop"
PATIENCE = 60.0  # seconds for each part of the story, on a busy machine
STRIDE = 9  # writes of the bot between two kills
FUZZ = int(os.environ.get("CANARY_FUZZ", "1"))
# Each story is killed at other writes; nine of them hit every write there is.
STORIES = [(1, True), (3, False), (6, True), (8, False)]
if FUZZ > 1:
    STORIES = [(first, keep) for first in range(1, STRIDE + 1) for keep in (True, False)]


class EarlierClock(SandboxClock):
    """GitHub's clock, forty minutes behind the bot's: a bake time of half an hour is over at once."""

    def now(self) -> datetime:
        return super().now() - timedelta(minutes=40)


class Child:
    """``canary serve`` in a process of its own, killed with writes of the bot and started again.

    Args:
        world: Where the webhooks come from.
        app: The bot's App.
        server: The sandbox.
        folder: For the SQLite file and the logs.
        keep: Whether the SQLite file outlives a kill.
    """

    def __init__(self, world: World, app: App, server: SandboxServer, folder: Path, *, keep: bool) -> None:
        self.world, self.app, self.server, self.folder, self.keep = world, app, server, folder, keep
        self.database = folder / "canary.sqlite3"
        self.kills = 0
        self.starts = 0
        self.writes = 0
        self.next_kill = 0
        self._lock = threading.Lock()
        self._tick = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def kill_with_write(self, number: int) -> None:
        """Kill the process with its write of that number, and every ``STRIDE`` writes after it."""
        self.next_kill = number
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            self.server.faults.before(method, "^/repos/", self._count, times=1_000_000)

    def _count(self) -> None:
        with self._lock:
            self.writes += 1
            process = self._process
            if self.writes >= self.next_kill and process is not None and process.poll() is None:
                self.next_kill += STRIDE
                self.kills += 1
                process.kill()
                process.wait()

    def start(self) -> None:
        if not self.keep:
            for file in self.folder.glob("canary.sqlite3*"):
                file.unlink()
        self.starts += 1
        log = self.folder / f"log-{self.starts}"
        environment = {
            "PATH": os.environ["PATH"],
            "CANARY_APP_ID": str(self.app.id),
            "CANARY_PRIVATE_KEY": self.app.private_key_pem,
            "CANARY_WEBHOOK_SECRET": SECRET,
            "CANARY_DATABASE": str(self.database),
            "CANARY_GITHUB_API_URL": self.server.base_url,
            "CANARY_SWEEP_EVERY": "1",
            "PORT": "0",
        }
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve"], cwd=ROOT, env=environment, stderr=out
            )
        with self._lock:
            self._process = process
        port = self._wait(lambda: self._port(log) or (process.poll() is not None and -1), "the start")
        if port != -1:  # it may be killed with its very first write, before it was seen to listen
            self.world.set_webhook(self.app, f"http://127.0.0.1:{port}/webhook")

    @staticmethod
    def _port(log: Path) -> int:
        for line in log.read_bytes().splitlines():
            if line.startswith(b"{") and b'"serving"' in line:
                return int(json.loads(line)["port"])
        return 0

    def _wait(self, what: Callable[[], int | bool], words: str) -> int:
        end = time.monotonic() + PATIENCE
        while not (found := what()):
            if time.monotonic() > end:
                logs = sorted(self.folder.glob("log-*"), key=lambda p: p.stat().st_mtime)
                pytest.fail(f"{words} did not come; the last log:\n{logs[-1].read_text()[-3000:]}")
            self._tick.wait(0.02)
        return found

    def until(self, what: Callable[[], bool], words: str) -> None:
        """Wait for something, with a process that is started again whenever it is dead."""

        def alive_and() -> bool:
            if self._process is None or self._process.poll() is not None:
                self.start()
            return what()

        self._wait(alive_and, words)

    def sweeps(self) -> int:
        return sum(r.path == "/installation/repositories" for r in self.server.requests)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[Stage, Child]]:
    """A repository on a sandbox without a bot, and the process that is to be the bot."""
    with World.create(EarlierClock()) as world:
        app = world.create_app("canary-bot", SECRET)
        for login in PEOPLE:
            world.add_user(login)
        world.create_repository(REPO, {PATH: CUSTOMER}, by="ada")
        for login, role in PEOPLE.items():
            world.set_role(REPO, login, role)
        world.install(app, REPO)
        with SandboxServer(world) as server:
            child = Child(world, app, server, tmp_path, keep=True)
            try:
                yield Stage(cast("Rehearsal", SimpleNamespace(world=world, app=app)), REPO), child
            finally:
                server.faults.clear()
                child.end()
            assert server.errors == []


def decision(stage: Stage, comment: Comment) -> str:
    """Give the decision of the one reply to a comment, empty while there is none."""
    to = f"comment/{comment.id}"
    found = [r for n in stage.numbers() for r in stage.all_replies(n) if r.answer.to == to]
    assert len(found) <= 1
    return found[0].decision if found else ""


def own_pulls(stage: Stage) -> list[Pull]:
    mine = [p for p in stage.run.world.pulls(stage.repo) if p.author is stage.run.app.bot]
    return sorted(mine, key=lambda p: p.number)


def titled(stage: Stage, title: str) -> Pull | None:
    return next((p for p in own_pulls(stage) if p.title == title and p.state == "open"), None)


def told(stage: Stage, number: int, name: str) -> int:
    return sum(r.answer.to.startswith(name) for r in stage.all_replies(number))


def play(stage: Stage, child: Child) -> list[Comment]:
    """Play a rollout from the first comment to the end of its rollback; give the commands."""
    world = stage.run.world
    stage.branch("v4", {PATH: VERSION_4})
    world.open_pull(REPO, "v4", "main", "Four", by="mona")
    start = stage.write(1, "/canary 25")
    child.until(lambda: decision(stage, start) == "done", "the answer to /canary")
    assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    world.merge(REPO, 1, by="mona")
    child.until(lambda: titled(stage, "customer: 25 % → 50 %") is not None, "the second step")
    promote = stage.write(stage.step().number, "/promote", by="kim")
    child.until(lambda: decision(stage, promote) == "done", "the promotion")
    assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
    child.until(lambda: titled(stage, "customer: 50 % → 100 %") is not None, "the third step")
    back = stage.write(1, "/rollback -- errors", by="tess")
    child.until(lambda: decision(stage, back) == "done", "the answer to /rollback")
    child.until(lambda: titled(stage, "customer: 50 % → 100 %") is None, "the closing of the third step")
    world.merge(REPO, stage.step().number, by="mona")
    child.until(lambda: told(stage, 1, "rolled-back-") > 0, "the end")
    return [start, promote, back]


def at_rest(child: Child) -> None:
    """Give the process the time for a whole look at everything."""
    child.server.faults.clear()
    seen = child.sweeps()
    child.until(lambda: child.sweeps() > seen + 1, "two sweeps")


def check_everything(stage: Stage, commands: list[Comment]) -> None:
    """Exactly one reply for each command, one pull request for each step, the right splits, nothing twice."""
    for comment in commands:
        assert stage.reply_to(comment).decision == "done"
        # Behind the reply only a reaction is left to do, and no look comes back for one.
        assert stage.reactions(comment) in (["eyes", "rocket"], ["eyes"])
    mine = own_pulls(stage)
    assert [(p.title, p.merged, p.state) for p in mine] == [
        ("customer: 25 % → 50 %", True, "closed"),
        ("customer: 50 % → 100 %", False, "closed"),
        ("customer: roll back to customer-v3", True, "closed"),
    ]
    assert stage.split() == {"customer-v3": 100}
    for comment, branch in zip(commands, ("v4", "main", "main"), strict=True):
        named = [m for m in stage.log(branch) if f"Canary-Comment: {comment.id}\n" in f"{m}\n"]
        assert named, comment.body
    by_bot = [c for c in stage.run.world.log(REPO, "main") if c.author_name == "canary-bot[bot]"]
    subjects = sorted(c.message.partition("\n")[0] for c in by_bot)
    assert subjects == [
        "Give all traffic of customer back to customer-v3",
        "Shift customer-v4 from 25 % to 50 %",
        "Start customer-v4 at 25 %",
        f"customer: 25 % → 50 % (#{mine[0].number})",
    ]
    assert told(stage, 1, "rolled-back-") == 1
    assert told(stage, mine[1].number, "closed-rollback") == 1
    assert len(stage.all_replies(1)) == 3
    for step in mine[:2]:
        names = {c.name: c.conclusion for c in stage.run.world.checks(REPO, step.head_sha)}
        assert names.get("canary / plan") == "success"
        # The second step is closed by the rollback; killed before that, the bot has no gate left to judge there.
        assert "canary / gate" in names or step is mine[1]
        assert [label.name for label in step.labels] in (["canary"], [])  # best effort, like reactions


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("first", "keep"),
    [
        pytest.param(first, keep, id=f"from write {first} on, SQLite file {'kept' if keep else 'lost'}")
        for first, keep in STORIES
    ],
)
def test_killed_in_the_middle_of_a_rollout(town: tuple[Stage, Child], first: int, keep: bool) -> None:  # noqa: FBT001 - pytest's
    stage, child = town
    child.keep = keep
    child.kill_with_write(first)
    commands = play(stage, child)
    at_rest(child)
    check_everything(stage, commands)
    assert child.kills >= 3, f"{child.writes} writes"
    assert child.starts == child.kills + 1
