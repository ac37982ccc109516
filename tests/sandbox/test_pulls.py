"""Pull requests on real git: conflicts, merges, forks, stale shas, closing and what follows a push."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.errors import ApiError
from tests.sandbox.peer import CHANGED, SHOP, TEXT

if TYPE_CHECKING:
    from bot.sandbox.model import Pull
    from bot.sandbox.world import World

ENDS = TEXT.replace(b"line 9", b"LINE NINE")


def opened(world: World, name: str = "feature", content: bytes = CHANGED, path: str = "a.txt") -> Pull:
    world.create_branch(SHOP, name, by="mona")
    world.commit(SHOP, name, {path: content}, f"Change {path}\n\nOn {name}.\n", by="mona")
    return world.open_pull(SHOP, name, "main", f"About {name}", "Words", by="mona")


def kinds(world: World, number: int = 1) -> list[str]:
    return [entry.kind for entry in world.timeline(SHOP, number)]


def refused(status: int, message: str) -> pytest.RaisesExc[ApiError]:
    return pytest.RaisesExc(
        ApiError, check=lambda error: error.status == status and message in str(error.body())
    )


class TestMerging:
    """A merge is a real commit on the base branch, made by GitHub for the person who pressed."""

    def test_merge_commit(self, world: World) -> None:
        pull = opened(world)
        before = world.tip(SHOP, "main")
        sha = world.merge(SHOP, 1, by="mona", sha=pull.head_sha)
        merge = world.log(SHOP, "main")[0]
        assert (merge.sha, merge.parents) == (sha, (before, pull.head_sha))
        assert merge.message == "Merge pull request #1 from acme/feature\n\nAbout feature"
        assert (merge.author_name, merge.committer_name, merge.verified) == ("mona", "GitHub", True)
        assert world.read(SHOP, "main", "a.txt") == CHANGED
        assert (pull.state, pull.merged, pull.merge_commit_sha) == ("closed", True, sha)
        assert pull.merged_by is world.account("mona")
        assert kinds(world) == ["opened", "commit", "merged"]

    def test_words_of_ones_own(self, world: World) -> None:
        opened(world)
        world.merge(SHOP, 1, by="mona", title="Ship it", message="Because.\n\nCanary-Step: 1/3")
        assert world.log(SHOP, "main")[0].message == "Ship it\n\nBecause.\n\nCanary-Step: 1/3"

    def test_squash_of_one_commit_takes_its_message(self, world: World) -> None:
        opened(world)
        before = world.tip(SHOP, "main")
        world.merge(SHOP, 1, by="mona", method="squash")
        squashed = world.log(SHOP, "main")[0]
        assert squashed.parents == (before,)
        assert squashed.message == "Change a.txt (#1)\n\nOn feature."

    def test_squash_of_several_lists_them(self, world: World) -> None:
        opened(world)
        world.commit(SHOP, "feature", {"b.txt": b"b\n"}, "Add b", by="mona")
        world.merge(SHOP, 1, by="mona", method="squash")
        message = world.log(SHOP, "main")[0].message
        assert message == "About feature (#1)\n\n* Change a.txt\n\nOn feature.\n\n* Add b"

    def test_rebase_replays_each_commit(self, world: World) -> None:
        opened(world)
        world.commit(SHOP, "feature", {"b.txt": b"b\n"}, "Add b", by="mona")
        world.commit(SHOP, "main", {"c.txt": b"c\n"}, "Meanwhile", by="mona")
        before = world.tip(SHOP, "main")
        world.merge(SHOP, 1, by="mona", method="rebase")
        last, first, base, *_ = world.log(SHOP, "main")
        assert (last.message, first.message, base.sha) == ("Add b", "Change a.txt\n\nOn feature.\n", before)
        assert world.files(SHOP, "main") == ["a.txt", "b.txt", "c.txt", "deep/b.yaml"]

    def test_both_sides_of_a_file_are_kept(self, world: World) -> None:
        opened(world)
        world.commit(SHOP, "main", {"a.txt": ENDS}, "The end", by="mona")
        assert world.mergeable(SHOP, 1) is True
        world.merge(SHOP, 1, by="mona")
        assert world.read(SHOP, "main", "a.txt") == CHANGED.replace(b"line 9", b"LINE NINE")

    def test_conflict(self, world: World) -> None:
        opened(world)
        world.commit(SHOP, "main", {"a.txt": TEXT.replace(b"line 5", b"five")}, "Other five", by="mona")
        before = world.tip(SHOP, "main")
        assert world.mergeable(SHOP, 1) is False
        for method in ("merge", "squash", "rebase"):
            with refused(405, "Pull Request is not mergeable"):
                world.merge(SHOP, 1, by="mona", method=method)
        assert (world.tip(SHOP, "main"), world.pull(SHOP, 1).state) == (before, "open")
        world.commit(SHOP, "feature", {"a.txt": TEXT}, "Give in", by="mona")
        assert world.mergeable(SHOP, 1) is True

    def test_head_that_moved(self, world: World) -> None:
        pull = opened(world)
        seen = pull.head_sha
        world.commit(SHOP, "feature", {"a.txt": ENDS}, "One more", by="mona")
        with refused(409, "Head branch was modified"):
            world.merge(SHOP, 1, by="mona", sha=seen)

    @pytest.mark.parametrize(("login", "status"), [("rita", 403), ("eve", 403)])
    def test_needs_write(self, world: World, login: str, status: int) -> None:
        opened(world)
        with refused(status, "write"):
            world.merge(SHOP, 1, by=login)

    def test_rules_of_a_branch(self, world: World) -> None:
        app = next(iter(world.apps.values()))
        pull = opened(world)
        world.protect(SHOP, "main", checks=("canary / gate",), approvals=1, pulls_only=True)
        with refused(422, "Changes must be made through a pull request"):
            world.commit(SHOP, "main", {"x": b""}, "Directly", by="mona")
        with refused(405, 'Required status check "canary / gate" is expected.'):
            world.merge(SHOP, 1, by="mona")
        world.create_check(
            SHOP, app, {"name": "canary / gate", "head_sha": pull.head_sha, "conclusion": "success"}
        )
        with refused(405, "At least 1 approving review is required"):
            world.merge(SHOP, 1, by="mona")
        world.review(SHOP, 1, "fine", "APPROVED", by="eve")
        with refused(405, "At least 1 approving review is required"):
            world.merge(SHOP, 1, by="mona")
        world.set_role(SHOP, "eve", "write")
        world.merge(SHOP, 1, by="mona")

    def test_pushed_to_the_base_counts_as_merged(self, world: World) -> None:
        pull = opened(world)
        world.move_branch(SHOP, "main", pull.head_sha, by="mona")
        assert (pull.merged, pull.merge_commit_sha) == (True, pull.head_sha)


class TestFollowing:
    """The head follows its branch; the base sha is where the base was when the head last moved."""

    def test_head_moves_with_its_branch(self, world: World) -> None:
        pull = opened(world)
        sha = world.commit(SHOP, "feature", {"b.txt": b"b\n"}, "Add b", by="mona")
        assert pull.head_sha == sha == world.repository(SHOP).git.ref("refs/pull/1/head")
        assert [commit.sha for commit in world.commits_of(SHOP, 1)][-1] == sha
        assert kinds(world) == ["opened", "commit", "commit"]

    def test_base_sha_is_stale_until_the_head_moves(self, world: World) -> None:
        pull = opened(world)
        before = pull.base_sha
        tip = world.commit(SHOP, "main", {"c.txt": b"c\n"}, "Meanwhile", by="mona")
        assert pull.base_sha == before
        world.commit(SHOP, "feature", {"b.txt": b"b\n"}, "Add b", by="mona")
        assert pull.base_sha == tip

    def test_force_push(self, world: World) -> None:
        pull = opened(world)
        old = pull.head_sha
        main = world.tip(SHOP, "main")
        assert main is not None
        git = world.repository(SHOP).git
        tree = git.write_tree(git.commit(main).tree, [("z.txt", "100644", git.write_blob(b"z"))])
        new = git.write_commit(tree, [main], "Start over", world.signed(world.account("mona")))
        with refused(422, "Update is not a fast forward"):
            world.move_branch(SHOP, "feature", new, by="mona")
        world.move_branch(SHOP, "feature", new, force=True, by="mona")
        assert pull.head_sha == new
        assert [file.path for file in world.diff(SHOP, 1)] == ["z.txt"]
        entry = world.timeline(SHOP, 1)[-1]
        assert (entry.kind, entry.text, entry.sha) == ("force-pushed", old, new)

    def test_diff_is_against_where_the_branches_parted(self, world: World) -> None:
        opened(world)
        world.commit(SHOP, "main", {"c.txt": b"c\n"}, "Meanwhile", by="mona")
        (file,) = world.diff(SHOP, 1)
        assert (file.path, file.status, file.additions, file.deletions) == ("a.txt", "modified", 1, 1)
        assert file.patch is not None
        assert file.patch.startswith("@@ -2,7 +2,7 @@")

    def test_diff_and_commits_stay_after_the_merge(self, world: World) -> None:
        opened(world)
        before = (world.diff(SHOP, 1), world.commits_of(SHOP, 1))
        world.merge(SHOP, 1, by="mona")
        world.delete_branch(SHOP, "feature", by="mona")
        world.commit(SHOP, "main", {"a.txt": b"new\n"}, "Later", by="mona")
        assert (world.diff(SHOP, 1), world.commits_of(SHOP, 1)) == before
        assert world.pull(SHOP, 1).merged

    def test_unknown_at_first_when_slow(self, world: World) -> None:
        opened(world)
        world.slow_mergeable = True
        assert [world.shown_facts(SHOP, 1).mergeable for _ in range(3)] == [None, True, True]
        world.commit(SHOP, "main", {"c.txt": b"c\n"}, "Meanwhile", by="mona")
        assert [world.shown_facts(SHOP, 1).mergeable for _ in range(2)] == [None, True]


class TestClosing:
    """Closed is not merged; a deleted head closes; what can be reopened is."""

    def test_close_and_reopen(self, world: World) -> None:
        pull = opened(world)
        world.close_pull(SHOP, 1, by="mona")
        assert (pull.state, pull.merged, pull.closed_by) == ("closed", False, world.account("mona"))
        world.commit(SHOP, "feature", {"b.txt": b"b\n"}, "Meanwhile", by="mona")
        world.reopen(SHOP, 1, by="rita")
        assert (pull.state, pull.head_sha) == ("open", world.tip(SHOP, "feature"))
        assert kinds(world)[-2:] == ["closed", "reopened"]

    def test_deleted_head_closes(self, world: World) -> None:
        pull = opened(world)
        world.delete_branch(SHOP, "feature", by="mona")
        assert (pull.state, pull.merged) == ("closed", False)
        assert kinds(world)[-2:] == ["head-deleted", "closed"]
        with refused(422, "branch has been deleted"):
            world.reopen(SHOP, 1, by="mona")

    def test_merged_stays_merged(self, world: World) -> None:
        opened(world)
        world.merge(SHOP, 1, by="mona")
        with refused(422, "cannot be reopened"):
            world.reopen(SHOP, 1, by="mona")

    def test_stranger_closes_nothing_but_ones_own(self, world: World) -> None:
        opened(world)
        with refused(403, "triage"):
            world.close_pull(SHOP, 1, by="eve")
        world.close_pull(SHOP, 1, by="rita")

    def test_second_one_may_be_opened_then(self, world: World) -> None:
        opened(world)
        with refused(422, "A pull request already exists for acme:feature."):
            world.open_pull(SHOP, "feature", "main", "Again", by="mona")
        world.close_pull(SHOP, 1, by="mona")
        assert world.open_pull(SHOP, "feature", "main", "Again", by="mona").number == 2


class TestForks:
    """A fork is another repository that shares the objects; its pull requests live in the first."""

    @pytest.fixture
    def fork(self, world: World) -> Pull:
        world.fork(SHOP, by="eve")
        world.create_branch("eve/shop", "idea", by="eve")
        world.commit("eve/shop", "idea", {"a.txt": CHANGED}, "An idea", by="eve")
        return world.open_pull(SHOP, "idea", "main", "An idea", by="eve", fork="eve/shop")

    def test_from_a_fork(self, world: World, fork: Pull) -> None:
        assert fork.head_repository is world.repository("eve/shop")
        assert world.tip(SHOP, "idea") is None
        assert world.read(SHOP, fork.head_sha, "a.txt") == CHANGED
        sha = world.commit("eve/shop", "idea", {"b.txt": b"b\n"}, "More", by="eve")
        assert fork.head_sha == sha
        world.merge(SHOP, 1, by="mona")
        assert world.read(SHOP, "main", "b.txt") == b"b\n"
        assert world.read("eve/shop", "main", "a.txt") == TEXT
        assert world.log(SHOP, "main")[0].message.startswith("Merge pull request #1 from eve/idea")

    def test_forked_twice_is_forked_once(self, world: World, fork: Pull) -> None:
        assert world.fork(SHOP, by="eve") is fork.head_repository

    def test_owner_writes_to_the_fork_and_nobody_else(self, world: World, fork: Pull) -> None:
        assert fork.maintainer_can_modify
        with refused(403, "write"):
            world.commit("eve/shop", "idea", {"a.txt": TEXT}, "Mine now", by="mona")
        with refused(403, "write"):
            world.commit(SHOP, "main", {"a.txt": TEXT}, "Mine now", by="eve")

    def test_fork_that_is_gone(self, world: World, fork: Pull) -> None:
        world.delete_repository("eve/shop")
        assert (fork.head_repository, fork.head_owner.login) == (None, "eve")
        assert world.mergeable(SHOP, 1) is True
        world.merge(SHOP, 1, by="mona")
        assert world.read(SHOP, "main", "a.txt") == CHANGED


class TestTalk:
    """Comments have growing ids, one counter for all; an edit moves the time; reactions are counted once."""

    def test_ids_grow_over_comments_and_reviews(self, world: World) -> None:
        opened(world)
        ids = [
            world.comment(SHOP, 1, "one", by="mona").id,
            world.review(SHOP, 1, "two", by="rita").id,
            world.comment(SHOP, 1, "three", by="eve").id,
        ]
        assert ids == sorted(ids)
        assert kinds(world)[2:] == ["comment", "review", "comment"]

    def test_edit_and_delete(self, world: World) -> None:
        opened(world)
        comment = world.comment(SHOP, 1, "one", by="eve")
        assert comment.updated_at == comment.created_at
        with refused(403, "write"):
            world.edit_comment(SHOP, comment.id, "two", by="rita")
        world.edit_comment(SHOP, comment.id, "two", by="mona")
        assert comment.updated_at > comment.created_at
        assert world.timeline(SHOP, 1)[-1].text == "two"
        world.delete_comment(SHOP, comment.id, by="eve")
        assert kinds(world) == ["opened", "commit"]

    def test_reaction_of_one_kind_counts_once(self, world: World) -> None:
        opened(world)
        comment = world.comment(SHOP, 1, "one", by="eve")
        assert [world.react(SHOP, comment.id, "eyes", by=who)[1] for who in ("mona", "mona", "eve")] == [
            True,
            False,
            True,
        ]
        assert len(comment.reactions) == 2

    def test_locked(self, world: World) -> None:
        opened(world)
        world.lock_conversation(SHOP, 1)
        with refused(403, "Unable to create comment because issue is locked."):
            world.comment(SHOP, 1, "hm", by="eve")
        world.comment(SHOP, 1, "I may", by="mona")

    def test_own_pull_request_is_not_approved(self, world: World) -> None:
        opened(world)
        with refused(422, "Can not approve your own pull request"):
            world.review(SHOP, 1, "great", "APPROVED", by="mona")
        world.review(SHOP, 1, "", "APPROVED", by="rita")

    def test_check_of_a_name_is_its_latest(self, world: World) -> None:
        app = next(iter(world.apps.values()))
        sha = opened(world).head_sha
        for conclusion in ("failure", "success"):
            fields = {"name": "canary / plan", "head_sha": sha, "conclusion": conclusion}
            world.create_check(SHOP, app, fields)
        world.create_check(SHOP, app, {"name": "canary / gate", "head_sha": sha})
        shown = [(run.name, run.status, run.conclusion) for run in world.checks(SHOP, sha)]
        assert shown == [("canary / plan", "completed", "success"), ("canary / gate", "queued", None)]
