"""The parts that need no network: paths, Git's names, caches, limits of a check, who is ours."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.github import Redactor, git, values
from bot.adapters.github.authorship import ByKey, Identity
from bot.adapters.github.caching import Fresh, Lru
from bot.adapters.github.forge import web_address
from bot.adapters.github.git import Entry
from bot.core.checks import HOLD, PROMOTE
from bot.core.problems import OutsideFailure
from bot.ports import Annotation, Check, File, Refused, Role
from tests.adapters.scripted import BOT, MONA, StillClock

if TYPE_CHECKING:
    from pathlib import Path

    from bot.ports import Button
    from tests.adapters.conftest import Talk

SHA = "a" * 40
BAD_PATHS = [
    pytest.param("", id="empty"),
    pytest.param("/etc/passwd", id="absolute"),
    pytest.param("../x", id="parent"),
    pytest.param("a/../../x", id="parent inside"),
    pytest.param("a/./b", id="dot segment"),
    pytest.param("a//b", id="empty segment"),
    pytest.param("a/", id="slash at the end"),
    pytest.param("a\\b", id="backslash"),
    pytest.param("a\nb", id="line feed"),
    pytest.param("a\0b", id="NUL"),
    pytest.param("ä.yaml", id="not ASCII"),
    pytest.param("a/\u200c.git/config", id="ignorable code point"),
    pytest.param(".git/config", id="Git's folder"),
    pytest.param(".GIT/config", id="Git's folder in capitals"),
    pytest.param("a/.git./config", id="Git's folder with a dot"),
    pytest.param("a/GIT~1/config", id="Git's folder by its short name"),
    pytest.param("a/.gitmodules", id="submodules"),
    pytest.param(".gitattributes", id="attributes"),
    pytest.param("a/.github/x", id="a .github that is not the root's"),
    pytest.param("a" * 2_000, id="too long"),
]


class TestPaths:
    """A path is checked before any request."""

    @pytest.mark.parametrize("path", BAD_PATHS)
    def test_refused(self, talk: Talk, path: str) -> None:
        repository = talk.repository()
        with pytest.raises(Refused):
            repository.file(path, SHA)
        with pytest.raises(Refused):
            repository.history(path, SHA)
        with pytest.raises(Refused):
            repository.commit_file("b", File(path, b"", SHA), b"", "m")
        with pytest.raises(Refused):
            repository.commit_on(SHA, path, b"", "m")
        assert talk.server.asked == []

    def test_configuration_is_read_and_never_written(self, talk: Talk) -> None:
        repository = talk.repository()
        assert repository.file(".github/canary.yaml", SHA) is None
        with pytest.raises(Refused):
            repository.commit_file("b", File(".github/canary.yaml", b"", SHA), b"", "m")
        assert talk.server.lines == ["GET /repos/acme/shop/contents/.github/canary.yaml"]

    @pytest.mark.parametrize(
        ("path", "quoted"),
        [
            ("apps/checkout/service.yaml", "apps/checkout/service.yaml"),
            ("a b/100%/x?y#z.yaml", "a%20b/100%25/x%3Fy%23z.yaml"),
            ("a..b/...", "a..b/..."),
            ("git/hub", "git/hub"),
        ],
    )
    def test_plain_ones_are_quoted(self, path: str, quoted: str) -> None:
        assert git.writable(path) == quoted

    @given(st.text(max_size=40))
    def test_what_passes_stays_below_the_root(self, path: str) -> None:
        try:
            quoted = git.readable(path)
        except Refused:
            return
        assert path.isascii()
        assert not {"", ".", "..", ".git"} & set(quoted.lower().split("/"))

    @pytest.mark.parametrize(
        "name", ["acme", "acme/", "/shop", "acme/..", "acme/.", "a/b/c", "acme/shöp", ""]
    )
    def test_repositories_have_two_names(self, talk: Talk, name: str) -> None:
        with pytest.raises(ValueError, match="owner/name"):
            talk.forge().repository(7, name)

    @pytest.mark.parametrize("branch", ["", "..", "a/../b", "a//b", "/a", " a"])
    def test_no_branch_has_such_a_name(self, talk: Talk, branch: str) -> None:
        assert talk.repository().tip(branch) is None
        with pytest.raises(Refused):
            talk.repository().create_branch(branch, SHA)
        assert talk.server.asked == []

    @pytest.mark.parametrize("login", ["", "..", "a/b", "mona?x", "möna", "x" * 5 + "\n"])
    def test_no_person_has_such_a_name(self, talk: Talk, login: str) -> None:
        assert talk.repository().role_of(login).role is Role.NONE
        assert talk.server.asked == []

    def test_a_file_is_read_at_a_full_sha(self, talk: Talk) -> None:
        with pytest.raises(ValueError, match="full sha"):
            talk.repository().file("a.yaml", "main")


def _git(folder: Path, *command: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", str(folder), *command], input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


class TestNamesOfObjects:
    """What is worked out here is what Git works out."""

    def test_blobs_and_trees(self, tmp_path: Path) -> None:
        _git(tmp_path, "init", "-q")
        files = {"a.yaml": b"1", "a/x.yaml": b"2", "a-b/c/d.yaml": b"3", "run.sh": b"4\r\n", "z": b"\xff"}
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        (tmp_path / "run.sh").chmod(0o755)
        _git(tmp_path, "-c", "core.autocrlf=false", "add", "-A")
        before = self._levels(tmp_path, _git(tmp_path, "write-tree"))
        assert git.tree_sha(before[0]) == _git(tmp_path, "write-tree")

        new = Entry(git.FILE, "d.yaml", git.blob_sha(b"new"))
        (tmp_path / "a-b/c/d.yaml").write_bytes(b"new")
        _git(tmp_path, "add", "-A")
        assert git.replaced(before, "a-b/c/d.yaml", new) == _git(tmp_path, "write-tree")

        (tmp_path / "a-b/new/deep").mkdir(parents=True)
        (tmp_path / "a-b/new/deep/d.yaml").write_bytes(b"new")
        (tmp_path / "a-b/c/d.yaml").write_bytes(b"3")
        _git(tmp_path, "add", "-A")
        assert git.replaced(before[:2], "a-b/new/deep/d.yaml", new) == _git(tmp_path, "write-tree")

    @staticmethod
    def _levels(folder: Path, root: str) -> tuple[tuple[Entry, ...], ...]:
        levels = []
        for path in (root, f"{root}:a-b", f"{root}:a-b/c"):
            rows = [line.split(None, 3) for line in _git(folder, "ls-tree", path).splitlines()]
            levels.append(tuple(Entry(mode, name, sha) for mode, _kind, sha, name in rows))
        return tuple(levels)


class TestCaches:
    """Bounded, and honest about age."""

    def test_lets_go_of_what_was_not_asked_for(self) -> None:
        kept: Lru[int] = Lru(2)
        kept.put("a", 1)
        kept.put("b", 2)
        assert kept.get("a") == 1
        kept.put("c", 3)
        assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (1, None, 3, 2)

    def test_is_believed_for_its_lifetime(self) -> None:
        clock = StillClock()
        fresh: Fresh[str] = Fresh(timedelta(minutes=1), clock.now)
        fresh.put("k", "v")
        clock.advance(seconds=59)
        assert fresh.get("k") == "v"
        clock.advance(seconds=1)
        assert fresh.get("k") is None

    def test_a_clock_set_back_makes_nothing_immortal(self) -> None:
        clock = StillClock()
        fresh: Fresh[str] = Fresh(timedelta(minutes=1), clock.now)
        fresh.put("k", "v")
        clock.advance(days=-1)
        assert fresh.get("k") is None


class TestRedaction:
    """Secrets are found by value and by prefix, whatever their length."""

    @pytest.mark.parametrize(
        "secret",
        [
            "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
            "ghs_4711_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0NzExIn0.c2lnbmF0dXJl-_",
            "ghp_x1",
            "github_pat_11AAAA_bbbb",
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0NzExIn0.c2ln",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\ncut off",
        ],
    )
    def test_by_prefix(self, secret: str) -> None:
        assert Redactor()(f"before {secret}") == "before [secret]"

    def test_by_value(self) -> None:
        redact = Redactor()
        redact.learn("correct horse battery")
        redact.learn("short")
        assert redact("a short correct horse battery!") == "a short [secret]!"

    @pytest.mark.parametrize("text", ["ghost_writer", "eye.sight.test", "highs_and_lows", "github_path"])
    def test_leaves_words_alone(self, text: str) -> None:
        assert Redactor()(text) == text


def _remark(number: int) -> Annotation:
    return Annotation("a.yaml", number, number, "failure", "m" * 20_000, "t")


class TestCheckLimits:
    """GitHub's limits are kept, and the reader is told what is missing."""

    CHECK = Check("canary / plan", "success", "fine", "s")

    def test_a_small_check_is_sent_as_it_is(self) -> None:
        assert values.check_body(replace(self.CHECK, external_id="x1")) == {
            "name": "canary / plan",
            "status": "completed",
            "conclusion": "success",
            "external_id": "x1",
            "output": {"title": "fine", "summary": "s", "text": ""},
            "actions": [],  # left out, GitHub would keep those there are
        }

    def test_buttons_can_be_told_apart_though_github_does_not_give_them_back(self) -> None:
        shown = replace(self.CHECK, external_id="x1", actions=(PROMOTE, HOLD))
        bodies = [
            values.check_body(replace(shown, actions=actions))
            for actions in ((), (PROMOTE,), (PROMOTE, HOLD), (PROMOTE, replace(HOLD, label="Stop")))
        ]
        assert len({body["external_id"] for body in bodies}) == len(bodies)
        assert bodies[1]["actions"] == [
            {
                "label": "Promote",
                "description": "Merge this step when the rules pass",
                "identifier": "promote",
            }
        ]
        assert len(values.check_body(replace(shown, actions=(PROMOTE,) * 4))["actions"]) == 3

    @pytest.mark.parametrize("stamp", ["", "0a1b2c3d"])
    @pytest.mark.parametrize("actions", [(), (PROMOTE, HOLD)])
    @pytest.mark.parametrize("external_id", ["", "x1", "pull/3/gate-ok", "a!b"])
    def test_what_was_put_into_the_external_id_comes_out_again(
        self, external_id: str, actions: tuple[Button, ...], stamp: str
    ) -> None:
        wanted = replace(self.CHECK, external_id=external_id, actions=actions, stamp=stamp)
        assert values.check(values.check_body(wanted)) == replace(wanted, actions=())

    def test_a_stamp_stays_until_another_comes(self) -> None:
        assert values.check(values.check_body(self.CHECK, "11111111")).stamp == "11111111"
        assert values.check(values.check_body(replace(self.CHECK, stamp="2"), "11111111")).stamp == "2"

    def test_a_pending_one_has_no_conclusion(self) -> None:
        body = values.check_body(replace(self.CHECK, conclusion=None))
        assert body["status"] == "in_progress"
        assert "conclusion" not in body

    @pytest.mark.parametrize("length", [65_535, 65_536, 200_000])
    def test_long_texts_are_cut(self, length: int) -> None:
        output = values.check_body(replace(self.CHECK, summary="s" * length, text="t" * length))["output"]
        assert len(output["summary"]) == len(output["text"]) == 65_535
        assert output["summary"].endswith("GitHub takes no more.") is (length > 65_535)

    def test_only_fifty_annotations(self) -> None:
        many = tuple(_remark(n) for n in range(1, 74))
        output = values.check_body(replace(self.CHECK, summary="s" * 65_535, annotations=many))["output"]
        assert len(output["annotations"]) == 50
        assert len(output["summary"]) <= 65_535
        assert "23 annotations are not shown" in output["summary"]
        assert all(len(a["message"]) <= 16_000 for a in output["annotations"])


class TestOurs:
    """Identity decides, never a text."""

    @staticmethod
    def _authorship(*, signed_only: bool = False) -> ByKey:
        return ByKey(lambda: Identity(4711, BOT["id"]), signed_only=signed_only)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("data", "ours"),
        [
            pytest.param({"user": BOT}, True, id="our account"),
            pytest.param({"user": BOT, "performed_via_github_app": {"id": 4711}}, True, id="account and App"),
            pytest.param({"user": BOT, "performed_via_github_app": {"id": 1}}, False, id="another App"),
            pytest.param(
                {"user": MONA, "performed_via_github_app": {"id": 4711}}, False, id="a person, via us"
            ),
            pytest.param({"user": {**BOT, "id": 5}}, False, id="another bot with our name"),
            pytest.param({"user": {**BOT, "type": "User"}}, False, id="no bot"),
            pytest.param({"user": None}, False, id="an account that is gone"),
        ],
    )
    def test_comments(self, data: dict[str, Any], ours: bool) -> None:  # noqa: FBT001 - a table's column
        assert self._authorship().comment_is_ours(data) is ours

    @pytest.mark.parametrize(
        ("author", "verification", "signed_only", "ours"),
        [
            pytest.param(BOT, {"verified": True}, True, True, id="signed by GitHub"),
            pytest.param(BOT, {"verified": False}, True, False, id="anybody can write our address"),
            pytest.param(BOT, None, True, False, id="nothing said about a signature"),
            pytest.param(BOT, None, False, True, id="a server that does not sign"),
            pytest.param(MONA, {"verified": True}, False, False, id="a person"),
            pytest.param(None, None, False, False, id="an address without account"),
            pytest.param({}, None, False, False, id="an address without account, old answer"),
        ],
    )
    def test_commits(self, author: Any, verification: Any, *, signed_only: bool, ours: bool) -> None:
        data = {"author": author, "commit": {"verification": verification}}
        assert self._authorship(signed_only=signed_only).commit_is_ours(data) is ours

    def test_people_cost_no_request(self) -> None:
        def unasked() -> Identity:
            raise AssertionError

        assert not ByKey(unasked).is_ours(MONA)


class TestRoles:
    """The name of the role decides; a role of the organisation's own by what it allows."""

    @pytest.mark.parametrize(
        ("data", "role"),
        [
            *(({"role_name": r.name.lower()}, r) for r in Role),
            ({"role_name": "maintain", "permission": "write"}, Role.MAINTAIN),
            ({"role_name": "admin", "permission": "read"}, Role.READ),
            ({"role_name": "triage", "permission": "read"}, Role.TRIAGE),
            (
                {"role_name": "sre", "user": {"id": 7, "permissions": {"triage": True, "pull": True}}},
                Role.TRIAGE,
            ),
            (
                {"role_name": "sre", "permission": "write", "user": {"id": 7, "permissions": {"push": True}}},
                Role.WRITE,
            ),
            ({"role_name": "sre", "permission": "read"}, Role.READ),
            ({"permission": "write"}, Role.WRITE),
            ({"permission": "owner"}, None),
            ({"permission": "none", "user": None}, Role.NONE),
            ({}, None),
        ],
    )
    def test_role(self, data: dict[str, Any], role: Role | None) -> None:
        assert values.holder(data).role is role


@pytest.mark.parametrize(
    ("base", "web"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("https://github.example.org/api/v3", "https://github.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_pages_are_beside_the_api(base: str, web: str) -> None:
    assert web_address(base) == web


def test_another_shape_is_an_outside_failure() -> None:
    with pytest.raises(OutsideFailure, match="documented shape"), values.understood("x"):
        values.pull({}, lambda _user: False)
