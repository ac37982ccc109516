"""The files of a commit in one request, and contents by their names: what is known is not asked for again."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.github.caching import Lru
from bot.adapters.github.git import blob_sha
from bot.adapters.github.memory import LARGEST_KEPT
from bot.adapters.github.token import TokenForge
from bot.core.problems import OutsideFailure
from bot.ports import File, Missing, Tree, TreeFile
from bot.sandbox.shapes import history
from tests.adapters.scripted import Say
from tests.adapters.stage import FILES, NEW, OLD, PATH, SHOP

if TYPE_CHECKING:
    from tests.adapters.conftest import Talk
    from tests.adapters.stage import Stage

REPO = "/repos/acme/shop"
SHA, OTHER = "a" * 40, "b" * 40


def _row(path: str, *, mode: str = "100644", kind: str = "blob", size: int | None = 3) -> dict[str, Any]:
    row = {"path": path, "mode": mode, "type": kind, "sha": blob_sha(path.encode())}
    return row if size is None else row | {"size": size}


def _blob(content: bytes) -> dict[str, Any]:
    return {"sha": blob_sha(content), "encoding": "base64", "content": base64.encodebytes(content).decode()}


class TestTree:
    """All plain files of a commit, by one recursive request."""

    def test_every_file(self, stage: Stage) -> None:
        tip = stage.tip()
        with stage.costs(f"GET /git/trees/{tip}"):
            found = stage.repository.tree(tip)
        assert not found.truncated
        assert {f.path: (f.blob, f.size) for f in found.files} == {
            path: (blob_sha(content), len(content)) for path, content in FILES.items()
        }

    def test_a_commit_is_asked_for_once(self, stage: Stage) -> None:
        first, second = stage.tip(), stage.branch()
        with stage.costs(f"GET /git/trees/{first}", f"GET /git/trees/{second}"):
            assert stage.repository.tree(first) is stage.repository.tree(first)
            assert stage.repository.tree(second) == stage.repository.tree(second)

    def test_links_and_submodules_are_no_files(self, stage: Stage) -> None:
        stage.entry("apps/link.yaml", "120000", b"checkout/service.yaml")
        tip = stage.entry("apps/run.sh", "100755", b"#!/bin/sh\n")
        assert {f.path for f in stage.repository.tree(tip).files} == {*FILES, "apps/run.sh"}

    def test_a_submodule(self, talk: Talk) -> None:
        rows = [
            _row("a.yaml"),
            _row("sub", mode="160000", kind="commit", size=None),
            _row("dir", mode="040000"),
        ]
        talk.server.tell("GET", f"{REPO}/git/trees/{SHA}", {"sha": SHA, "tree": rows, "truncated": False})
        assert talk.repository().tree(SHA) == Tree((TreeFile("a.yaml", blob_sha(b"a.yaml"), 3),))
        assert talk.server.asked_for("GET", f"{REPO}/git/trees/{SHA}")[0].query == {"recursive": "1"}

    def test_more_than_github_lists(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "MOST_LISTED", 4)
        tip = stage.tip()
        with stage.costs(f"GET /git/trees/{tip}"):
            found = stage.repository.tree(tip)
        assert found.truncated
        assert 0 < len(found.files) < len(FILES)

    def test_a_server_that_wants_the_trees_own_sha(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{REPO}/git/commits/{SHA}", {"sha": SHA, "tree": {"sha": OTHER}})
        listed = {"sha": OTHER, "tree": [_row("a.yaml")], "truncated": False}
        talk.server.tell("GET", f"{REPO}/git/trees/{OTHER}", listed)
        assert [f.path for f in talk.repository().tree(SHA).files] == ["a.yaml"]

    def test_no_such_commit(self, stage: Stage) -> None:
        with pytest.raises(Missing):
            stage.repository.tree(OTHER)

    @pytest.mark.parametrize("name", ["main", "a" * 39, "A" * 40, ""])
    def test_what_could_change_is_not_asked_for(self, name: str, talk: Talk) -> None:
        with pytest.raises(ValueError, match="full sha"):
            talk.repository().tree(name)
        with pytest.raises(ValueError, match="full sha"):
            talk.repository().blob(name)
        assert talk.server.lines == []

    @pytest.mark.parametrize(
        "answer",
        [[], {"tree": [], "sha": SHA}, {"tree": [{"path": "a"}], "truncated": False}, {"tree": None}],
        ids=["a list", "cut or not is unknown", "an entry without a mode", "no list"],
    )
    def test_another_shape_than_documented(self, answer: Any, talk: Talk) -> None:
        talk.server.tell("GET", f"{REPO}/git/trees/{SHA}", answer)
        with pytest.raises(OutsideFailure, match="documented shape"):
            talk.repository().tree(SHA)


class TestBlob:
    """A content has one name for ever, so it is asked for once, whatever the commit and the path."""

    def test_any_bytes(self, stage: Stage) -> None:
        content = b"\xef\xbb\xbf\0\r\n\xff"
        tip = stage.entry("odd.yaml", "100644", content)
        name = next(f.blob for f in stage.repository.tree(tip).files if f.path == "odd.yaml")
        with stage.costs(f"GET /git/blobs/{name}"):
            assert stage.repository.blob(name) == content
            assert stage.repository.blob(name) == content

    def test_a_file_that_was_read_is_known(self, stage: Stage) -> None:
        with stage.costs(f"GET /contents/{PATH}"):
            stage.repository.file(PATH, stage.tip())
            assert stage.repository.blob(blob_sha(OLD)) == OLD

    def test_a_file_of_a_known_tree_and_content_costs_nothing(self, stage: Stage) -> None:
        tip, blob = stage.branch(), blob_sha(NEW)
        with stage.costs(f"GET /git/trees/{tip}", f"GET /git/blobs/{blob}"):
            repository = stage.repository
            repository.tree(tip)
            repository.blob(blob)
            assert repository.file(PATH, tip) == File(PATH, NEW, blob)

    def test_what_the_tree_does_not_list_is_asked_for(self, stage: Stage) -> None:
        tip = stage.entry("apps/link.yaml", "120000", b"checkout/service.yaml")
        stage.repository.tree(tip)
        stage.repository.blob(blob_sha(OLD))
        with stage.costs("GET /contents/apps/link.yaml", "GET /contents/none.yaml"):
            stage.repository.file("apps/link.yaml", tip)
            assert stage.repository.file("none.yaml", tip) is None

    def test_large_ones_are_read_again(self, talk: Talk) -> None:
        content = b"x" * (LARGEST_KEPT + 1)
        path = f"{REPO}/git/blobs/{blob_sha(content)}"
        talk.server.tell("GET", path, _blob(content))
        repository = talk.repository()
        assert repository.blob(blob_sha(content)) == repository.blob(blob_sha(content)) == content
        assert len(talk.server.asked_for("GET", path)) == 2

    def test_another_content_is_not_believed(self, talk: Talk) -> None:
        talk.server.tell("GET", f"{REPO}/git/blobs/{OTHER}", _blob(b"mine"))
        with pytest.raises(OutsideFailure, match="another content"):
            talk.repository().blob(OTHER)

    def test_none(self, stage: Stage) -> None:
        with pytest.raises(Missing):
            stage.repository.blob(OTHER)

    def test_no_content_crosses_installations(self, talk: Talk) -> None:
        content = b"secret"
        path = f"{REPO}/git/blobs/{blob_sha(content)}"
        talk.server.tell("GET", path, _blob(content), Say(404, {"message": "Not Found"}))
        talk.server.tell("POST", "/app/installations/8/access_tokens", talk_token())
        forge = talk.forge()
        assert forge.repository(7, SHOP).blob(blob_sha(content)) == content
        with pytest.raises(Missing):
            forge.repository(8, SHOP).blob(blob_sha(content))


def talk_token() -> Say:
    return Say(201, {"token": "ghs_4711_other", "expires_at": "2026-11-02T13:00:00Z"})


def test_with_a_token_that_was_handed_over(talk: Talk) -> None:
    listed = {"sha": SHA, "tree": [_row("a.yaml", size=6)], "truncated": False}
    talk.server.tell("GET", f"{REPO}/git/trees/{SHA}", listed)
    talk.server.tell("GET", f"{REPO}/git/blobs/{blob_sha(b'a.yaml')}", _blob(b"a.yaml"))
    forge = TokenForge("ghs_1_0123456789abcdef", SHOP, base_url=talk.server.url, clock=talk.clock)
    (file,) = forge.repository(0, SHOP).tree(SHA).files
    assert forge.repository(0, SHOP).blob(file.blob) == b"a.yaml"
    assert forge.repository(0, SHOP).file("a.yaml", SHA) == File("a.yaml", b"a.yaml", file.blob)
    assert len(talk.server.lines) == 2


class TestMemory:
    """Bounded by what the values weigh."""

    def test_lets_go_of_as_many_as_needed(self) -> None:
        kept: Lru[bytes] = Lru(10, len)
        for key in "abc":
            kept.put(key, b"123")
        assert kept.get("a") == b"123"
        kept.put("d", b"1234")
        assert [key for key in "abcd" if kept.get(key) is not None] == ["a", "c", "d"]

    def test_the_same_key_again_weighs_once(self) -> None:
        kept: Lru[bytes] = Lru(10, len)
        for content in (b"1234567", b"12", b"1234567890"):
            kept.put("a", content)
        assert kept.get("a") == b"1234567890"

    def test_what_is_too_heavy_is_not_kept_and_pushes_nothing_out(self) -> None:
        kept: Lru[bytes] = Lru(10, len)
        kept.put("a", b"123")
        kept.put("b", b"x" * 11)
        assert (kept.get("a"), kept.get("b"), len(kept)) == (b"123", None, 1)
