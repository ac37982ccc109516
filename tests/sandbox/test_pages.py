"""The sandbox's pages: each shows what there is, and each form does what its button says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.shop import FEATURE, MANIFEST, REPO, Visitor, shop, visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.sandbox.world import World

PULL = f"/{REPO}/pull/1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop(tmp_path) as world:
        yield world


@pytest.fixture
def mona(world: World) -> Iterator[Visitor]:
    with visitor(world) as someone:
        yield someone


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Somebody who only looks: one shop for all."""
    with shop(tmp_path_factory.mktemp("shop")) as world, visitor(world) as someone:
        yield someone


def as_bot(world: World) -> str:
    app = world.create_app("canary", "a secret of the test")
    world.install(app, REPO)
    return app.bot.login


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("/", ["shop/storefront", "1 open pull request, 0 closed"], id="repositories"),
        pytest.param("/shop", ["Repositories of shop", REPO], id="repositories of an owner"),
        pytest.param(
            f"/{REPO}", ["apps/crlf.yaml", "Traffic on main", "customer-v3", "100 %"], id="overview"
        ),
        pytest.param(f"/{REPO}?ref=faster", ["Use customer 3.5.0"], id="overview of a branch"),
        pytest.param(f"/{REPO}/pulls", ["customer: 3.5.0", "#1 opened"], id="open pull requests"),
        pytest.param(f"/{REPO}/pulls?state=closed", ["No closed pull requests."], id="closed pull requests"),
        pytest.param(PULL, ["hubot wants to merge 1 commit into main from faster"], id="conversation"),
        pytest.param(f"{PULL}/commits", ["Use customer 3.5.0", "hubot committed"], id="commits"),
        pytest.param(f"{PULL}/checks", ["No check has reported on this commit."], id="checks"),
        pytest.param(
            f"{PULL}/files", ["1 changed file with 2 additions and 2 deletions"], id="files changed"
        ),
        pytest.param(f"/{REPO}/blob/main/customer.yaml", ["# Owners: team-shop.", "16 lines"], id="file"),
        pytest.param(f"/{REPO}/blob/main/apps/crlf.yaml", ["CRLF"], id="file in a folder"),
        pytest.param(f"/{REPO}/commits/main", ["Initial commit"], id="history"),
        pytest.param(f"/{REPO}/commit/faster", ["Use customer 3.5.0", "+2 −2"], id="commit"),
    ],
)
def test_page_shows(reader: Visitor, path: str, shown: list[str]) -> None:
    reader.open(path)

    for words in shown:
        assert words in reader.words


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/nobody/nothing", id="no repository"),
        pytest.param("/nobody", id="no owner"),
        pytest.param(f"/{REPO}/pull/99", id="no pull request"),
        pytest.param(f"{PULL}/secrets", id="no such tab"),
        pytest.param(f"/{REPO}/blob/main/absent.yaml", id="no file"),
        pytest.param(f"/{REPO}/blob/main", id="no path"),
        pytest.param(f"/{REPO}?ref=absent", id="no branch"),
        pytest.param(f"/{REPO}/commit/0123456789", id="no commit"),
        pytest.param("/static/pages.py", id="no static file"),
    ],
)
def test_what_is_not_there_is_not_found(reader: Visitor, path: str) -> None:
    reader.open(path, status=404)

    assert "Not found" in reader.words


@pytest.mark.parametrize("first", ["repos", "app", "user", "users", "installation", "api", "static", "login"])
def test_the_paths_of_the_api_are_no_owners(reader: Visitor, first: str) -> None:
    answer = reader.client.get(f"/{first}/storefront")

    assert answer.status_code == 404
    assert "<html" not in answer.text or first == "static"


class TestConversation:
    def test_a_comment_is_said_by_the_chosen_person(self, world: World, mona: Visitor) -> None:
        mona.become("rita")
        mona.open(PULL)
        mona.submit(f"{PULL}/comment", action="comment", body="/canary 25")

        comment = world.pull(REPO, 1).comments[0]
        assert (comment.author.login, comment.body) == ("rita", "/canary 25")
        assert "You are rita (triage)" in mona.words
        assert "rita commented just now triage" in mona.words

    def test_line_ends_of_a_form_stay_as_the_browser_sends_them(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/comment", action="comment", body="First.\r\n\r\n/canary 25")

        assert world.pull(REPO, 1).comments[0].body == "First.\r\n\r\n/canary 25"

    def test_an_empty_comment_is_refused_in_githubs_words(self, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/comment", action="comment", body="  ", status=422)

        assert "Validation Failed" in mona.words

    def test_what_was_typed_survives_a_refusal(self, world: World, mona: Visitor) -> None:
        world.lock_conversation(REPO, 1)
        mona.open(PULL)
        world.set_role(REPO, "mona", "triage")
        mona.submit(f"{PULL}/comment", action="comment", body="typed </textarea>", status=403)

        assert "Unable to create comment because issue is locked." in mona.words
        assert "\ntyped &lt;/textarea&gt;</textarea>" in mona.text

    def test_replies_show_author_badge_reactions_and_edits(self, world: World, mona: Visitor) -> None:
        bot = as_bot(world)
        asked = world.comment(REPO, 1, "/canary 25", by="mona")
        world.react(REPO, asked.id, "eyes", by=bot)
        world.react(REPO, asked.id, "rocket", by=bot)
        reply = world.comment(REPO, 1, "first", by=bot)
        world.edit_comment(REPO, reply.id, "**Applied**", by=bot)
        mona.open(PULL)

        assert "👀 1" in mona.words
        assert "🚀 1" in mona.words
        assert "canary bot commented just now · edited" in mona.words
        assert "<strong>Applied</strong>" in mona.text

    def test_a_comment_is_edited_and_deleted(self, world: World, mona: Visitor) -> None:
        comment = world.comment(REPO, 1, "first", by="mona")
        form = f"{PULL}/comment/{comment.id}"
        mona.open(PULL)
        mona.submit(form, action="edit", body="second")
        assert world.pull(REPO, 1).comments[0].body == "second"

        mona.submit(form, action="delete")
        assert world.pull(REPO, 1).comments == []

    def test_only_the_author_and_writers_see_the_edit_form(self, world: World, mona: Visitor) -> None:
        comment = world.comment(REPO, 1, "by mona", by="mona")
        mona.become("rita")

        assert f"{PULL}/comment/{comment.id}" not in mona.open(PULL)

    def test_a_review_approves(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/comment", kind="APPROVED", action="comment", body="Fine.")

        assert [(one.state, one.body) for one in world.pull(REPO, 1).reviews] == [("APPROVED", "Fine.")]
        assert "mona approved these changes" in mona.words

    def test_events_are_told_in_order(self, world: World, mona: Visitor) -> None:
        world.add_labels(REPO, 1, ["canary"], by="mona")
        world.edit_pull(REPO, 1, by="hubot", title="customer: faster")
        world.close_pull(REPO, 1, by="mona")
        world.reopen(REPO, 1, by="mona")
        mona.open(PULL)

        told = [
            "mona added the label canary",
            "changed the title to customer: faster",
            "closed this",
            "reopened",
        ]
        places = [mona.words.index(words) for words in told]
        assert places == sorted(places)

    def test_commits_of_the_site_are_verified_and_pushed_ones_are_not(
        self, world: World, mona: Visitor
    ) -> None:
        assert "Verified" not in mona.open(PULL)
        blob = world.entry(REPO, "faster", "README.md").sha
        world.put_file(REPO, "README.md", b"# Shop\n", "Tidy", branch="faster", blob=blob, by="mona")

        assert mona.open(PULL).count("Verified") == 1


class TestMerging:
    def test_merging_merges_the_shown_head(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/merge", method="merge")

        assert world.pull(REPO, 1).merged
        assert world.read(REPO, "main", "customer.yaml") == FEATURE
        assert "mona merged 1 commit into main from faster" in mona.words
        assert "closed this" not in mona.words

    def test_squashing_makes_one_parent(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/merge", method="squash")

        assert len(world.log(REPO, "main", limit=1)[0].parents) == 1

    def test_a_head_that_moved_is_not_merged(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        world.commit(REPO, "faster", {"more": b"x"}, "More", by="hubot")
        mona.submit(f"{PULL}/merge", status=409)

        assert not world.pull(REPO, 1).merged
        assert "Head branch was modified." in mona.words

    @pytest.mark.parametrize("login", ["rita", "eve"])
    def test_without_write_access_there_is_no_button(self, mona: Visitor, login: str) -> None:
        mona.become(login)
        mona.open(PULL)

        assert f'action="{PULL}/merge"' not in mona.text
        assert "Only those with write access" in mona.words

    def test_a_button_kept_from_before_does_not_help(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        world.set_role(REPO, "mona", "triage")
        mona.submit(f"{PULL}/merge", status=403)

        assert not world.pull(REPO, 1).merged

    def test_an_unknown_method_is_refused(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/merge", method="octopus", status=422)

        assert not world.pull(REPO, 1).merged

    def test_a_conflict_is_shown_and_the_button_is_off(self, world: World, mona: Visitor) -> None:
        world.commit(REPO, "main", {"customer.yaml": MANIFEST.replace(b"3.4.1", b"3.4.2")}, "x", by="mona")
        mona.open(PULL)

        assert "This branch has conflicts that must be resolved" in mona.words
        assert re.search(r"<button[^>]*disabled>Merge pull request", mona.text)

    def test_the_branch_of_a_merged_pull_request_is_deleted(self, world: World, mona: Visitor) -> None:
        world.merge(REPO, 1, by="mona")
        mona.open(PULL)
        mona.submit(f"{PULL}/delete-branch")

        assert "faster" not in world.branches(REPO)
        assert "Delete branch" not in mona.words

    def test_close_with_a_comment_and_reopen(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.submit(f"{PULL}/comment", action="close", body="Not now.")
        assert world.pull(REPO, 1).state == "closed"
        assert [one.body for one in world.pull(REPO, 1).comments] == ["Not now."]
        assert "Closed with unmerged commits" in mona.words

        mona.submit(f"{PULL}/comment", action="reopen", body="")
        assert world.pull(REPO, 1).state == "open"
        assert len(world.pull(REPO, 1).comments) == 1

    def test_a_reader_may_not_close(self, world: World, mona: Visitor) -> None:
        mona.become("eve")
        mona.open(PULL)
        mona.submit(f"{PULL}/comment", action="close", body="", status=403)

        assert world.pull(REPO, 1).state == "open"


class TestChecks:
    @pytest.fixture(autouse=True)
    def _checked(self, world: World) -> None:
        app = world.create_app("canary", "a secret of the test")
        world.install(app, REPO)
        sha = world.pull(REPO, 1).head_sha
        plan = {
            "title": "75 to 25",
            "summary": "Sums to **100**.",
            "annotations": [
                {
                    "path": "customer.yaml",
                    "start_line": 9,
                    "end_line": 9,
                    "annotation_level": "warning",
                    "message": "A new name.",
                    "title": "name",
                },
                {
                    "path": "elsewhere.yaml",
                    "start_line": 1,
                    "end_line": 1,
                    "annotation_level": "failure",
                    "message": "Not in this change.",
                },
            ],
        }
        world.create_check(
            REPO,
            app,
            {"name": "canary / plan", "head_sha": sha, "conclusion": "success", "output": plan},
        )
        waiting = {"title": "4 of 10 min", "summary": "Bakes."}
        fields = {"name": "canary / gate", "head_sha": sha, "status": "in_progress", "output": waiting}
        world.create_check(REPO, app, fields)

    def test_the_merge_box_sums_them_up(self, mona: Visitor) -> None:
        mona.open(PULL)

        assert "Some checks haven’t completed yet 1 pending, 1 successful checks" in mona.words
        assert "canary / gate 4 of 10 min" in mona.words

    def test_summaries_are_rendered(self, mona: Visitor) -> None:
        mona.open(f"{PULL}/checks")

        assert "Sums to <strong>100</strong>." in mona.text
        assert "elsewhere.yaml:1" in mona.words

    def test_annotations_stand_under_their_line(self, mona: Visitor) -> None:
        mona.open(f"{PULL}/files")

        line, remark = mona.text.index('<td class="num">9</td>'), mona.text.index("A new name.")
        assert line < remark < mona.text.index('<td class="num">10</td>')
        assert "Not in this change." in mona.words
