"""The sandbox's forms around the conversation: editing a file, the clock, the person, the versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.shop import MANIFEST, REPO, Visitor, shop, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


class TestEditing:
    FORM = f"/{REPO}/edit"

    def test_a_change_becomes_a_pull_request(self, world: World, mona: Visitor) -> None:
        mona.open(f"/{REPO}/blob/main/customer.yaml")
        typed = MANIFEST.decode().replace("3.4.1", "3.6.0").replace("\n", "\r\n")
        mona.submit(self.FORM, content=typed, title="Use 3.6.0", branch="mona-patch-1", action="propose")

        pull = world.pull(REPO, 2)
        assert (pull.title, pull.head_ref, pull.base_ref, pull.author.login) == (
            "Use 3.6.0",
            "mona-patch-1",
            "main",
            "mona",
        )
        assert world.read(REPO, "mona-patch-1", "customer.yaml") == MANIFEST.replace(b"3.4.1", b"3.6.0")
        assert [(one.additions, one.deletions) for one in world.diff(REPO, 2)] == [(1, 1)]
        assert "Use 3.6.0 #2" in mona.words

    def test_line_ends_of_the_file_stay(self, world: World, mona: Visitor) -> None:
        mona.open(f"/{REPO}/blob/main/apps/crlf.yaml")
        typed = MANIFEST.decode().replace("3.4.1", "3.6.0").replace("\n", "\r\n")
        mona.submit(self.FORM, content=typed, title="", branch="b", action="commit")

        wanted = MANIFEST.replace(b"3.4.1", b"3.6.0").replace(b"\n", b"\r\n")
        assert world.read(REPO, "main", "apps/crlf.yaml") == wanted
        assert world.log(REPO, "main", limit=1)[0].message.strip() == "Update apps/crlf.yaml"

    def test_who_may_not_write_proposes_from_a_fork(self, world: World, mona: Visitor) -> None:
        mona.become("eve")
        mona.open(f"/{REPO}/blob/main/README.md")
        mona.submit(self.FORM, content="# Better\n", branch="better", action="propose")

        pull = world.pull(REPO, 2)
        assert pull.head_repository is world.repository("eve/storefront")
        assert "from eve:better fork" in mona.words

    @pytest.mark.parametrize(
        ("fields", "status", "words"),
        [
            pytest.param({"content": MANIFEST.decode()}, 422, "Nothing was changed.", id="no change"),
            pytest.param({"branch": "faster"}, 422, "Reference already exists.", id="branch is taken"),
            pytest.param({"branch": "a..b"}, 422, "is not a valid ref name", id="no branch name"),
            pytest.param({"blob": "0" * 40}, 409, "Somebody changed the file", id="file has moved"),
        ],
    )
    def test_a_refusal_keeps_what_was_typed(
        self, mona: Visitor, fields: dict[str, str], status: int, words: str
    ) -> None:
        mona.open(f"/{REPO}/blob/main/customer.yaml")
        sent = {
            "content": "typed: here\n",
            "branch": "new",
            "title": "My title",
            "action": "propose",
        } | fields
        mona.submit(self.FORM, status=status, **sent)

        assert words in mona.words
        assert 'value="My title"' in mona.text
        assert f"\n{sent['content']}</textarea>" in mona.text

    def test_a_reader_may_not_commit_directly(self, world: World, mona: Visitor) -> None:
        before = world.tip(REPO, "main")
        mona.become("rita")
        mona.open(f"/{REPO}/blob/main/README.md")
        mona.submit(self.FORM, content="# Mine\n", action="commit", status=403)

        assert world.tip(REPO, "main") == before

    def test_a_branch_with_slashes_is_found(self, world: World, mona: Visitor) -> None:
        world.create_branch(REPO, "canary/customer/25", by="mona")

        mona.open(f"/{REPO}/blob/canary/customer/25/apps/crlf.yaml")
        assert "apps/crlf.yaml on canary/customer/25" in mona.words


class TestFrame:
    def test_time_is_skipped(self, world: World, mona: Visitor) -> None:
        before = world.clock.now()
        mona.open(PULL)
        assert "2 Mar 2026, 09:00 UTC" in mona.words
        mona.submit("/-/clock", minutes="10")

        assert (world.clock.now() - before).total_seconds() == 600
        assert "2 Mar 2026, 09:10 UTC" in mona.words
        assert "hubot opened this 10 minutes ago" in mona.words

    @pytest.mark.parametrize("minutes", ["0", "-5", "ten", "", "١٠", "99999999999999999999"])
    def test_time_does_not_go_elsewhere(self, world: World, mona: Visitor, minutes: str) -> None:
        before = world.clock.now()
        mona.open(PULL)
        mona.submit("/-/clock", minutes=minutes, status=400)

        assert world.clock.now() == before

    def test_a_private_repository_is_shown_to_its_people_only(self, world: World, mona: Visitor) -> None:
        world.create_repository("shop/secret", {"a": b"b"}, private=True, by="mona")
        mona.open("/shop/secret")
        mona.become("eve")

        for path in (
            "/shop/secret",
            "/shop/secret/pulls",
            "/shop/secret/version",
            "/shop/secret/blob/main/a",
        ):
            mona.open(path, status=404)

    def test_the_version_changes_with_everything_shown(self, world: World, mona: Visitor) -> None:
        app = world.create_app("canary", "a secret of the test")
        world.install(app, REPO)
        seen = {mona.client.get(f"{PULL}/version").json()["version"]}
        comment = world.comment(REPO, 1, "hello", by="mona")
        sha = world.pull(REPO, 1).head_sha
        run = world.create_check(REPO, app, {"name": "canary / plan", "head_sha": sha, "status": "queued"})
        changes: list[Callable[[], object]] = [
            lambda: world.react(REPO, comment.id, "eyes", by="mona"),
            lambda: world.edit_comment(REPO, comment.id, "hello you", by="mona"),
            lambda: world.update_check(REPO, run.id, app, {"conclusion": "success"}),
            lambda: world.add_labels(REPO, 1, ["canary"], by="mona"),
            lambda: world.commit(REPO, "main", {"x": b"y"}, "Base moves", by="mona"),
            lambda: world.close_pull(REPO, 1, by="mona"),
        ]
        for change in changes:
            change()
            version = mona.client.get(f"{PULL}/version").json()["version"]
            assert version not in seen
            seen.add(version)
            assert version == mona.client.get(f"{PULL}/version").json()["version"]
            assert f'data-version="{version}"' in mona.open(PULL)

    def test_the_first_writer_is_chosen_where_nobody_is(self, mona: Visitor) -> None:
        mona.client.cookies.clear()
        mona.open(PULL)

        assert "You are mona (admin)" in mona.words

    def test_a_cookie_with_a_strangers_name_is_ignored(self, mona: Visitor) -> None:
        mona.client.cookies.clear()
        mona.client.cookies.set("sandbox_user", "canary[bot]")
        mona.open(PULL)

        assert "You are mona (admin)" in mona.words
