"""What GitHub's answers mean in the port's words, where a real repository would not show it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from bot.adapters.github.git import blob_sha
from bot.core.problems import OutsideFailure
from bot.ports import Exists, File, Missing, Moved, Refused, Role
from tests.adapters.scripted import APP_ID, BOT, MONA, Say

if TYPE_CHECKING:
    from bot.ports import Pull
    from tests.adapters.conftest import Talk

REPO = "/repos/acme/shop"
WHEN = "2026-11-02T12:00:00Z"
SHA, OTHER, BLOB = "a" * 40, "b" * 40, "c" * 40
FILE = File("apps/a.yaml", b"old", BLOB)


def _pull(number: int = 1, **other: Any) -> dict[str, Any]:
    home = {"id": 50, "full_name": "acme/shop", "default_branch": "main"}
    return {
        "number": number,
        "title": "t",
        "body": None,
        "state": "open",
        "user": MONA,
        "head": {"ref": "feature", "sha": SHA, "repo": home},
        "base": {"ref": "main", "sha": OTHER, "repo": home},
        "html_url": f"https://github.com/acme/shop/pull/{number}",
        "created_at": WHEN,
        "updated_at": WHEN,
        "merged_at": None,
        **other,
    }


class TestMerge:
    """Moved is worth another look; refused is for a person."""

    @pytest.mark.parametrize(
        ("status", "message", "expected"),
        [
            (405, "Base branch was modified. Review and try the merge again.", Moved),
            (405, "Pull Request is not mergeable", Refused),
            (405, "At least 1 approving review is required by reviewers with write access.", Refused),
            (409, "Head branch was modified. Review and try the merge again.", Moved),
            (422, "Validation Failed", Refused),
            (403, "Resource not accessible by integration", Refused),
            (404, "Not Found", Missing),
        ],
    )
    def test_answer(self, talk: Talk, status: int, message: str, expected: type[Exception]) -> None:
        talk.server.tell("PUT", f"{REPO}/pulls/1/merge", Say(status, {"message": message}))
        with pytest.raises(expected, match=message[:20]):
            talk.repository().merge(1, sha=SHA, title="t", message="m")
        assert len(talk.server.lines) == 1

    def test_names_the_head_and_the_method(self, talk: Talk) -> None:
        talk.server.tell("PUT", f"{REPO}/pulls/1/merge", {"sha": OTHER, "merged": True})
        assert talk.repository().merge(1, sha=SHA, title="t", message="m") == OTHER
        body = talk.server.asked_for("PUT", f"{REPO}/pulls/1/merge")[0].body
        assert body == {"sha": SHA, "commit_title": "t", "commit_message": "m", "merge_method": "merge"}


class TestCommitFile:
    """The blob's sha decides, and no author is named."""

    PATH = f"{REPO}/contents/apps/a.yaml"

    @pytest.mark.parametrize(
        ("status", "message", "expected"),
        [
            (409, "apps/a.yaml does not match cccccc", Moved),
            (409, "is at aaaa but expected bbbb", Moved),
            (
                409,
                "Repository rule violations found\n\nChanges must be made through a pull request.",
                Refused,
            ),
            (409, "Could not update file: Changes must be made through a pull request.", Refused),
            (404, "Branch canary/x not found", Moved),
            (422, "Invalid request.", Refused),
            (403, "Resource not accessible by integration", Refused),
            (201, "", Moved),
        ],
    )
    def test_answer(self, talk: Talk, status: int, message: str, expected: type[Exception]) -> None:
        talk.server.tell("PUT", self.PATH, Say(status, {"message": message, "commit": {"sha": SHA}}))
        with pytest.raises(expected):
            talk.repository().commit_file("canary/x", FILE, b"new", "m")
        assert len(talk.server.asked_for("PUT", self.PATH)) == 1

    def test_what_is_sent(self, talk: Talk) -> None:
        talk.server.tell("PUT", self.PATH, {"commit": {"sha": SHA}})
        assert talk.repository().commit_file("canary/x", FILE, b"\xff\r\n", "m") == SHA
        sent = talk.server.asked_for("PUT", self.PATH)[0].body
        assert sent == {"message": "m", "content": "/w0K", "sha": BLOB, "branch": "canary/x"}


class TestBranches:
    """GitHub's 422 of a ref has no code, so the branch itself is asked."""

    REF = f"{REPO}/git/ref/heads/canary/x"
    REFS = f"{REPO}/git/refs/heads/canary/x"
    AT: ClassVar = {"object": {"sha": SHA}}

    def test_there_already(self, talk: Talk) -> None:
        talk.server.tell("POST", f"{REPO}/git/refs", Say(422, {"message": "Reference already exists"}))
        talk.server.tell("GET", self.REF, self.AT)
        with pytest.raises(Exists):
            talk.repository().create_branch("canary/x", SHA)

    def test_refused(self, talk: Talk) -> None:
        talk.server.tell("POST", f"{REPO}/git/refs", Say(422, {"message": "Object does not exist"}))
        with pytest.raises(Refused, match="Object does not exist"):
            talk.repository().create_branch("canary/x", SHA)

    def test_moved_only_from_where_it_was(self, talk: Talk) -> None:
        talk.server.tell("GET", self.REF, self.AT)
        with pytest.raises(Moved):
            talk.repository().move_branch("canary/x", old=OTHER, new=BLOB)
        assert len(talk.server.lines) == 1

    def test_moved_by_the_documented_address(self, talk: Talk) -> None:
        talk.server.tell("GET", self.REF, self.AT)
        talk.server.tell("PATCH", self.REFS, self.AT)
        talk.repository().move_branch("canary/x", old=SHA, new=BLOB)
        assert talk.server.lines == [f"GET {self.REF}", f"PATCH {self.REFS}"]
        assert talk.server.asked[-1].body == {"sha": BLOB, "force": True}

    @pytest.mark.parametrize(("then", "expected"), [(SHA, Refused), (OTHER, Moved)])
    def test_a_move_that_fails(self, talk: Talk, then: str, expected: type[Exception]) -> None:
        talk.server.tell("GET", self.REF, self.AT, {"object": {"sha": then}})
        talk.server.tell("PATCH", self.REFS, Say(422, {"message": "no"}))
        with pytest.raises(expected):
            talk.repository().move_branch("canary/x", old=SHA, new=BLOB)

    @pytest.mark.parametrize("status", [204, 404, 422])
    def test_gone_already_is_fine(self, talk: Talk, status: int) -> None:
        talk.server.tell("DELETE", self.REFS, Say(status, b"" if status == 204 else {"message": "no"}))
        talk.repository().delete_branch("canary/x")

    def test_may_not_be_deleted(self, talk: Talk) -> None:
        talk.server.tell("DELETE", self.REFS, Say(422, {"message": "Cannot delete this branch"}))
        talk.server.tell("GET", self.REF, self.AT)
        with pytest.raises(Refused, match="Cannot delete"):
            talk.repository().delete_branch("canary/x")

    def test_an_empty_repository_has_none(self, talk: Talk) -> None:
        talk.server.tell(
            "GET", f"{REPO}/git/ref/heads/main", Say(409, {"message": "Git Repository is empty."})
        )
        assert talk.repository().tip("main") is None


class TestOpenPull:
    """A pull request that is there already and one without changes are alike; the rest is refused."""

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ({"code": "custom", "message": "A pull request already exists for acme:canary/x."}, Exists),
            ({"code": "custom", "message": "No commits between main and canary/x"}, Exists),
            ({"code": "invalid", "field": "head"}, Refused),
            ({"code": "custom", "field": "body", "message": "body is too long"}, Refused),
            ("a sentence", Refused),
        ],
    )
    def test_answer(self, talk: Talk, error: object, expected: type[Exception]) -> None:
        said = {"message": "Validation Failed", "errors": [error]}
        talk.server.tell("POST", f"{REPO}/pulls", Say(422, said))
        with pytest.raises(expected):
            talk.repository().open_pull(head="canary/x", base="main", title="t", body="")

    def test_what_was_opened_is_ours(self, talk: Talk) -> None:
        talk.server.tell("POST", f"{REPO}/pulls", Say(201, _pull(3, user=BOT)))
        assert talk.repository().open_pull(head="canary/x", base="main", title="t", body="").ours
        assert len(talk.server.lines) == 1


def _content(whole: bytes, **other: Any) -> dict[str, Any]:
    encoded = base64.encodebytes(whole).decode()
    answer = {"type": "file", "path": "apps/a.yaml", "sha": blob_sha(whole), "encoding": "base64"}
    return answer | {"content": encoded} | other


class TestFile:
    """Only plain files, byte for byte, and each one asked for once."""

    PATH = f"{REPO}/contents/apps/a.yaml"

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param([], id="directory"),
            pytest.param({"type": "symlink", "path": "apps/a.yaml", "target": "/etc/passwd"}, id="link"),
            pytest.param({"type": "submodule", "path": "apps/a.yaml"}, id="submodule"),
            pytest.param(_content(b"x", path="other.yaml"), id="link that was followed, by its path"),
            pytest.param(_content(b"x", sha=BLOB), id="link that was followed, by its sha"),
        ],
    )
    def test_others_are_refused(self, talk: Talk, answer: Any) -> None:
        talk.server.tell("GET", self.PATH, answer)
        with pytest.raises(Refused):
            talk.repository().file("apps/a.yaml", SHA)

    def test_large_ones_come_as_blobs(self, talk: Talk) -> None:
        content = b"\xff\0" * 600_000
        talk.server.tell("GET", self.PATH, _content(content, encoding="none", content=""))
        talk.server.tell("GET", f"{REPO}/git/blobs/{blob_sha(content)}", _content(content))
        repository = talk.repository()
        for _ in range(2):  # too large to be kept
            found = repository.file("apps/a.yaml", SHA)
            assert found == File("apps/a.yaml", content, blob_sha(content))
        assert len(talk.server.lines) == 4

    def test_is_kept_for_all_repositories_of_the_forge(self, talk: Talk) -> None:
        talk.server.tell("GET", self.PATH, _content(b"x\r\n"))
        forge = talk.forge()
        for name in ("acme/shop", "Acme/Shop", "acme/shop"):
            found = forge.repository(7, name).file("apps/a.yaml", SHA)
            assert found is not None
            assert found.content == b"x\r\n"
        assert len(talk.server.lines) == 1

    def test_and_not_for_another_installation(self, talk: Talk) -> None:
        talk.server.tell("GET", self.PATH, _content(b"x"))
        tokens = "/app/installations/8/access_tokens"
        talk.server.tell(
            "POST", tokens, Say(201, {"token": "ghs_eight", "expires_at": "2026-11-02T13:00:00Z"})
        )
        forge = talk.forge()
        forge.repository(7, "acme/shop").file("apps/a.yaml", SHA)
        forge.repository(8, "acme/shop").file("apps/a.yaml", SHA)
        assert [a.token for a in talk.server.asked_for("GET", self.PATH)][1] == "ghs_eight"

    def test_absent_is_believed_once_the_commit_was_seen(self, talk: Talk) -> None:
        talk.server.tell("GET", self.PATH, _content(b"x"))
        repository = talk.repository()
        gone = f"GET {REPO}/contents/gone.yaml"
        for _ in range(2):
            assert repository.file("gone.yaml", SHA) is None
        assert talk.server.lines == [gone, gone]
        repository.file("apps/a.yaml", SHA)
        for _ in range(2):
            assert repository.file("gone.yaml", SHA) is None
        assert talk.server.lines.count(gone) == 3


class TestChangedFiles:
    """Kept only when GitHub answered for the head that was asked for."""

    @pytest.mark.parametrize(("told", "requests"), [(SHA, 1), (OTHER, 2), (None, 2)])
    def test_head(self, talk: Talk, told: str | None, requests: int) -> None:
        path = f"{REPO}/pulls/1/files"
        entry = {"filename": "a.yaml", "status": "removed", "sha": BLOB}
        if told:
            entry["contents_url"] = f"https://api.github.com{REPO}/contents/a.yaml?ref={told}"
        talk.server.tell("GET", f"{REPO}/pulls/1", _pull())
        talk.server.tell("GET", path, [entry])
        repository = talk.repository()
        pull: Pull = repository.pull(1)
        for _ in range(2):
            (found,) = repository.changed_files(pull)
            assert (found.path, found.blob) == ("a.yaml", None)
        assert len(talk.server.asked_for("GET", path)) == requests


_RUN = {"id": 1, "name": "n", "status": "queued", "app": {"id": APP_ID}}


class TestIdentity:
    """Who the bot is, is asked once, and only when a bot is to be told from another."""

    COMMENTS = f"{REPO}/issues/1/comments"

    @staticmethod
    def _said(user: dict[str, Any], number: int) -> dict[str, Any]:
        times = {"created_at": WHEN, "updated_at": WHEN}
        url = f"https://github.com/acme/shop/pull/1#issuecomment-{number}"
        return {"id": number, "user": user, "body": "x", "html_url": url, **times}

    def test_once_for_all(self, talk: Talk) -> None:
        talk.server.tell("GET", "/app", {"id": APP_ID, "slug": "canary-bot"})
        talk.server.tell("GET", "/users/canary-bot%5Bbot%5D", BOT)
        talk.server.tell("GET", self.COMMENTS, [self._said(BOT, 2), self._said(MONA, 1)])
        forge = talk.forge()
        for _ in range(2):
            found = forge.repository(7, "acme/shop").comments(1)
            assert [(c.id, c.ours) for c in found] == [(1, False), (2, True)]
        assert talk.server.lines.count("GET /app") == 1
        # The App itself may not read accounts.
        assert talk.server.asked_for("GET", "/users/canary-bot%5Bbot%5D")[0].token.startswith("ghs_")

    def test_not_for_people(self, talk: Talk) -> None:
        talk.server.tell("GET", self.COMMENTS, [self._said(MONA, 1)])
        talk.repository().comments(1)
        assert talk.server.lines == [f"GET {self.COMMENTS}"]

    def test_unknown_is_not_a_missing_comment(self, talk: Talk) -> None:
        talk.server.tell("GET", self.COMMENTS, [self._said(BOT, 1)])
        with pytest.raises(OutsideFailure, match="App's account"):
            talk.repository().comments(1)

    def test_a_client_id_does_too(self, talk: Talk) -> None:
        talk.server.tell("GET", "/app", {"id": APP_ID, "slug": "canary-bot"})
        talk.server.tell("GET", "/users/canary-bot%5Bbot%5D", BOT)
        talk.server.tell("GET", f"{REPO}/commits/{SHA}/check-runs", {"check_runs": [_RUN]})
        repository = talk.forge(app_id="Iv23liABC").repository(7, "acme/shop")
        assert len(repository.checks(SHA)) == 1
        assert talk.server.claims()["iss"] == "Iv23liABC"


class TestRest:
    """Smaller answers."""

    def test_default_branch_comes_with_a_pull(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{REPO}/pulls/1", _pull())
        talk.server.tell("GET", REPO, {"default_branch": "trunk"})
        repository = talk.repository()
        repository.pull(1)
        assert repository.default_branch == "main"
        talk.clock.advance(seconds=60)
        assert repository.default_branch == repository.default_branch == "trunk"
        assert repository.web_url == f"{talk.server.url}/acme/shop"
        assert talk.server.lines == [f"GET {REPO}/pulls/1", f"GET {REPO}"]

    @pytest.mark.parametrize(
        ("head", "fork", "home"),
        [
            (None, True, None),
            ({"id": 51, "full_name": "mona/shop"}, True, "mona/shop"),
            ({"id": 50, "full_name": "acme/shop"}, False, "acme/shop"),
        ],
        ids=["fork that is gone", "fork", "own branch"],
    )
    def test_forks(self, talk: Talk, head: Any, fork: bool, home: str | None) -> None:  # noqa: FBT001 - a table's column
        talk.server.tell("GET", f"{REPO}/pulls/1", _pull(head={"ref": "f", "sha": SHA, "repo": head}))
        found = talk.repository().pull(1)
        assert (found.from_fork, found.head_repository) == (fork, home)

    def test_the_trial_merge_is_no_merge(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{REPO}/pulls/1", _pull(merge_commit_sha=BLOB, user=None))
        found = talk.repository().pull(1)
        assert (found.merged, found.merge_sha, found.author.login) == (False, None, "ghost")

    @pytest.mark.parametrize("status", [404, 422])
    def test_no_pull_for_an_unknown_commit(self, talk: Talk, status: int) -> None:
        talk.server.tell("GET", f"{REPO}/commits/{SHA}/pulls", Say(status, {"message": "No commit found"}))
        assert talk.repository().pull_of_commit(SHA) is None

    def test_the_pull_that_brought_a_commit(self, talk: Talk) -> None:
        merged = {"state": "closed", "merged_at": WHEN}
        brought = [
            _pull(9, **merged, merge_commit_sha=OTHER),
            _pull(8),
            _pull(7, **merged, merge_commit_sha=SHA),
        ]
        talk.server.tell("GET", f"{REPO}/commits/{SHA}/pulls", brought)
        found = talk.repository().pull_of_commit(SHA)
        assert found is not None
        assert found.number == 7

    def test_nobody_has_a_role(self, talk: Talk) -> None:
        assert talk.repository().role_of("nobody").role is Role.NONE
        assert len(talk.server.lines) == 1

    def test_a_role_that_may_not_be_read_is_no_answer(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{REPO}/collaborators/mona/permission", Say(403, {"message": "no"}))
        with pytest.raises(Refused):
            talk.repository().role_of("mona")

    def test_of_very_many_comments_the_newest(self, talk: Talk) -> None:
        path = f"{REPO}/issues/comments"
        page = [
            TestIdentity._said(MONA, n) | {"issue_url": f"https://api.github.com{REPO}/issues/1"}
            for n in range(100)
        ]
        page[0]["html_url"] = "https://github.com/acme/shop/issues/1#issuecomment-0"
        links = [Say(200, page, {"Link": f'<https://x/?page={n}>; rel="next"'}) for n in range(2, 9)]
        talk.server.tell("GET", path, *links)
        found = talk.repository().comments_since(talk.clock.now())
        assert len(found) == 300  # those of plain issues are not counted
        assert len(talk.server.lines) == 4
        query = talk.server.asked[-1].query
        assert (query["since"], query["sort"], query["direction"]) == (
            "2026-11-02T12:00:00Z",
            "updated",
            "desc",
        )


def test_repositories_of_all_installations(talk: Talk) -> None:
    """Suspended and vanished installations and archived repositories are left out."""
    rows = [{"id": 7}, {"id": 8, "suspended_at": WHEN}, {"id": 9, "suspended_at": None}]
    talk.server.tell("GET", "/app/installations", rows)
    shops = [{"full_name": "acme/shop"}, {"full_name": "acme/old", "archived": True}]
    talk.server.tell("GET", "/installation/repositories", {"total_count": 2, "repositories": shops})
    assert list(talk.forge().repositories()) == [(7, "acme/shop")]
    asked = talk.server.asked_for("POST", "/app/installations/7/access_tokens")[0]
    assert asked.body == {"permissions": {"metadata": "read"}}


def test_blob_names_are_gits() -> None:
    """The name of an empty file is well known."""
    assert blob_sha(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_sha(b"x") == hashlib.sha1(b"blob 1\0x", usedforsecurity=False).hexdigest()
