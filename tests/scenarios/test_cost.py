"""What each command costs: requests to GitHub, counted at the sandbox and published in the README.

``python -m tests.scenarios.test_cost --write`` writes the table anew. Counted is what the bot sends with an
installation's token, from the delivery of the comment to the last reaction on it. Left out are the token
itself and the lookup of the App's own name, both once an hour at most ("warm"), and what comes after the
answer: checks that have nothing to say of the new commit, and the looks that follow from webhooks about the
bot's own writes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.entry.rehearsal import rehearsal
from bot.ports import Subject
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, VERSION_4, Stage
from tests.scenarios.test_targets import ISTIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.entry.rehearsal import Rehearsal
    from bot.sandbox.faults import Request

DOCUMENT = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- costs:begin -->", "<!-- costs:end -->"
MOST_FOR_A_START = 10
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One row: what was said or what happened, and the requests that it took."""

    what: str
    where: str
    requests: tuple[Request, ...]

    @property
    def writes(self) -> int:
        return sum(r.method != "GET" for r in self.requests)

    def row(self) -> str:
        return f"| {self.what} | {self.where} | {len(self.requests)} | {self.writes} |"


@dataclass(slots=True)
class Till:
    """Counts, on repositories of its own."""

    run: Rehearsal
    prefix: str
    made: int = 0

    def stage(self) -> Stage:
        """Give a fresh repository with the customer service at 100 %."""
        self.made += 1
        repo = f"acme/{self.prefix}-{self.made}"
        self.run.world.create_repository(repo, {PATH: CUSTOMER, "README.md": b"Shop\n"}, by="ada")
        for login, role in PEOPLE.items():
            self.run.world.set_role(repo, login, role)
        self.run.install(repo)
        self.run.settle()
        return Stage(self.run, repo)

    def rolling(self) -> Stage:
        """Give a repository whose rollout is at 25 %: #1 is merged, #2 the open step."""
        stage = self.stage()
        stage.say(stage.feature(), "/canary 25")
        stage.merge(1)
        return stage

    def _counted(self, act: Callable[[], object]) -> list[Request]:
        """Give the bot's requests because of ``act`` alone."""
        hooks, bot = self.run.world.hooks, self.run.bot
        hooks.pause()
        act()
        self.run.server.requests.clear()
        hooks.flush(keep_paused=True)
        assert hooks.wait(PATIENCE)
        assert bot.idle(PATIENCE)
        found = self.run.server.by(self.run.app.bot.login)
        hooks.flush()
        self.run.settle()
        return found

    def say(
        self, stage: Stage, number: int, text: str, where: str, code: str, *, by: str = "mona", note: str = ""
    ) -> Cost:
        """Count a command, up to the last reaction; ``code`` is what the reply has to say."""
        said = []
        found = self._counted(lambda: said.append(stage.write(number, text, by=by)))
        assert stage.reply_to(said[0]).code == code
        reaction = f"/repos/{stage.repo}/issues/comments/{said[0].id}/reactions"
        last = max(i for i, r in enumerate(found) if r.path == reaction)
        return Cost(f"`{text}`{note}", where, tuple(found[: last + 1]))

    def event(self, what: str, act: Callable[[], object]) -> Cost:
        """Count something that is no command, until the bot is at rest."""
        return Cost(what, "", tuple(self._counted(act)))


OPEN, MERGED, STEP = "open pull request", "merged pull request", "pull request of a step"


def commands(till: Till) -> list[Cost]:
    """Count every command."""
    till.rolling()  # from here on the token and the App's name are known
    fresh = till.stage()
    number = fresh.feature()
    found = [
        till.say(fresh, number, "/canary 101", OPEN, "weight-out-of-range", note=", not understood"),
        till.say(fresh, number, "/canary 25", OPEN, "not-allowed", by="rita", note=" without the right to"),
        till.say(fresh, number, "/canary help", OPEN, "shown"),
        till.say(fresh, number, "/canary plan 25", OPEN, "shown"),
        till.say(fresh, number, "/canary 25", OPEN, "applied"),
        till.say(fresh, number, "/canary 25", OPEN, "already", note=" again"),
        till.say(fresh, number, "/canary 10", OPEN, "applied", note=", another share"),
        till.say(fresh, number, "/canary status", OPEN, "shown"),
        till.say(fresh, number, "/canary cancel", OPEN, "applied"),
        till.say(fresh, number, "/traffic current=90,customer-v4=10", OPEN, "applied"),
    ]
    meshed = till.stage()
    mesh = {"mesh/storefront.yaml": ISTIO, "deploy/web.yaml": b"apiVersion: apps/v1\nkind: Deployment\n"}
    meshed.run.world.commit(meshed.repo, "main", mesh, "Add a mesh", by="mona")
    number = meshed.feature(b"apiVersion: apps/v1\nkind: Deployment\nspec: {}\n", path="deploy/web.yaml")
    found.append(
        till.say(meshed, number, "/canary storefront 25", OPEN, "applied", note=", found among 3 manifests")
    )
    merged = till.stage()
    number = merged.feature()
    merged.merge(number)
    edited = till.stage()
    edited.merge(edited.feature())
    found += [
        till.say(edited, 1, "/traffic current=90,customer-v4=10", MERGED, "proposed"),
        till.say(merged, number, "/canary 25", MERGED, "proposed"),
        till.say(merged, number, "/canary 25", MERGED, "already", note=" again"),
    ]
    rolling = till.rolling()
    found += [
        till.say(rolling, 2, "/canary status", STEP, "shown"),
        till.say(rolling, 2, "/canary why", STEP, "shown"),
        till.say(rolling, 2, "/hold", STEP, "applied"),
        till.say(rolling, 2, "/resume", STEP, "applied"),
        till.say(rolling, 2, "/promote", STEP, "remembered", note=" while it bakes"),
        till.say(rolling, 2, "/canary freeze", STEP, "applied", by="ada"),
        till.say(rolling, 2, "/promote", STEP, "remembered", note=" while it is frozen"),
        till.say(rolling, 2, "/canary unfreeze", STEP, "applied", by="ada"),
        till.say(till.rolling(), 2, "/canary cancel", STEP, "applied"),
        till.say(till.rolling(), 2, "/rollback", STEP, "proposed"),
        till.say(till.rolling(), 1, "/rollback", MERGED, "proposed"),
    ]
    baked = till.rolling()
    baked.later(minutes=31)
    return [*found, till.say(baked, 2, "/promote", STEP, "applied", note=" that merges")]


def events(till: Till) -> list[Cost]:
    """Count what happens without a command."""
    world, clock = till.run.world, till.run.clock
    stage = till.stage()
    stage.branch("v4", {PATH: VERSION_4})
    found = [
        till.event(
            "A pull request with a service is opened",
            lambda: world.open_pull(stage.repo, "v4", "main", "Four", by="mona"),
        )
    ]
    stage.branch("docs", {"README.md": b"Docs\n"})
    found.append(
        till.event(
            "A pull request without one is opened",
            lambda: world.open_pull(stage.repo, "docs", "main", "Docs", by="mona"),
        )
    )
    world.comment(stage.repo, 2, "Thanks", by="kim")
    till.run.settle()
    found.append(
        till.event("A comment that is conversation", lambda: world.comment(stage.repo, 2, "Hi", by="kim"))
    )
    stage.say(1, "/canary 25")
    found += [
        till.event("The first step is merged", lambda: world.merge(stage.repo, 1, by="mona")),
        till.event("Its bake time is over", lambda: clock.advance(timedelta(minutes=31))),
    ]
    step = stage.step().number
    found.append(till.event("The next step is merged", lambda: world.merge(stage.repo, step, by="mona")))
    stage.later(minutes=31)
    last = stage.step().number
    found.append(till.event("The last step is merged", lambda: world.merge(stage.repo, last, by="mona")))
    rest = till.rolling()
    where = Subject(till.run.install(rest.repo), rest.repo, "repository")
    look = till.run.bot.parts.engine.look
    found.append(
        till.event("A sweep, one rollout under way", lambda: look(where, at=clock.now(), why="sweep"))
    )
    return found


def table(said: Sequence[Cost], happened: Sequence[Cost]) -> str:
    """Give both tables as Markdown."""
    rows = ["| command | on | requests | of them writes |", "|---|---|---:|---:|", *(c.row() for c in said)]
    rows += ["", "| event | requests | of them writes |", "|---|---:|---:|"]
    rows += [f"| {c.what} | {len(c.requests)} | {c.writes} |" for c in happened]
    return "\n".join(rows)


def measured(run: Rehearsal, prefix: str) -> str:
    till = Till(run, prefix)
    return table(commands(till), events(till))


def documented(text: str) -> str:
    """Give what stands between the markers of the document."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


@pytest.fixture
def till(running_bot: Rehearsal, request: pytest.FixtureRequest) -> Till:
    return Till(running_bot, f"cost-{request.node.name.replace('_', '-')}")


def test_the_published_table_is_what_the_commands_cost(running_bot: Rehearsal) -> None:
    now = measured(running_bot, "costs").splitlines()
    assert documented(DOCUMENT.read_text(encoding="utf-8")).splitlines() == now, (
        "write it anew with: python -m tests.scenarios.test_cost --write"
    )


def test_a_warm_start_on_an_open_pull_request(till: Till) -> None:
    till.rolling()
    stage = till.stage()
    cost = till.say(stage, stage.feature(), "/canary 25", OPEN, "applied")
    sent = [f"{r.method} {r.path.removeprefix(f'/repos/{stage.repo}')}" for r in cost.requests]
    assert len(sent) <= MOST_FOR_A_START, sent
    assert cost.writes == 5, sent  # seen, the commit, its plan, the reply, done


def test_what_a_start_writes_in_all(till: Till) -> None:
    """The neutral checks come after the answer, in the same look; nothing else does."""
    till.rolling()
    stage = till.stage()
    number = stage.feature()
    cost = till.event("", lambda: stage.write(number, "/canary 25"))
    sent = [f"{r.method} {r.path.removeprefix(f'/repos/{stage.repo}')}" for r in cost.requests]
    assert len(sent) == 11, sent
    assert sent[-2:] == ["POST /check-runs"] * 2


def test_conversation_costs_no_write(till: Till) -> None:
    stage = till.stage()
    number = stage.feature()
    cost = till.event("", lambda: stage.write(number, "Well done, @mona!"))
    assert cost.writes == 0
    assert len(cost.requests) <= 8


def write() -> None:
    """Measure, and write the document's table."""
    with rehearsal() as run:
        for login in PEOPLE:
            run.world.add_user(login)
        found = measured(run, "costs")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.scenarios.test_cost --write")
    write()
