"""The bot as in production, the emulator as its GitHub, and people who talk to the emulator."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from bot.core.markers import Answer as Marker
from bot.core.markers import strip
from bot.entry.serve import Running, running
from bot.entry.settings import Settings
from bot.entry.web import signature
from tests.contract import emulate_mends as mends
from tests.contract.emulate_process import (
    APP_ID,
    INSTALLATION,
    NAME,
    PEOPLE,
    SECRET,
    SLUG,
    Emulator,
    emulator,
    key,
    token,
)
from tests.contract.emulate_wire import Answer, Post, Proxy, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.emulate_wire import Delivered

HERE = f"/repos/{NAME}"
BOT = f"{SLUG}[bot]"
PATIENCE = 60.0  # seconds of the machine, which may be busy
MENDS = (mends.Files(), mends.Head(), mends.Commits(), mends.CommentList())
ALWAYS = (mends.Times(),)  # without it one comment in twenty looks edited, and is rightly left alone


class AheadClock:
    """The machine's clock, set forward: bake times pass without waiting, and what GitHub says stays near."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True)
class Reply:
    """One comment of the bot."""

    id: int
    number: int
    text: str
    marker: Marker

    @property
    def outcome(self) -> tuple[str, str]:
        return self.marker.decision, self.marker.code


@dataclass(slots=True)
class Peer:
    """An emulator with the bot attached, and what people do there."""

    emulator: Emulator
    proxy: Proxy
    post: Post
    bot: Running
    clock: AheadClock
    expected: list[tuple[str, object]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each command
    _counted: int = 0

    # people -----------------------------------------------------------------------------------

    def send(self, method: str, path: str, body: Any = None, *, by: str = "ada") -> Answer:
        """Send a person's request to the emulator itself; nothing of it is recorded or mended."""
        headers = {"authorization": f"token {token(by)}", "content-type": "application/json"}
        sent = b"" if body is None else json.dumps(body).encode()
        answer = send(self.emulator.port, method, path, headers=headers, body=sent)
        self._expect(method, path, answer.status, answer.data)
        return answer

    def ask(self, path: str) -> Any:
        """Give the JSON of a GET below the repository."""
        answer = self.send("GET", HERE + path)
        assert answer.status == 200, (path, answer)
        return answer.data

    def do(self, method: str, path: str, body: Any = None, *, by: str = "ada") -> Any:
        """Do something in the repository that must succeed."""
        answer = self.send(method, HERE + path, body, by=by)
        assert answer.status in {200, 201, 202, 204}, (method, path, answer)
        return answer.data

    def write(self, path: str, content: bytes, *, branch: str = "main", by: str = "ada") -> str:
        """Commit a file, new or not; give the commit's sha."""
        body = {"message": f"Change {path}", "content": base64.b64encode(content).decode(), "branch": branch}
        there = self.send("GET", f"{HERE}/contents/{path}?ref={branch}")
        if there.status == 200:
            body["sha"] = there.data["sha"]
        return str(self.do("PUT", f"/contents/{path}", body, by=by)["commit"]["sha"])

    def read(self, path: str, ref: str = "main") -> bytes:
        return base64.b64decode(self.ask(f"/contents/{path}?ref={ref}")["content"])

    def tip(self, branch: str = "main") -> str:
        return str(self.ask(f"/git/ref/heads/{branch}")["object"]["sha"])

    def branch(self, name: str, path: str, content: bytes, *, by: str = "mona") -> None:
        """Push a commit on a new branch."""
        self.do("POST", "/git/refs", {"ref": f"refs/heads/{name}", "sha": self.tip()}, by="mona")
        self.write(path, content, branch=name, by=by)

    def open(self, head: str, *, title: str = "Customer 4", by: str = "mona") -> int:
        """Open a pull request and let the bot look at it."""
        body = {"title": title, "head": head, "base": "main", "body": ""}
        number: int = self.do("POST", "/pulls", body, by=by)["number"]
        self.settle()
        return number

    def say(self, number: int, text: str, *, by: str = "mona") -> Reply:
        """Comment, wait, and give the one reply to it."""
        began = time.perf_counter()
        comment = self.do("POST", f"/issues/{number}/comments", {"body": text}, by=by)
        self.settle()
        self.seconds.append(time.perf_counter() - began)
        return self.reply_to(f"comment/{comment['id']}")

    def open_and_comment(self, name: str) -> Any:
        """Open a pull request with one new file, and say on it what is no command; give the comment."""
        self.branch(name, f"{name}.txt", name.encode())
        body = {"body": f"About {name}."}
        comment = self.do("POST", f"/issues/{self.open(name)}/comments", body, by="mona")
        self.settle()
        return comment

    def unheard(self, number: int, text: str, *, by: str = "mona") -> None:
        """Comment and wait: nothing may come of it."""
        before = len(self.replies(number))
        self.do("POST", f"/issues/{number}/comments", {"body": text}, by=by)
        self.settle()
        assert len(self.replies(number)) == before

    def review(self, number: int, text: str, *, by: str = "mona") -> Reply:
        """Submit a review with a text, wait, and give the one reply to it."""
        body = {"body": text, "event": "COMMENT"}
        review = self.do("POST", f"/pulls/{number}/reviews", body, by=by)
        self.settle()
        return self.reply_to(f"review/{review['id']}")

    def lost(self, number: int, text: str, *, by: str = "mona") -> int:
        """Comment, and let the webhook be lost; give the comment's id."""
        self.post.hold()
        comment = self.do("POST", f"/issues/{number}/comments", {"body": text}, by=by)
        self._wait(lambda: self.post.waiting() > 0)
        self.post.lose()
        return int(comment["id"])

    def installed(self) -> None:
        """Hand over the delivery that GitHub sends when the App is installed; the emulator has none."""
        payload = {
            "action": "created",
            "installation": {"id": INSTALLATION},
            "repositories": [{"id": 1, "full_name": NAME}],
        }
        body = json.dumps(payload).encode()
        headers = {
            "content-type": "application/json",
            "x-github-event": "installation",
            "x-github-delivery": str(uuid.uuid4()),
            "x-hub-signature-256": signature(SECRET.encode(), body),
        }
        assert self.post.give(headers, body) == 202
        self.settle()

    def merge(self, number: int, *, by: str = "mona", **how: str) -> None:
        self.do("PUT", f"/pulls/{number}/merge", how, by=by)
        self.settle()

    def merge_moved(self, number: int, *, by: str = "mona") -> None:
        """Merge a pull request whose branch moved after it was opened: the emulator merges the old head.

        What it made of the base branch is put right before the bot hears of the merge.
        """
        pull = self.ask(f"/pulls/{number}")
        head, base = self.tip(pull["head"]["ref"]), self.tip(pull["base"]["ref"])
        assert head != pull["head"]["sha"], "it has the head of now: use merge()"
        tree = self.ask(f"/git/commits/{head}")["tree"]["sha"]
        self.post.hold()
        try:
            self.do("PUT", f"/pulls/{number}/merge", {}, by=by)
            message = f"Merge pull request #{number} from {pull['head']['label']}"
            body = {"message": message, "tree": tree, "parents": [base, head]}
            commit = self.do("POST", "/git/commits", body, by=by)["sha"]
            self.do("PATCH", "/git/refs/heads/main", {"sha": commit, "force": True}, by=by)
            self._wait(lambda: self.post.waiting() > 0)
        finally:
            self.post.release()
        self.settle()

    def later(self, **by: float) -> None:
        """Set the bot's clock forward, and let it do what is due."""
        self.clock.ahead += timedelta(**by)
        self.settle()

    # what is there ----------------------------------------------------------------------------

    def pulls(self, state: str = "open") -> list[Any]:
        return list(self.ask(f"/pulls?state={state}&per_page=100"))

    def ours(self) -> list[Any]:
        """Give the bot's open pull requests, as the emulator has them."""
        return [p for p in self.pulls() if p["user"]["login"] == BOT]

    def replies(self, number: int) -> list[Reply]:
        found = []
        for comment in self.ask(f"/issues/{number}/comments?per_page=100"):
            if comment["user"]["login"] == BOT:
                marker = Marker.read(comment["body"])
                assert marker is not None, comment["body"]
                found.append(Reply(comment["id"], number, strip(comment["body"]), marker))
        return found

    def reply_to(self, to: str) -> Reply:
        numbers = [p["number"] for p in self.pulls("all")]
        found = [r for n in numbers for r in self.replies(n) if to in {r.marker.to, *r.marker.also}]
        assert len(found) == 1, f"{len(found)} replies to {to}"
        return found[0]

    def checks(self, sha: str) -> dict[str, str | None]:
        """Give the conclusion of each check on a commit, the newest of a name."""
        runs = self.ask(f"/commits/{sha}/check-runs?per_page=100")["check_runs"]
        return {run["name"]: run["conclusion"] for run in sorted(runs, key=lambda run: run["id"])}

    # rest -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until each webhook that what was done must set off is there, and the bot has nothing to do."""
        end = time.monotonic() + PATIENCE
        while True:
            for done in self.proxy.recorded[self._counted :]:
                self._counted += 1
                exchange = done.exchange
                data = json.loads(exchange.response_body) if exchange.response_body else None
                self._expect(exchange.method, exchange.path, exchange.status, data)
            self._wait(lambda: set(self.expected) <= {_key(one) for one in self.post.delivered}, end)
            assert self.bot.idle(PATIENCE), "the bot did not come to rest"
            if self._counted == len(self.proxy.recorded):
                break
        assert self.bot.parts.engine.dead() == ()
        assert [*self.proxy.failures, *self.post.failures] == []

    def _wait(self, until: Any, end: float | None = None) -> None:
        end = end or time.monotonic() + PATIENCE
        with self.post.news:
            there = self.post.news.wait_for(until, max(0.0, end - time.monotonic()))
        assert there, f"webhooks missing: {set(self.expected) - {_key(one) for one in self.post.delivered}}"

    def _expect(self, method: str, path: str, status: int, data: Any) -> None:
        if status not in {200, 201}:
            return
        number = found[1] if (found := re.search(r"/pulls/(\d+)", path)) else ""
        match method, re.sub(r"\d+", "N", path.removeprefix(HERE)):
            case "POST", "/issues/N/comments":
                self.expected.append(("issue_comment/created", data["id"]))
            case "POST", "/pulls":
                self.expected.append(("pull_request/opened", data["number"]))
            case "PUT", "/pulls/N/merge":
                self.expected.append(("pull_request/closed", int(number)))
            case "PATCH", "/pulls/N" if data["state"] == "closed":
                self.expected.append(("pull_request/closed", int(number)))
            case "POST", "/pulls/N/reviews" if data["submitted_at"]:
                self.expected.append(("pull_request_review/submitted", data["id"]))
            case "POST", "/check-runs":
                self.expected.append(("check_run/created", data["id"]))


def _key(one: Delivered) -> tuple[str, object]:
    payload = one.payload
    for about in ("comment", "review", "check_run"):
        if about in payload:
            return one.name, payload[about]["id"]
    return one.name, payload["pull_request"]["number"]


@contextmanager
def peer(folder: Path, *, mended: bool = True) -> Iterator[Peer]:
    """Start emulator and bot, give people their roles, and stop both at the end.

    Args:
        folder: For the seed and the bot's database.
        mended: Whether the proxy mends what would end the story; webhooks are mended always.
    """
    with ExitStack() as stack:
        post = stack.enter_context(Post(mends.webhook))
        proxy = stack.enter_context(Proxy((*MENDS, *ALWAYS) if mended else ALWAYS))
        where = f"{post.url}/webhook"
        run = stack.enter_context(emulator(folder, webhook_url=where, public_url=proxy.url))
        proxy.target = run.port
        clock = AheadClock()
        settings = Settings(
            app_id=APP_ID,
            private_key=SecretStr(key()),
            webhook_secret=SecretStr(SECRET),
            github_api_url=proxy.url,
            database=folder / "canary.sqlite3",
        )
        bot = stack.enter_context(running(settings, clock=clock, sweep=False))
        post.target = int(bot.url.rpartition(":")[2])
        made = Peer(run, proxy, post, bot, clock)
        for login, permission in PEOPLE.items():
            if permission not in {"admin", ""}:
                made.do("PUT", f"/collaborators/{login}", {"permission": permission})
        yield made
