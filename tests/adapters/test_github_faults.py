"""Against the sandbox: modes and links, faults on the way, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from bot.adapters.github.git import blob_sha
from bot.core.problems import OutsideFailure
from bot.ports import File, Missing, Moved, Refused
from tests.adapters.stage import NEW, OLD, PATH, SHOP

if TYPE_CHECKING:
    from bot.adapters.github.writing import GitHubRepository
    from tests.adapters.stage import Stage


class TestModes:
    """A file's mode is kept; a link is never written to or through."""

    @pytest.mark.parametrize("mode", ["100644", "100755"])
    def test_kept(self, stage: Stage, mode: str) -> None:
        parent = stage.entry(PATH, mode, OLD)
        sha = stage.repository.commit_on(parent, PATH, NEW, "Shift")
        entry = stage.world.repository(SHOP).git.entry(sha, PATH)
        assert entry is not None
        assert (entry.mode, entry.sha) == (mode, blob_sha(NEW))

    @pytest.mark.parametrize("target", [b"README.md", b"../../etc/passwd"], ids=["followed", "leads outside"])
    def test_links(self, stage: Stage, target: bytes) -> None:
        sha = stage.entry("link.yaml", "120000", target)
        repository = stage.repository
        seen = blob_sha(target)
        try:
            found = repository.file("link.yaml", sha)
            seen = found.blob if found else seen
        except Refused:
            assert target != b"README.md"
        with pytest.raises(Refused):
            repository.commit_on(sha, "link.yaml", NEW, "Shift")
        if target == b"README.md":
            with pytest.raises(Refused):
                repository.commit_file("main", File("link.yaml", b"", seen), NEW, "Shift")
        assert stage.tip() == sha

    def test_not_through_a_linked_folder(self, stage: Stage) -> None:
        sha = stage.entry("linked", "120000", b"apps")
        assert stage.repository.file("linked/checkout/service.yaml", sha) is None
        with pytest.raises(Refused):
            stage.repository.commit_on(sha, "linked/checkout/service.yaml", NEW, "Shift")


class TestFaults:
    """A write whose answer was lost is not sent again; a read is."""

    @pytest.mark.parametrize("fault", ["after-502", "after-drop", "after-500"])
    def test_a_comment_is_never_doubled(self, stage: Stage, fault: str) -> None:
        number = stage.pull()
        stage.server.faults.add("POST", "/comments$", fault)
        with pytest.raises(OutsideFailure):
            stage.repository.reply(number, "Proposed")
        assert [c.body for c in stage.repository.comments(number)] == ["Proposed"]

    @pytest.mark.parametrize("fault", ["before-502", "before-drop"])
    def test_a_read_survives(self, stage: Stage, fault: str) -> None:
        stage.server.faults.add("GET", "/git/ref/", fault, 2)
        assert stage.repository.tip("main") == stage.tip()

    def test_what_happens_between_look_and_write(self, stage: Stage) -> None:
        stage.branch()
        was = stage.file("feature")
        push = {PATH: OLD + b"#"}
        stage.server.faults.before(
            "PUT", "/contents/", lambda: stage.world.commit(SHOP, "feature", push, "Faster", by="mona")
        )
        with pytest.raises(Moved):
            stage.repository.commit_file("feature", was, OLD, "Shift")
        assert stage.world.read(SHOP, "feature", PATH) == OLD + b"#"

    def test_a_base_that_moves_while_github_merges(self, stage: Stage) -> None:
        number = stage.pull()
        stage.server.faults.add("PUT", "/merge$", "405-base-modified")
        with pytest.raises(Moved):
            stage.repository.merge(number, sha=stage.tip("feature"), title="t", message="m")

    @pytest.mark.parametrize("fault", ["429", "403-primary", "403-secondary", "403-secondary-retry"])
    def test_limits_name_a_time(self, stage: Stage, fault: str) -> None:
        stage.server.faults.add("*", "/git/", fault)
        with pytest.raises(OutsideFailure) as caught:
            stage.repository.tip("main")
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 3_900

    def test_every_request_is_heard(self, stage: Stage) -> None:
        number = stage.pull()
        stage.server.faults.add("GET", "/pulls/", "before-502", 2)
        stage.repository.pull(number)
        stage.repository.reply(number, "x")
        sent = [f"{r.method} {r.path}".replace(f"/repos/{SHOP}", "") for r in stage.server.requests]
        assert stage.heard == sent


class TestForge:
    """Repositories and tokens."""

    def test_repositories(self, stage: Stage) -> None:
        assert list(stage.forge.repositories()) == [(stage.installation, SHOP)]

    def test_a_cold_read_costs_one_token(self, stage: Stage) -> None:
        number = stage.pull()
        stage.heard.clear()
        stage.repository.pull(number)
        assert stage.heard == [
            f"POST /app/installations/{stage.installation}/access_tokens",
            f"GET /pulls/{number}",
        ]

    def test_tokens_that_were_revoked(self, stage: Stage) -> None:
        stage.repository.tip("main")
        stage.world.revoke_tokens()
        assert stage.repository.tip("main") == stage.tip()

    def test_a_token_opens_no_other_repository(self, stage: Stage) -> None:
        stage.world.create_repository("acme/other", {"a": b"x"}, private=True, by="mona")
        stage.world.install(stage.app, "acme/other")
        client = cast("GitHubRepository", stage.repository)._client
        with pytest.raises(Missing):
            client.get("/repos/acme/other")

    def test_suspended(self, stage: Stage) -> None:
        stage.world.suspend(stage.installation)
        with pytest.raises(Refused):
            stage.repository.tip("main")
        assert list(stage.forge.repositories()) == []
