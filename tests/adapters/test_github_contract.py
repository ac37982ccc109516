"""Every method of the port against the sandbox: real HTTP, real git repositories, counted requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.adapters.github.git import blob_sha
from bot.ports import Annotation, Check, Exists, File, Missing, Moved, Reaction, Refused, Role
from tests.adapters.stage import NEW, OLD, PATH, SHOP

if TYPE_CHECKING:
    from tests.adapters.stage import Stage


class TestReading:
    """What the bot sees is what is there, at one request each."""

    def test_the_repository_itself(self, stage: Stage) -> None:
        with stage.costs("GET "):
            repository = stage.repository
            assert (repository.name, repository.default_branch) == (SHOP, "main")
            assert repository.default_branch == stage.repository.default_branch
            assert repository.web_url.endswith(f"/{SHOP}")

    def test_pull(self, stage: Stage) -> None:
        number = stage.pull()
        stage.world.add_labels(SHOP, number, ["canary"], by="mona")
        with stage.costs(f"GET /pulls/{number}"):
            repository = stage.repository
            pull = repository.pull(number)
            assert repository.default_branch == "main"  # came along
        assert (pull.number, pull.title, pull.body, pull.state) == (number, "About feature", "Words", "open")
        assert (pull.author.login, pull.author.is_bot, pull.ours) == ("mona", False, False)
        assert (pull.head_ref, pull.head_sha, pull.head_repository) == ("feature", stage.tip("feature"), SHOP)
        assert (pull.base_ref, pull.base_sha, pull.from_fork) == ("main", stage.tip(), False)
        assert (pull.merged, pull.merge_sha, pull.labels) == (False, None, ("canary",))
        assert pull.created_at.utcoffset() == timedelta(0)

    def test_pull_from_a_fork(self, stage: Stage) -> None:
        stage.world.fork(SHOP, by="zoe")
        stage.world.commit("zoe/shop", "main", {PATH: NEW}, "Mine", by="zoe")
        number = stage.world.open_pull(SHOP, "main", "main", "From a fork", by="zoe", fork="zoe/shop").number
        pull = stage.repository.pull(number)
        assert (pull.from_fork, pull.head_repository) == (True, "zoe/shop")
        stage.world.delete_repository("zoe/shop")
        pull = stage.repository.pull(number)
        assert (pull.from_fork, pull.head_repository) == (True, None)

    def test_no_such_pull(self, stage: Stage) -> None:
        with stage.costs("GET /pulls/99"), pytest.raises(Missing):
            stage.repository.pull(99)

    def test_comments(self, stage: Stage) -> None:
        number = stage.pull()
        stage.world.comment(SHOP, number, "/canary 25", by="rita")
        said = stage.world.comment(SHOP, number, "first", by="mona")
        stage.world.edit_comment(SHOP, said.id, "second", by="mona")
        stage.repository.reply(number, "Proposed")
        with stage.costs(f"GET /issues/{number}/comments"):
            found = stage.repository.comments(number)
        assert [(c.author.login, c.body, c.ours, c.edited) for c in found] == [
            ("rita", "/canary 25", False, False),
            ("mona", "second", False, True),
            ("canary-bot[bot]", "Proposed", True, False),
        ]
        assert {c.kind for c in found} == {"comment"}

    def test_comments_of_all_pages(self, stage: Stage) -> None:
        number = stage.pull()
        for n in range(201):
            stage.world.comment(SHOP, number, f"{n}", by="rita")
        with stage.costs(*[f"GET /issues/{number}/comments"] * 3):
            assert [c.body for c in stage.repository.comments(number)] == [f"{n}" for n in range(201)]

    def test_reviews(self, stage: Stage) -> None:
        number = stage.pull()
        stage.world.review(SHOP, number, "/promote", "COMMENTED", by="mona")
        stage.world.set_role(SHOP, "rita", Role.WRITE)
        stage.world.review(SHOP, number, "", "APPROVED", by="rita")
        with stage.costs(f"GET /pulls/{number}/reviews"):
            found = stage.repository.reviews(number)
        assert [(c.kind, c.author.login, c.body) for c in found] == [("review", "mona", "/promote")]

    def test_changed_files(self, stage: Stage) -> None:
        number = stage.pull()
        stage.world.commit(SHOP, "feature", {"README.md": None, "new.yaml": b"x"}, "More", by="mona")
        repository = stage.repository
        pull = repository.pull(number)
        with stage.costs(f"GET /pulls/{number}/files"):
            found = {f.path: f for f in repository.changed_files(pull)}
            assert repository.changed_files(pull) == tuple(found.values())  # kept
        assert {path: f.status for path, f in found.items()} == {
            PATH: "modified",
            "README.md": "removed",
            "new.yaml": "added",
        }
        assert (found[PATH].blob, found["README.md"].blob) == (blob_sha(NEW), None)

    @pytest.mark.parametrize("role", list(Role))
    def test_role_of(self, stage: Stage, role: Role) -> None:
        # The repository is public, so everybody may read.
        stage.world.set_role(SHOP, "rita", role)
        with stage.costs("GET /collaborators/rita/permission"):
            assert stage.repository.role_of("rita").role is max(role, Role.READ)

    def test_role_of_nobody(self, stage: Stage) -> None:
        with stage.costs("GET /collaborators/nobody/permission"):
            assert stage.repository.role_of("nobody").role is Role.NONE

    def test_tip(self, stage: Stage) -> None:
        sha = stage.branch("a/b#c")
        with stage.costs("GET /git/ref/heads/a/b%23c", "GET /git/ref/heads/a"):
            assert stage.repository.tip("a/b#c") == sha
            assert stage.repository.tip("a") is None

    def test_file(self, stage: Stage) -> None:
        stage.branch()
        repository = stage.repository
        with stage.costs(*[f"GET /contents/{PATH}"] * 2):
            for _ in range(2):
                assert repository.file(PATH, stage.tip()) == File(PATH, OLD, blob_sha(OLD))
                assert repository.file(PATH, stage.tip("feature")) == File(PATH, NEW, blob_sha(NEW))

    def test_file_that_is_none(self, stage: Stage) -> None:
        repository = stage.repository
        assert repository.file("gone.yaml", stage.tip()) is None
        with pytest.raises(Refused):
            repository.file("apps", stage.tip())

    def test_file_beyond_a_megabyte(self, stage: Stage) -> None:
        large = b"\xff\x00" * 700_000
        sha = stage.world.commit(SHOP, "main", {"large.bin": large}, "Large", by="mona")
        with stage.costs("GET /contents/large.bin", f"GET /git/blobs/{blob_sha(large)}"):
            assert stage.repository.file("large.bin", sha) == File("large.bin", large, blob_sha(large))

    def test_history(self, stage: Stage) -> None:
        first = stage.tip()
        stage.world.commit(SHOP, "main", {"README.md": b"other\n"}, "Elsewhere", by="mona")
        second = stage.world.commit(SHOP, "main", {PATH: NEW}, "By hand", by="mona")
        ours = stage.repository.commit_file("main", stage.file(), OLD, "Shift\n\nCanary-Service: x")
        repository = stage.repository
        with stage.costs("GET /commits"):
            found = repository.history(PATH, ours)
            assert repository.history(PATH, ours) == found
        assert [(c.sha, c.ours) for c in found] == [(ours, True), (second, False), (first, False)]
        assert found[0].message == "Shift\n\nCanary-Service: x"
        assert found[0].parents == (second,)
        assert found[1].author == "mona"
        assert [c.sha for c in repository.history(PATH, ours, limit=1)] == [ours]

    def test_commits_of(self, stage: Stage) -> None:
        number = stage.pull()
        more = stage.world.commit(SHOP, "feature", {PATH: OLD + b"#"}, "More", by="mona")
        with stage.costs(f"GET /pulls/{number}/commits"):
            found = stage.repository.commits_of(number)
        assert [c.message for c in found] == ["Change the image", "More"]
        assert found[-1].sha == more

    def test_pull_of_commit(self, stage: Stage) -> None:
        number = stage.pull()
        head = stage.tip("feature")
        assert stage.repository.pull_of_commit(head) is None  # not merged
        stage.world.merge(SHOP, number, by="mona")
        with stage.costs(f"GET /commits/{stage.tip()}/pulls", f"GET /commits/{head}/pulls"):
            for sha in (stage.tip(), head):
                pull = stage.repository.pull_of_commit(sha)
                assert pull is not None
                assert (pull.number, pull.merged, pull.merge_sha) == (number, True, stage.tip())
                assert pull.merged_at is not None

    def test_lists_of_pulls(self, stage: Stage) -> None:
        repository = stage.repository
        theirs = stage.pull("feature")
        repository.create_branch("canary/x/25", stage.branch("work"))
        ours = repository.open_pull(head="canary/x/25", base="main", title="25 %", body="").number
        with stage.costs("GET /pulls"):
            assert {p.number for p in repository.open_pulls()} == {theirs, ours}
        repository.close_pull(ours)
        with stage.costs("GET /pulls", "GET /pulls", "GET /pulls"):
            assert [(p.number, p.ours, p.state) for p in repository.pulls_from("canary/x/25")] == [
                (ours, True, "closed")
            ]
            assert repository.pulls_from("feature") == ()
            (closed,) = repository.pulls_closed_since(stage.world.clock.now() - timedelta(hours=1))
        assert closed.number == ours
        assert repository.pulls_closed_since(closed.updated_at + timedelta(seconds=1)) == ()

    def test_comments_since(self, stage: Stage) -> None:
        number = stage.pull()
        plain = stage.world.open_issue(SHOP, "An issue", by="mona").number
        stage.world.comment(SHOP, plain, "not on a pull request", by="mona")
        said = stage.world.comment(SHOP, number, "/canary 25", by="mona")
        with stage.costs("GET /issues/comments"):
            found = stage.repository.comments_since(said.created_at)
        assert [(n, c.id, c.body) for n, c in found] == [(number, said.id, "/canary 25")]


class TestWriting:
    """What the bot writes is there afterwards, once, and under its own name."""

    def test_commit_file(self, stage: Stage) -> None:
        stage.branch()
        was = stage.file("feature")
        with stage.costs(f"PUT /contents/{PATH}"):
            sha = stage.repository.commit_file("feature", was, OLD, "Shift")
        assert (stage.tip("feature"), stage.world.read(SHOP, "feature", PATH)) == (sha, OLD)
        made = stage.world.log(SHOP, "feature", limit=1)[0]
        assert made.author_email == stage.app.bot.email
        with pytest.raises(Moved):
            stage.repository.commit_file("feature", was, NEW, "Shift")
        with pytest.raises(Moved):
            stage.repository.commit_file("gone", was, NEW, "Shift")

    def test_commit_on_and_branches(self, stage: Stage) -> None:
        repository = stage.repository
        main = stage.tip()
        with stage.costs(f"GET /git/trees/{main}", "POST /git/trees", "POST /git/commits"):
            first = repository.commit_on(main, PATH, NEW, "Shift")
        with stage.costs("POST /git/trees", "POST /git/commits"):  # the folders of a commit are kept
            second = repository.commit_on(main, PATH, NEW + b"#", "Shift again")
        with stage.costs("POST /git/refs"):
            repository.create_branch("canary/x/25", first)
        assert stage.world.read(SHOP, "canary/x/25", PATH) == NEW
        assert stage.world.files(SHOP, "canary/x/25") == stage.world.files(SHOP, "main")
        with pytest.raises(Exists):
            repository.create_branch("canary/x/25", first)
        ref = "/git/ref/heads/canary/x/25"
        with stage.costs(f"GET {ref}", "PATCH /git/refs/heads/canary/x/25"):
            repository.move_branch("canary/x/25", old=first, new=second)
        assert stage.tip("canary/x/25") == second
        with stage.costs(f"GET {ref}"), pytest.raises(Moved):
            repository.move_branch("canary/x/25", old=first, new=main)
        with stage.costs("DELETE /git/refs/heads/canary/x/25"):
            repository.delete_branch("canary/x/25")
        assert stage.world.tip(SHOP, "canary/x/25") is None
        repository.delete_branch("canary/x/25")

    def test_a_history_of_its_own_holds_one_file(self, stage: Stage) -> None:
        repository = stage.repository
        with stage.costs("POST /git/trees", "POST /git/commits"):
            first = repository.commit_on(None, "freezes.json", b"{}\n", "Begin")
        repository.create_branch("canary/freezes", first)
        assert stage.world.files(SHOP, "canary/freezes") == ["freezes.json"]
        (only,) = repository.history("freezes.json", first)
        assert (only.sha, only.ours, only.parents) == (first, True, ())

    def test_no_branch_for_an_unknown_commit(self, stage: Stage) -> None:
        with pytest.raises(Refused):
            stage.repository.create_branch("canary/x/25", "0" * 39 + "1")

    def test_open_edit_and_close_a_pull(self, stage: Stage) -> None:
        stage.branch()
        wanted = {"head": "feature", "base": "main", "title": "25 %", "body": "Words"}
        with stage.costs("POST /pulls"):
            pull = stage.repository.open_pull(**wanted)
        assert (pull.ours, pull.author.is_bot, pull.state, pull.title) == (True, True, "open", "25 %")
        with pytest.raises(Exists):
            stage.repository.open_pull(**wanted)
        stage.repository.create_branch("same", stage.tip())
        with pytest.raises(Exists):
            stage.repository.open_pull(**wanted | {"head": "same"})
        with pytest.raises(Refused):
            stage.repository.open_pull(**wanted | {"head": "gone"})
        with stage.costs(f"PATCH /pulls/{pull.number}"):
            stage.repository.edit_pull(pull.number, title="50 %")
        with stage.costs():
            stage.repository.edit_pull(pull.number)
        with stage.costs(f"PATCH /pulls/{pull.number}"):
            stage.repository.close_pull(pull.number)
        found = stage.world.pull(SHOP, pull.number)
        assert (found.title, found.body, found.state) == ("50 %", "Words", "closed")

    def test_merge(self, stage: Stage) -> None:
        number = stage.pull()
        head = stage.tip("feature")
        with stage.costs(f"PUT /pulls/{number}/merge"):
            sha = stage.repository.merge(number, sha=head, title="Merge it", message="Because")
        assert stage.tip() == sha
        made = stage.world.log(SHOP, "main", limit=1)[0]
        assert made.message == "Merge it\n\nBecause"
        assert len(made.parents) == 2
        pull = stage.repository.pull(number)
        assert (pull.merged, pull.merge_sha) == (True, sha)
        assert pull.merged_by is not None
        assert pull.merged_by.login == "canary-bot[bot]"
        with pytest.raises(Refused):
            stage.repository.merge(number, sha=head, title="Merge it", message="Because")

    def test_merge_of_a_moved_head(self, stage: Stage) -> None:
        number = stage.pull()
        head = stage.tip("feature")
        stage.world.commit(SHOP, "feature", {PATH: OLD + b"#"}, "Sneaky", by="mona")
        with pytest.raises(Moved):
            stage.repository.merge(number, sha=head, title="t", message="m")
        assert stage.world.pull(SHOP, number).merged_at is None

    def test_merge_of_a_conflict(self, stage: Stage) -> None:
        number = stage.pull()
        stage.world.commit(SHOP, "main", {PATH: b"else\n"}, "Conflict", by="mona")
        with pytest.raises(Refused):
            stage.repository.merge(number, sha=stage.tip("feature"), title="t", message="m")

    def test_merge_against_a_rule(self, stage: Stage) -> None:
        number = stage.pull()
        stage.world.protect(SHOP, "main", approvals=1)
        with pytest.raises(Refused):
            stage.repository.merge(number, sha=stage.tip("feature"), title="t", message="m")

    def test_commit_against_a_rule(self, stage: Stage) -> None:
        stage.world.protect(SHOP, "main", pulls_only=True)
        was = stage.file()
        sha = stage.repository.commit_on(stage.tip(), PATH, NEW, "Shift")
        with pytest.raises(Refused, match="rule violations found Changes must"):
            stage.repository.commit_file("main", was, NEW, "Shift")
        with pytest.raises(Refused, match="rule violations"):
            stage.repository.move_branch("main", old=stage.tip(), new=sha)

    def test_reply_and_reactions(self, stage: Stage) -> None:
        number = stage.pull()
        asked = stage.world.comment(SHOP, number, "/canary 25", by="mona")
        (comment,) = stage.repository.comments(number)
        with stage.costs(f"POST /issues/{number}/comments"):
            reply = stage.repository.reply(number, "Seen")
        assert (reply.ours, reply.body) == (True, "Seen")
        with stage.costs(f"PATCH /issues/comments/{reply.id}"):
            stage.repository.edit_reply(reply.id, "Done")
        with stage.costs(*[f"POST /issues/comments/{asked.id}/reactions"] * len(Reaction)):
            for reaction in Reaction:
                stage.repository.react(comment, reaction)
        entries = [e.comment for e in stage.world.timeline(SHOP, number) if e.comment is not None]
        assert [c.body for c in entries] == ["/canary 25", "Done"]
        assert {r.content for r in entries[0].reactions} == {str(r) for r in Reaction}
        with stage.costs():
            stage.repository.react(replace(comment, kind="review"), Reaction.SEEN)
        stage.repository.react(replace(comment, id=999_999), Reaction.SEEN)  # swallowed
        with pytest.raises(Missing):
            stage.repository.reply(99, "x")

    def test_labels(self, stage: Stage) -> None:
        number = stage.pull()
        with stage.costs(f"POST /issues/{number}/labels"):
            stage.repository.add_labels(number, ["canary", "25 %"])
        assert stage.repository.pull(number).labels == ("canary", "25 %")

    def test_checks(self, stage: Stage) -> None:
        sha = stage.branch()
        pending = Check("canary / gate", None, "Waits", "until noon", external_id="x/25")
        runs = f"GET /commits/{sha}/check-runs"
        with stage.costs("POST /check-runs"):
            stage.repository.set_checks(sha, [pending], fresh=True)
        with stage.costs(runs):
            stage.repository.set_checks(sha, [pending])
        done = replace(pending, conclusion="success", title="Passed")
        (run,) = stage.world.checks(SHOP, sha)
        with stage.costs(runs, f"PATCH /check-runs/{run.id}"):
            stage.repository.set_checks(sha, [done])
        remark = Annotation(PATH, 2, 2, "failure", "sums to 95, want 100")
        plan = Check("canary / plan", "failure", "No", "s" * 70_000, annotations=(remark,) * 60)
        with stage.costs(runs, "POST /check-runs"):
            stage.repository.set_checks(sha, [plan])
        with stage.costs(runs):
            found = {check.name: check for check in stage.repository.checks(sha)}
        assert found["canary / gate"] == done
        assert found["canary / plan"].conclusion == "failure"
        assert len(stage.world.checks(SHOP, sha)) == 2
