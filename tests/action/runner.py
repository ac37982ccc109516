"""A stand-in of GitHub's runner: events of the sandbox start the Action, and what it writes is read as there.

There is no service: the Action's runs are all that acts besides people. A workflow's own token starts no
workflows, so what it does is no event. Source: GitHub, "Events that trigger workflows", "Contexts", "Workflow
commands", "Triggering a workflow from a workflow".
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from bot.entry.action import command, run
from bot.entry.action.event import EventUnusable, Nothing, read
from bot.entry.action.files import OUTPUTS
from tests.action.protocol import Log, read_file, read_log
from tests.action.watch import watching
from tests.scenarios.inert import live
from tests.scenarios.stage import PEOPLE, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.faults import Request
    from bot.sandbox.model import App
    from bot.sandbox.server import SandboxServer
    from bot.sandbox.world import World

ROOT = Path(__file__).parents[2]
JOB = {"contents": "write", "pull-requests": "write", "checks": "write"}  # as in the example workflows
READER = {"contents": "read", "pull-requests": "read"}
EARS = "ears"  # the App that hears what workflows start on
# What the example workflows start on, with GitHub's default actions of ``pull_request``.
HEARD = {
    "issue_comment": {"created"},
    "pull_request": {"opened", "synchronize", "reopened"},
    "pull_request_review": {"submitted"},
    "check_run": {"rerequested", "requested_action"},
}
FILES = ("OUTPUT", "STEP_SUMMARY", "ENV", "PATH", "STATE")
HARMLESS = re.compile(r"[A-Za-z0-9 .,:/#%()_+-]*", re.ASCII)
BETWEEN = timedelta(seconds=3)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Event:
    """What started a workflow. ``payload`` is the event file: JSON, or bytes as they are."""

    name: str
    payload: Any

    @property
    def is_check(self) -> bool:
        payload = self.payload if isinstance(self.payload, dict) else {}
        return self.name == "pull_request" and payload.get("action") != "closed"


@dataclass(frozen=True)
class Ran:
    """A run as its job shows it. ``status`` is negative when a signal ended it."""

    event: Event
    status: int
    out: str
    err: str
    files: Mapping[str, str]
    requests: tuple[Request, ...]

    @property
    def log(self) -> Log:
        return read_log(self.out)

    @property
    def outputs(self) -> dict[str, str]:
        return read_file(self.files["OUTPUT"])

    @property
    def summary(self) -> str:
        return self.files["STEP_SUMMARY"]

    @property
    def decision(self) -> str:
        return self.outputs["decision"]

    @property
    def writes(self) -> list[str]:
        return [f"{r.method} {r.path}" for r in self.requests if r.method != "GET"]

    def told(self, level: str) -> list[str]:
        """Give the annotations of a level."""
        return [c.data for c in self.log.commands if c.name == level]

    def check(self, secrets: Sequence[str] = ()) -> None:
        """What holds for every run: no environment, annotations only, harmless outputs, records, no secret."""
        assert [self.files[name] for name in ("ENV", "PATH", "STATE")] == ["", "", ""]
        assert {c.name for c in self.log.commands} <= {"error", "warning", "notice"}, self.out
        assert "Traceback" not in self.err, self.err
        everything = "\n".join([self.out, self.err, *self.files.values()])
        assert not [secret for secret in secrets if secret in everything]
        if self.files["OUTPUT"]:
            assert tuple(self.outputs) == OUTPUTS
            assert [v for v in self.outputs.values() if not HARMLESS.fullmatch(v)] == []
        if self.status in {0, 1}:
            assert not self.log.ends_stopped
            assert all(isinstance(json.loads(line), dict) for line in self.log.guarded)  # one record a line
            assert self.files["OUTPUT"]


def ignore(_method: str, _path: str, _status: int) -> None:
    """Hear of a request."""


@dataclass
class Runner:
    """Runs the Action for one repository. ``app`` is whose token the job has; without it, the workflow's own."""

    world: World
    server: SandboxServer
    clock: SandboxClock
    repo: str
    folder: Path
    app: App | None = None
    permissions: Mapping[str, str] = field(default_factory=lambda: dict(JOB))
    runs: list[Ran] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    _heard: int = 0
    _main: str = ""

    def __post_init__(self) -> None:
        self.forget()

    # events ---------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Let what happened so far start nothing."""
        self._heard = len(self.world.hooks.deliveries)
        self._main = self.world.tip(self.repo, "main") or ""

    def events(self) -> list[Event]:
        """Give what happened since the last question and starts a workflow, a push to ``main`` last."""
        deliveries = self.world.hooks.deliveries
        fresh, self._heard = deliveries[self._heard :], len(deliveries)
        here = self.world.repository(self.repo).id
        found = []
        for sent in fresh:
            own = self.app is not None and sent.app is self.app
            if sent.repository_id != here or not (
                own if sent.event == "check_run" else sent.app.slug == EARS
            ):
                continue
            payload = sent.payload()
            del payload["installation"]  # a workflow's event names none
            starts = payload["sender"]["login"] != "github-actions[bot]"
            if starts and payload["action"] in HEARD[sent.event]:
                found.append(Event(sent.event, payload))
        tip = self.world.tip(self.repo, "main") or ""
        if tip != self._main and self.world.starts_workflows(self.repo, tip, "push"):
            found.append(self.made("push", ref="refs/heads/main", before=self._main, after=tip))
        self._main = tip
        return found

    def made(self, name: str, **payload: object) -> Event:
        """Make an event that the sandbox does not tell."""
        full = {"repository": {"full_name": self.repo}, "sender": {"login": "mona", "type": "User"}}
        return Event(name, {**full, **payload})

    # runs -----------------------------------------------------------------------------------------

    def settle(self) -> list[Ran]:
        """Run whatever happened starts, one run after the other, until nothing more happens."""
        before = len(self.runs)
        while found := self.events():
            for event in found:
                self.run(event)
        return self.runs[before:]

    def queue(self, *events: Event, replacing: bool) -> list[Ran]:
        """Run events that came while one run was going on, all in one concurrency group.

        Args:
            events: In their order.
            replacing: As by default, one run waits, and a newer one takes its place; else all wait.
        """
        return [self.run(event) for event in (events[-1:] if replacing else events)]

    def schedule(self) -> Ran:
        """Run as the clock of the workflow does."""
        return self.run(self.made("schedule", schedule="7,22,37,52 * * * *"))

    def token(self, permissions: Mapping[str, str] | None = None) -> str:
        """Give a job's token; a check's only reads."""
        if self.app is not None and permissions is None:
            return self.world.installation_token(self.app, self.repo)
        return self.world.workflow_token(self.repo, self.permissions if permissions is None else permissions)

    def environ(self, event: Event, token: str, **more: str) -> dict[str, str]:
        """Give the variables of a job, with the event file and the files for commands made."""
        job = self.folder / f"job-{next(_numbers)}"
        job.mkdir()
        raw = (
            event.payload
            if isinstance(event.payload, bytes)
            else json.dumps(event.payload, indent=2).encode()
        )
        (job / "event.json").write_bytes(raw)
        for name in FILES:
            (job / name).touch()
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event.name,
            "GITHUB_EVENT_PATH": str(job / "event.json"),
            "GITHUB_REPOSITORY": self.repo,
            "GITHUB_API_URL": self.server.base_url,
            "GITHUB_SERVER_URL": self.server.base_url,
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKSPACE": str(job),
            "RUNNER_TEMP": str(job),
            **{f"GITHUB_{name}": str(job / name) for name in FILES},
            command.TOKEN: token,
            command.SLUG: self.app.slug if self.app is not None else "",
            **more,
        }

    def run(
        self,
        event: Event,
        *,
        token: str | None = None,
        on_request: Callable[[str, str, int], None] = ignore,
        **more: str,
    ) -> Ran:
        """Run the Action in this process, on the sandbox's clock, some seconds after the last run."""
        self.clock.advance(BETWEEN)
        if token is None:
            token = self.token(READER) if event.is_check else self.token()
        env = self.environ(event, token, **more)
        begun = len(self.server.requests)
        out, err = io.StringIO(), io.StringIO()
        with (
            _own_logging(),
            watching() as done,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = self._action(env, on_request)
        assert done == []
        return self._ran(event, env, status, out.getvalue(), err.getvalue(), begun=begun)

    def _action(self, env: Mapping[str, str], on_request: Callable[[str, str, int], None]) -> int:
        slug = env[command.SLUG] or command.WORKFLOWS
        try:
            wanted = read(env, slug=slug)
        except EventUnusable:
            return command.main(env)
        if isinstance(wanted, Nothing):
            return command.main(env)
        return run.run(env, wanted, slug=slug, clock=self.clock, sleep=self._sleep, on_request=on_request)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def process(
        self, event: Event, *program: str, token: str | None = None, **more: str
    ) -> tuple[subprocess.Popen[bytes], Callable[[], Ran]]:
        """Start the Action as a process; the second value waits for its end."""
        env = self.environ(event, self.token() if token is None else token, **more)
        begun = len(self.server.requests)
        child = subprocess.Popen(
            [sys.executable, *(program or ("-E", "-s", "-m", "bot", "action"))],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        def wait() -> Ran:
            out, err = child.communicate(timeout=100)
            return self._ran(event, env, child.returncode, out.decode(), err.decode(), begun=begun)

        return child, wait

    def _ran(
        self, event: Event, env: Mapping[str, str], status: int, out: str, err: str, *, begun: int
    ) -> Ran:
        files = {name: Path(env[f"GITHUB_{name}"]).read_text("utf-8") for name in FILES}
        made = tuple(r for r in self.server.requests[begun:] if r.caller)
        ran = Ran(event, status, out, err, files, made)
        ran.check([env[command.TOKEN]] if env[command.TOKEN] else [])
        self.runs.append(ran)
        return ran


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    """Put back what a run does to the logging of its process."""
    root, github = logging.getLogger(), logging.getLogger("github.Requester")
    before, level, filters = root.handlers[:], root.level, github.filters[:]
    try:
        yield
    finally:
        root.handlers[:], github.filters[:] = before, filters
        root.setLevel(level)
        structlog.reset_defaults()


@dataclass(frozen=True)
class Site:
    """A sandbox without the bot's service: what a ``Stage`` needs of a rehearsal, run by a runner."""

    world: World
    app: App
    server: SandboxServer
    clock: SandboxClock
    runner: Runner

    def settle(self) -> None:
        self.runner.settle()


@dataclass(slots=True)
class Shop(Stage):
    """A repository whose workflows run the Action."""

    runner: Runner = field(kw_only=True)

    @property
    def last(self) -> Ran:
        return self.runner.runs[-1]

    def live(self, ran: Ran) -> list[str]:
        """Give what is live in a job's summary, besides our own links and numbers of pull requests."""
        web = re.escape(f"{self.runner.server.base_url}/{self.repo}/pull/")
        text = re.sub(rf"\[#\d+\]\({web}\d+(#[a-z]+-\d+)?\)", "", ran.summary)
        numbers = "|".join(map(str, self.numbers()))
        return live(re.sub(rf"(?<=[ *`])#({numbers})\b", "", text))

    def event_of(self, number: int, text: str, *, by: str = "mona") -> Event:
        """Comment, and give the event without running anything."""
        self.write(number, text, by=by)
        (event,) = self.runner.events()
        return event


def populate(world: World) -> None:
    """Add the people, and the App that hears for the runner."""
    for login in PEOPLE:
        world.add_user(login)
    world.create_app(EARS, "s" * 32, events=[*HEARD])
