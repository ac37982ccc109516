"""Commits without a branch, and checks: several requests that must be the right ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.github.git import Entry, blob_sha, replaced, tree_sha
from bot.core.problems import OutsideFailure
from bot.ports import Check, Missing, Refused
from tests.adapters.scripted import APP_ID, Say

if TYPE_CHECKING:
    from tests.adapters.conftest import Talk

REPO = "/repos/acme/shop"
SHA, OTHER, BLOB = "a" * 40, "b" * 40, "c" * 40


def _tree(*rows: tuple[str, str, str], sha: str = SHA, truncated: bool = False) -> dict[str, Any]:
    listed = [{"mode": mode, "path": path, "sha": name, "type": "blob"} for mode, path, name in rows]
    return {"sha": sha, "tree": listed, "truncated": truncated}


INNER = (Entry("100755", "a.yaml", BLOB), Entry("120000", "link", BLOB), Entry("160000", "sub", BLOB))
APPS = tree_sha(INNER)
ROOT = (Entry("040000", "apps", APPS), Entry("100644", "README", BLOB))
WHOLE = _tree(*((e.mode, e.name, e.sha) for e in ROOT), *((e.mode, f"apps/{e.name}", e.sha) for e in INNER))


class TestCommitOn:
    """A commit that no branch names, with the file's mode, and nothing else changed."""

    TREES = f"{REPO}/git/trees"

    def _tell(self, talk: Talk, content: bytes) -> str:
        leaf = Entry("100755", "a.yaml", blob_sha(content))
        made = replaced((ROOT, INNER), "apps/a.yaml", leaf)
        talk.server.tell("POST", self.TREES, Say(201, {"sha": made}))
        talk.server.tell("POST", f"{REPO}/git/commits", Say(201, {"sha": OTHER}))
        return made

    def _entry(self, talk: Talk) -> dict[str, Any]:
        body = talk.server.asked_for("POST", self.TREES)[0].body
        assert body["base_tree"] == tree_sha(ROOT)
        (entry,) = body["tree"]
        assert isinstance(entry, dict)
        return entry

    def test_three_requests_then_two(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", WHOLE)
        made = self._tell(talk, b"\xef\xbb\xbfnew\r\n")
        repository = talk.repository()
        for _ in range(2):
            assert repository.commit_on(SHA, "apps/a.yaml", b"\xef\xbb\xbfnew\r\n", "m") == OTHER
        assert [line.split()[0] for line in talk.server.lines] == ["GET", "POST", "POST", "POST", "POST"]
        assert self._entry(talk) == {
            "path": "apps/a.yaml",
            "mode": "100755",
            "type": "blob",
            "content": "\ufeffnew\r\n",
        }
        sent = talk.server.asked_for("POST", f"{REPO}/git/commits")[0].body
        assert sent == {"message": "m", "tree": made, "parents": [SHA]}

    @pytest.mark.parametrize("content", [b"\xff", b"a\0b"], ids=["no UTF-8", "NUL"])
    def test_other_bytes_go_as_a_blob(self, talk: Talk, content: bytes) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", WHOLE)
        talk.server.tell("POST", f"{REPO}/git/blobs", Say(201, {"sha": blob_sha(content)}))
        self._tell(talk, content)
        talk.repository().commit_on(SHA, "apps/a.yaml", content, "m")
        assert self._entry(talk)["sha"] == blob_sha(content)

    def test_another_tree_than_asked_for(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", WHOLE)
        talk.server.tell("POST", self.TREES, Say(201, {"sha": OTHER}))
        with pytest.raises(OutsideFailure, match="another tree"):
            talk.repository().commit_on(SHA, "apps/a.yaml", b"new", "m")
        assert talk.server.asked_for("POST", f"{REPO}/git/commits") == []

    def test_a_very_large_repository(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", _tree(truncated=True), _tree(*self._rows(ROOT)))
        talk.server.tell("GET", f"{self.TREES}/{APPS}", _tree(*self._rows(INNER), sha=APPS))
        self._tell(talk, b"new")
        assert talk.repository().commit_on(SHA, "apps/a.yaml", b"new", "m") == OTHER
        assert self._entry(talk)["mode"] == "100755"

    def test_a_folder_that_is_not_listed_whole(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", _tree(truncated=True))
        with pytest.raises(Refused):
            talk.repository().commit_on(SHA, "apps/a.yaml", b"new", "m")

    def test_a_new_folder_of_a_very_large_repository(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", _tree(truncated=True), _tree(*self._rows(ROOT)))
        leaf = Entry("100644", "a.yaml", blob_sha(b"new"))
        made = replaced((ROOT,), "new/deep/a.yaml", leaf)
        talk.server.tell("POST", self.TREES, Say(201, {"sha": made}))
        talk.server.tell("POST", f"{REPO}/git/commits", Say(201, {"sha": OTHER}))
        assert talk.repository().commit_on(SHA, "new/deep/a.yaml", b"new", "m") == OTHER

    @staticmethod
    def _rows(entries: tuple[Entry, ...]) -> list[tuple[str, str, str]]:
        return [(e.mode, e.name, e.sha) for e in entries]

    def test_a_server_that_wants_the_trees_own_sha(self, talk: Talk) -> None:
        root = tree_sha(ROOT)
        talk.server.tell("GET", f"{REPO}/git/commits/{SHA}", {"sha": SHA, "tree": {"sha": root}})
        talk.server.tell("GET", f"{self.TREES}/{root}", WHOLE | {"sha": root})
        self._tell(talk, b"new")
        assert talk.repository().commit_on(SHA, "apps/a.yaml", b"new", "m") == OTHER

    @pytest.mark.parametrize("path", ["apps/link", "apps/sub", "apps/link/x", "README/x", "apps"])
    def test_only_plain_files_in_plain_folders(self, talk: Talk, path: str) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", WHOLE)
        with pytest.raises(Refused):
            talk.repository().commit_on(SHA, path, b"new", "m")
        assert len(talk.server.lines) == 1

    def test_a_new_file_has_the_usual_mode(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{self.TREES}/{SHA}", WHOLE)
        leaf = Entry("100644", "new.yaml", blob_sha(b"new"))
        made = replaced((ROOT, INNER), "apps/deep/new.yaml", leaf)
        talk.server.tell("POST", self.TREES, Say(201, {"sha": made}))
        talk.server.tell("POST", f"{REPO}/git/commits", Say(201, {"sha": OTHER}))
        talk.repository().commit_on(SHA, "apps/deep/new.yaml", b"new", "m")
        assert self._entry(talk)["mode"] == "100644"

    def test_an_unknown_parent(self, talk: Talk) -> None:
        with pytest.raises(Missing):
            talk.repository().commit_on(SHA, "apps/a.yaml", b"new", "m")


def _run(number: int = 1, **other: Any) -> dict[str, Any]:
    output = {"title": "t", "summary": "s", "text": "", "annotations_count": other.pop("remarks", 0)}
    run = {"id": number, "name": "canary / plan", "status": "completed", "conclusion": "success"}
    return {**run, "external_id": "x", "app": {"id": APP_ID}, "output": output, **other}


class TestChecks:
    """Only ours, the newest of each name; written only when something changes."""

    LIST = f"{REPO}/commits/{SHA}/check-runs"
    RUNS = f"{REPO}/check-runs"
    WANTED = Check("canary / plan", "success", "t", "s", external_id="x")

    def test_ours_and_newest(self, talk: Talk) -> None:
        runs = [
            _run(3, conclusion="timed_out"),
            _run(2),
            _run(9, app={"id": 1}),
            _run(8, app=None),
            _run(4, name="canary / gate", status="queued", conclusion=None),
        ]
        talk.server.tell("GET", self.LIST, {"total_count": 5, "check_runs": runs})
        found = {check.name: check for check in talk.repository().checks(SHA)}
        assert {name: check.conclusion for name, check in found.items()} == {
            "canary / plan": "failure",
            "canary / gate": None,
        }
        assert found["canary / plan"].external_id == "x"
        assert talk.server.asked[-1].query == {"app_id": "4711", "filter": "latest", "per_page": "100"}

    @pytest.mark.parametrize(
        ("run", "wanted", "then"),
        [
            pytest.param(_run(), {}, [], id="says the same"),
            pytest.param(_run(), {"title": "new"}, ["PATCH /1"], id="says something else"),
            pytest.param(_run(), {"external_id": "y"}, ["PATCH /1"], id="another event"),
            pytest.param(_run(conclusion="failure"), {}, ["PATCH /1"], id="another conclusion"),
            pytest.param(_run(status="queued", conclusion=None), {}, ["PATCH /1"], id="done now"),
            pytest.param(_run(), {"conclusion": None}, ["POST "], id="waits again"),
            pytest.param(_run(remarks=2), {}, ["POST "], id="annotations are never taken away"),
            pytest.param(_run(app={"id": 1}), {}, ["POST "], id="somebody else's"),
        ],
    )
    def test_set(self, talk: Talk, run: dict[str, Any], wanted: dict[str, Any], then: list[str]) -> None:
        talk.server.tell("GET", self.LIST, {"total_count": 1, "check_runs": [run]})
        talk.server.tell("PATCH", f"{self.RUNS}/1", {})
        talk.server.tell("POST", self.RUNS, Say(201, {}))
        talk.repository().set_checks(SHA, [replace(self.WANTED, **wanted)])
        assert talk.server.lines == [f"GET {self.LIST}", *(t.replace(" ", f" {self.RUNS}") for t in then)]

    def test_a_fresh_commit_needs_no_look(self, talk: Talk) -> None:
        talk.server.tell("POST", self.RUNS, Say(201, {}))
        talk.repository().set_checks(SHA, [self.WANTED], fresh=True)
        assert talk.server.lines == [f"POST {self.RUNS}"]
        assert talk.server.asked[-1].body["head_sha"] == SHA

    def test_several_take_one_listing(self, talk: Talk) -> None:
        runs = [_run(1), _run(2, name="canary / gate", status="in_progress", conclusion=None)]
        talk.server.tell("GET", self.LIST, {"total_count": 2, "check_runs": runs})
        talk.server.tell("PATCH", f"{self.RUNS}/2", {})
        talk.server.tell("POST", self.RUNS, Say(201, {}))
        names = ("canary / plan", "canary / gate", "canary / approvals")
        talk.repository().set_checks(SHA, [replace(self.WANTED, name=name) for name in names])
        assert talk.server.lines == [f"GET {self.LIST}", f"PATCH {self.RUNS}/2", f"POST {self.RUNS}"]
        assert talk.server.asked[-1].body["name"] == "canary / approvals"

    @pytest.mark.parametrize(
        ("run", "then"),
        [
            pytest.param(_run(), "PATCH /1", id="says the same"),
            pytest.param(_run(status="queued", conclusion=None), "PATCH /1", id="was reset"),
            pytest.param(_run(remarks=1), "POST ", id="annotations are never taken away"),
        ],
    )
    def test_asked_for_again_it_is_always_told(self, talk: Talk, run: dict[str, Any], then: str) -> None:
        talk.server.tell("GET", self.LIST, {"total_count": 1, "check_runs": [run]})
        talk.server.tell("PATCH", f"{self.RUNS}/1", {})
        talk.server.tell("POST", self.RUNS, Say(201, {}))
        talk.repository().set_checks(SHA, [self.WANTED], again=True)
        assert talk.server.lines == [f"GET {self.LIST}", then.replace(" ", f" {self.RUNS}")]

    def test_a_stamp_stays_through_writes_that_do_not_know_it(self, talk: Talk) -> None:
        talk.server.tell("GET", self.LIST, {"total_count": 1, "check_runs": [_run(external_id="x~0a1b2c3d")]})
        talk.server.tell("PATCH", f"{self.RUNS}/1", {})
        talk.repository().set_checks(SHA, [self.WANTED])
        assert talk.server.lines == [f"GET {self.LIST}"]
        talk.repository().set_checks(SHA, [replace(self.WANTED, title="new")])
        assert talk.server.asked[-1].body["external_id"] == "x~0a1b2c3d"
        talk.repository().set_checks(SHA, [replace(self.WANTED, stamp="ffffffff")])
        assert talk.server.asked[-1].body["external_id"] == "x~ffffffff"

    def test_nothing_to_tell_asks_nothing(self, talk: Talk) -> None:
        talk.repository().set_checks(SHA, [])
        assert talk.server.lines == []
