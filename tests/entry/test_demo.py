"""``canary demo``: the whole story, at a prompt."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from bot.core import moving
from bot.entry import demo
from bot.entry.demo import abreast, shop, stage, story
from tests.entry.leaving import Visitor, started
from tests.entry.working import isolated, process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.core.traffic import Split

    Part = Callable[[stage.Stage], None]

NO_STORY = "from bot.entry.demo import story; from bot.entry.cli import main; import sys, threading; "


@dataclass(frozen=True)
class Played:
    """What one run left behind."""

    status: int
    out: str
    err: str
    kept: str

    def git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", "-C", self.kept, *arguments], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo, run once as a person would, into a pipe."""
    home = tmp_path_factory.mktemp("demo")
    done = process(home, "demo", "--keep", environment=isolated(home) | {"TMPDIR": str(home)})
    kept = re.search(r"^Kept: (\S+)", done.stdout, re.MULTILINE)
    return Played(done.returncode, done.stdout, done.stderr, kept[1] if kept else "")


class TestStory:
    """Every state is as expected, and a person can read how it came about."""

    def test_ends_well_and_says_nothing_else(self, played: Played) -> None:
        assert (played.status, played.err) == (0, ""), played.out
        assert "not as expected" not in played.out
        assert re.search(r"^All \d\d+ expectations were met\.$", played.out, re.MULTILINE)

    @pytest.mark.parametrize(
        "shown",
        [
            pytest.param("rita on #1:  /canary 25   👀 👎", id="somebody without the right"),
            pytest.param("/canary needs the role write; rita has the role read.", id="why not"),
            pytest.param("  │   /canary a lot\n  │           ^^^^^\n", id="the caret"),
            pytest.param("  │ -    percent: 100\n  │ +    percent: 75\n", id="the diff of the start"),
            pytest.param("customer-v3 75 %, customer-v4 25 %", id="the split on main"),
            pytest.param("█" * 22 + "▒" * 8, id="the split as a bar"),
            pytest.param("canary-bot opens #2 customer: 25 % → 50 %  canary/customer/", id="the step"),
            pytest.param("○ canary / gate: Baking: 0 of 30 min", id="the gate pending"),
            pytest.param("│ @mona Remembered: #2 (50 %) merges when the rules pass.", id="an early promote"),
            pytest.param("… 31 minutes later\n  ✓ canary / gate: 50 %", id="time passes"),
            pytest.param("canary-bot merges #2", id="it merges by itself"),
            pytest.param("│ Done: customer-v4 has all traffic of customer", id="done"),
            pytest.param("mona on #5:  /rollback -- error rate doubled", id="a rollback with its reason"),
            pytest.param("canary-bot on main  " + "█" * 30 + "  canary-bot-v0-1-0 100 %", id="rolled back"),
            pytest.param("Not applied · which-service", id="two services in a pull request"),
            pytest.param("On hold by kim, because the sale runs until noon.", id="held"),
            pytest.param("percent:      100               # of everybody", id="odd spaces are kept"),
            pytest.param("   28       percent: 100\n", id="the final manifest"),
            pytest.param(
                "mona on #10:  /canary 25   👀 👎\n  │ @mona Not applied · unknown-stable", id="no guess"
            ),
            pytest.param(
                "  │ -  runLatest:\n  │ +  release:\n"
                '  │ +    revisions: ["dumpy-00001", "dumpy-00002"]\n  │ +    rolloutPercent: 25\n',
                id="three lines of an old mode",
            ),
            pytest.param("mona on #11:  /canary sentence 25   👀 🚀", id="a route by its name"),
            pytest.param(
                "  │ -      weight: 0     # canary\n  │ +      weight: 25     # canary\n", id="a weight"
            ),
            pytest.param("sentence/v1 75 %, sentence/v2 25 %", id="destinations as a bar"),
            pytest.param(
                "  dumpy     legacy   revisions: [dumpy-00001, dumpy-00002]  #13: 25 % → 50 %\n"
                "                     rolloutPercent: 25                     Baking: 0 of 30 min\n"
                "  sentence  Istio    weight: 75 → sentence/v1               #14: 25 % → 50 %\n",
                id="side by side",
            ),
            pytest.param(
                "  sentence  Istio    weight: 100 → sentence/v1   none: rolled back\n", id="how each ended"
            ),
            pytest.param("The rules did it: the gate\n  │ error-rate failed.", id="a gate that fails"),
            pytest.param(
                "mesh/sentence.yaml  (byte for byte as at the beginning)\n", id="nothing left of it"
            ),
        ],
    )
    def test_shows(self, played: Played, shown: str) -> None:
        assert shown in played.out

    def test_counts(self, played: Played) -> None:
        counted = " ".join(played.out.split())
        assert re.search(
            r"21 pull requests \(14 of the bot\), 21 commits of the bot, [1-9]\d* lines changed, "
            r"bytes outside the block changed: 0, [1-9]\d+ requests to GitHub, \d+\.\d seconds",
            counted,
        )

    def test_is_short_narrow_and_without_colour(self, played: Played) -> None:
        lines = played.out.splitlines()
        assert len(lines) < 600
        assert [line for line in lines if cell_len(line) > 100 and "Kept" not in line] == []
        assert "\x1b" not in played.out
        assert "canary-bot:reply" not in played.out

    def test_keeps_a_sound_repository(self, played: Played) -> None:
        played.git("fsck", "--strict")
        files = shop.files()
        for path, content in files.items():
            first = played.git("rev-list", "--max-parents=0", "main").decode().strip()
            assert played.git("show", f"{first}:{path}") == content
        wanted = shop.new_customer(files[shop.CUSTOMER])
        wanted = shop.newer_customer(wanted)
        ended = wanted.replace(b"revisionName: customer-v3", b"revisionName: customer-v5")
        assert played.git("show", f"main:{shop.CUSTOMER}") == ended
        assert played.git("show", f"main:{shop.SENTENCE}") == files[shop.SENTENCE]
        storefront = played.git("show", f"main:{shop.STOREFRONT}")
        assert storefront.count(b"\n") == storefront.count(b"\r\n") == files[shop.STOREFRONT].count(b"\n")


def test_the_files_are_what_the_story_needs() -> None:
    files = shop.files()
    for path, change in (
        (shop.CUSTOMER, shop.new_customer),
        (shop.BOT, shop.new_bot),
        (shop.STOREFRONT, shop.new_storefront),
        (shop.DUMPY, shop.new_dumpy),
        (shop.DEPLOYMENT, shop.new_deployment),
    ):
        assert change(files[path]) != files[path]
    second = shop.new_customer(files[shop.CUSTOMER])
    assert shop.newer_customer(second) != second
    assert files[shop.STOREFRONT].count(b"\r\n") == files[shop.STOREFRONT].count(b"\n") > 30


@pytest.fixture
def quick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Play other parts instead of the story; give status and output, and expect nothing on standard error."""

    def play(*parts: Part) -> tuple[int, str]:
        monkeypatch.setattr(story, "PARTS", parts)
        status = demo.run(serve=False, port=0, color=True, keep=False)
        said = capsys.readouterr()
        assert said.err == ""
        return status, said.out

    return play


class TestMissed:
    """A bot that does something else is noticed, and the exit status says so."""

    def test_a_share_that_is_not_what_was_asked_for(
        self, quick: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = moving.to_weight

        def to_weight(split: Split, *, stable: str, candidate: str, weight: int, **_: bool) -> Split:
            return right(split, stable=stable, candidate=candidate, weight=weight - 1)

        monkeypatch.setattr(moving, "to_weight", to_weight)
        status, out = quick(story.customer)
        assert status == 1
        assert "✗ not as expected: on the branch: got {'customer-v3': 76, 'customer-v4': 24}" in out
        assert re.search(r"✗ not as expected: [1-9]\d* of \d+ expectations", out)
        assert "were met" not in out

    def test_a_share_of_another_kind(
        self, quick: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = moving.to_weight

        def to_weight(split: Split, *, stable: str, candidate: str, weight: int, **_: bool) -> Split:
            return right(split, stable=stable, candidate=candidate, weight=weight - 1)

        monkeypatch.setattr(moving, "to_weight", to_weight)
        status, out = quick(abreast._dumpy, abreast._sentence)
        assert status == 1
        assert "✗ not as expected: on the branch: got {'dumpy-00001': 76, 'dumpy-00002': 24}" in out
        assert "✗ not as expected: on the branch: got {'sentence/v1': 76, 'sentence/v2': 24}" in out
        assert len(re.findall(r"the split is as [0-9a-f]{7} says: got False", out)) == 2

    def test_a_part_that_cannot_go_on_does_not_end_the_demo(
        self, quick: Callable[..., tuple[int, str]]
    ) -> None:
        def lost(_: stage.Stage) -> None:
            raise stage.Lost("nobody is there")

        def refused(stage: stage.Stage) -> None:
            stage.merges("mona", 4)

        status, out = quick(lost, refused)
        assert status == 1
        assert "cannot go on: nobody is there" in out
        assert "cannot go on: 404 Not Found" in out
        assert "bytes outside the block changed: 0" in " ".join(out.split())

    def test_a_comment_without_reply(self, quick: Callable[..., tuple[int, str]]) -> None:
        def talk(on: stage.Stage) -> None:
            number = on.opens("ana", "x", "README.md", b"x\n", title="X", body="Nothing")
            on.says("mona", number, "looks good")

        status, out = quick(talk)
        assert status == 1
        assert "replies to 'looks good': got 0, want 1" in out

    def test_a_commit_of_the_bot_that_touches_a_comment(self, quick: Callable[..., tuple[int, str]]) -> None:
        def meddle(on: stage.Stage) -> None:
            bot = on.run.app.bot.login
            on.run.world.set_role(shop.REPO, bot, "write")
            content = on.read("main", shop.CUSTOMER).replace(b"team-shop", b"team-stop")
            on.run.world.commit(shop.REPO, "main", {shop.CUSTOMER: content}, "Meddle", by=bot)

        status, out = quick(meddle)
        assert status == 1
        assert re.search(r"bytes outside the block in [0-9a-f]{7}: got [1-9]", out)
        assert re.search(r"the same by git's diff, [0-9a-f]{7}: got [1-9]", out)
        assert re.search(r"only the split differs in [0-9a-f]{7}: got False", out)


class TestStopping:
    """Ctrl-C leaves nothing behind, neither files nor a traceback."""

    def test_served_on(self, tmp_path: Path) -> None:
        code = NO_STORY + "story.PARTS = (); sys.exit(main(['demo', '--serve']))"
        with started(tmp_path / "scratch", "-c", code) as serving:
            assert re.search(r"Watch it on http://127\.0\.0\.1:\d+/acme/shop", serving.welcome)
            with Visitor(serving.url) as visitor:
                visitor.page()
            assert serving.stop() == 0
            assert serving.err == ""
            assert serving.left_over() == []

    def test_in_the_middle(self, tmp_path: Path) -> None:
        wait = (
            "story.PARTS = (lambda on: (on.paper.line('here'), on.run.settle(), threading.Event().wait()),); "
        )
        code = NO_STORY + wait + "sys.stdout.reconfigure(line_buffering=True); sys.exit(main(['demo']))"
        with started(tmp_path / "scratch", "-c", code, until="here") as serving:
            assert serving.stop() == 130
            assert serving.err == ""
            assert serving.left_over() == []
