"""Rulesets and branch protection: told as GitHub tells them, and enforced."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.errors import ApiError
from bot.sandbox.rules import matches, pull_request, required_checks
from tests.sandbox.peer import SECRET, SHOP, TEXT, WRITE, Peer, b64

R = f"/repos/{SHOP}"
DEFAULT = ("~DEFAULT_BRANCH",)
STEPS = ("refs/heads/canary/**/*",)


def get(peer: Peer, path: str, credential: str = "") -> Any:
    answer = peer.ask("GET", R + path, credential)
    assert answer.status_code == 200, answer.text
    return answer.json()


def merged(peer: Peer, **how: Any) -> str:
    try:
        peer.world.merge(SHOP, 1, by="mona", **how)
    except ApiError as no:
        return no.message if no.status == 405 else str(no)
    return ""


def broken(*sentences: str) -> str:
    return "Repository rule violations found\n\n" + "".join(f"{one}\n\n" for one in sentences)


class TestPatterns:
    """Ruby's ``File.fnmatch`` with ``FNM_PATHNAME``: only ``**/`` goes over slashes."""

    @pytest.mark.parametrize(
        ("pattern", "branch", "is_meant"),
        [
            ("~ALL", "canary/shop/25", True),
            ("~DEFAULT_BRANCH", "main", True),
            ("~DEFAULT_BRANCH", "mainly", False),
            ("refs/heads/main", "main", True),
            ("refs/heads/main", "mainly", False),
            ("refs/heads/release-*", "release-1", True),
            ("refs/heads/release-*", "release-1/a", False),
            ("refs/heads/canary/*", "canary/shop", True),
            ("refs/heads/canary/*", "canary/shop/7f3a/25", False),
            ("refs/heads/canary/**", "canary/shop", True),
            ("refs/heads/canary/**", "canary/shop/7f3a/25", False),
            ("refs/heads/canary/**/*", "canary/shop/7f3a/25", True),
            ("refs/heads/canary/**/*", "canary/shop", True),
            ("refs/heads/canary/**/*", "canaries/shop", False),
            ("refs/heads/v?", "v1", True),
            ("refs/heads/v?", "v10", False),
            ("refs/heads/a.b", "axb", False),
        ],
    )
    def test_a_pattern(self, pattern: str, branch: str, *, is_meant: bool) -> None:
        assert matches([pattern], branch, "main") is is_meant


class TestTold:
    """``GET rulesets``, ``rulesets/{id}`` and ``rules/branches/{branch}``."""

    def test_list_and_one(self, peer: Peer) -> None:
        rules: list[Any] = [
            required_checks("canary / gate", source=peer.app.id),
            pull_request(1),
            "deletion",
            "update",
        ]
        made = peer.world.add_ruleset(SHOP, "main", rules=rules, bypass=[peer.app.id])
        (listed,) = get(peer, "/rulesets")
        assert (listed["id"], listed["name"], listed["enforcement"]) == (made.id, "main", "active")
        assert not {"rules", "conditions", "bypass_actors"} & set(listed)
        told = get(peer, f"/rulesets/{made.id}")
        assert told["conditions"] == {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}
        assert [rule["type"] for rule in told["rules"]] == [
            "required_status_checks",
            "pull_request",
            "deletion",
            "update",
        ]
        assert told["rules"][0]["parameters"]["required_status_checks"] == [
            {"context": "canary / gate", "integration_id": peer.app.id}
        ]
        assert peer.ask("GET", f"{R}/rulesets/1").status_code == 404
        assert get(peer, "/rulesets?targets=tag") == []
        assert get(peer, "/rulesets?targets=tag,branch") == [listed]
        assert peer.ask("GET", f"{R}/rulesets?targets=twig").status_code == 422

    def test_who_sees_the_bypass(self, peer: Peer) -> None:
        made = peer.world.add_ruleset(SHOP, "main", rules=["deletion"], bypass=[peer.app.id])
        peer.world.set_role(SHOP, "eve", "admin")
        path = f"/rulesets/{made.id}"
        told = {
            who: get(peer, path, peer.credential(who)).get("bypass_actors")
            for who in ("", "mona", "bot", "eve")
        }
        actor = {"actor_id": peer.app.id, "actor_type": "Integration", "bypass_mode": "always"}
        assert told == {"": None, "mona": None, "bot": None, "eve": [actor]}
        assert get(peer, path, peer.token())["current_user_can_bypass"] == "always"
        assert get(peer, path)["current_user_can_bypass"] == "never"

    def test_rules_of_a_branch(self, peer: Peer) -> None:
        main = peer.world.add_ruleset(SHOP, "main", rules=["deletion", "non_fast_forward"])
        steps = peer.world.add_ruleset(SHOP, "steps", include=STEPS, rules=["creation"])
        peer.world.add_ruleset(SHOP, "tried out", rules=["required_signatures"], enforcement="evaluate")
        peer.world.add_ruleset(SHOP, "off", rules=["required_signatures"], enforcement="disabled")
        told = get(peer, "/rules/branches/main")
        assert [(rule["type"], rule["ruleset_id"]) for rule in told] == [
            ("deletion", main.id),
            ("non_fast_forward", main.id),
        ]
        assert (told[0]["ruleset_source"], told[0]["ruleset_source_type"]) == (SHOP, "Repository")
        (step,) = get(peer, "/rules/branches/canary/shop/7f3a/25")  # need not exist
        assert (step["type"], step["ruleset_id"]) == ("creation", steps.id)
        assert get(peer, "/rules/branches/feature") == []
        peer.world.remove_ruleset(SHOP, main.id)
        assert get(peer, "/rules/branches/main") == []

    def test_private_repository(self, peer: Peer) -> None:
        for path in ("/rulesets", "/rules/branches/main"):
            assert peer.ask("GET", f"/repos/{SECRET}{path}").status_code == 404
            assert peer.ask("GET", f"/repos/{SECRET}{path}", peer.token()).status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [{"rules": ["tag_name_pattern"]}, {"include": ["main"]}, {"target": "tag"}],
        ids=["unknown rule", "bare branch", "tags"],
    )
    def test_rulesets_that_are_none(self, peer: Peer, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"rule|pattern"):
            peer.world.add_ruleset(SHOP, "x", **wrong)


class TestEnforcedAtMerges:
    """What a ruleset asks of the base branch keeps a pull request from being merged."""

    def test_check_of_another_app_does_not_count(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        peer.world.add_ruleset(SHOP, "main", rules=[required_checks("canary / gate", source=peer.app.id)])
        told = broken('Required status check "canary / gate" is expected.')
        good = {"name": "canary / gate", "head_sha": sha, "conclusion": "success"}
        peer.world.create_check(SHOP, peer.world.actions_app(), good)
        peer.world.create_status(SHOP, sha, {"state": "success", "context": "canary / gate"}, by="mona")
        assert merged(peer) == told
        answer = peer.ask("PUT", f"{R}/pulls/1/merge", peer.token())
        assert (answer.status_code, answer.json()["message"]) == (405, told)
        peer.world.create_check(SHOP, peer.app, good)
        assert merged(peer) == ""

    def test_any_source(self, peer: Peer) -> None:
        sha = peer.feature().head_sha
        peer.world.add_ruleset(SHOP, "main", rules=[required_checks("a", "b", "c")])
        assert merged(peer) == broken("3 of 3 required status checks are expected.")
        peer.world.create_status(SHOP, sha, {"state": "success", "context": "a"}, by="mona")
        peer.world.create_status(SHOP, sha, {"state": "failure", "context": "b"}, by="mona")
        assert merged(peer) == broken("2 of 3 required status checks have not succeeded.")

    def test_approvals(self, peer: Peer) -> None:
        peer.feature()
        peer.world.set_role(SHOP, "rita", "write")
        rule = pull_request(1, dismiss_stale=True, last_push=True)
        peer.world.add_ruleset(SHOP, "main", rules=[rule])
        missing = broken("At least 1 approving review is required by reviewers with write access.")
        assert merged(peer) == missing
        peer.world.review(SHOP, 1, "", "APPROVED", by="rita")
        peer.world.commit(SHOP, "feature", {"n.txt": b"n"}, "More", by="rita")
        assert merged(peer) == missing
        peer.world.review(SHOP, 1, "", "APPROVED", by="rita")
        assert merged(peer) == broken("New changes require approval from someone other than the last pusher.")
        peer.world.set_role(SHOP, "eve", "write")
        peer.world.review(SHOP, 1, "", "APPROVED", by="eve")
        assert merged(peer) == ""

    def test_signatures(self, peer: Peer) -> None:
        peer.feature()
        peer.world.add_ruleset(SHOP, "main", rules=["required_signatures"])
        assert merged(peer) == broken("Commits must have verified signatures.")
        assert "Rebase merges cannot be automatically signed" in merged(peer, method="rebase")
        assert merged(peer, method="squash") == ""

    def test_update_binds_all_but_the_bypass(self, peer: Peer) -> None:
        peer.feature()
        peer.world.add_ruleset(SHOP, "main", rules=["update"], bypass=[peer.app.id])
        assert merged(peer) == broken("Cannot update this protected ref.")
        assert peer.ask("PUT", f"{R}/pulls/1/merge", peer.token()).status_code == 200

    def test_rulesets_that_are_tried_out_forbid_nothing(self, peer: Peer) -> None:
        peer.feature()
        peer.world.add_ruleset(SHOP, "main", rules=["update", pull_request(5)], enforcement="evaluate")
        assert merged(peer) == ""


class TestEnforcedAtPushes:
    """Step branches: only the bot creates, moves and deletes them."""

    @pytest.fixture
    def tip(self, peer: Peer) -> str:
        peer.world.add_ruleset(
            SHOP,
            "steps",
            include=STEPS,
            rules=["creation", "update", "deletion", "non_fast_forward"],
            bypass=[peer.app.id],
        )
        return str(peer.world.tip(SHOP, "main"))

    def act(self, peer: Peer, credential: str, tip: str) -> dict[str, tuple[int, str]]:
        """Create, write, move back and delete a step branch over HTTP."""
        branch = "canary/shop/7f3a/25"
        sha = peer.world.entry(SHOP, "main", "a.txt").sha
        body = {"message": "m", "content": b64(TEXT + b"more\n"), "branch": branch, "sha": sha}
        sent: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": tip}),
            ("PUT", "/contents/a.txt", body),
            ("PATCH", f"/git/refs/heads/{branch}", {"sha": tip, "force": True}),
            ("DELETE", f"/git/refs/heads/{branch}", {}),
        ]
        told = {}
        for method, path, fields in sent:
            answer = peer.ask(method, R + path, credential, json=fields)
            message = answer.json().get("message", "") if answer.content else ""
            told[method] = (answer.status_code, message)
        return told

    def test_the_bot(self, peer: Peer, tip: str) -> None:
        told = self.act(peer, peer.token(), tip)
        assert [status for status, _ in told.values()] == [201, 200, 200, 204]

    def test_everybody_else(self, peer: Peer, tip: str) -> None:
        who = peer.world.token("mona")
        created = self.act(peer, who, tip)["POST"]
        assert created == (422, broken("Cannot create ref due to creations being restricted."))
        peer.world.create_branch(SHOP, "canary/shop/7f3a/25", by="canary[bot]")
        new = peer.world.put_file(
            SHOP, "n.txt", b"n", "n", branch="canary/shop/7f3a/25", blob=None, by="canary[bot]"
        )[0]
        told = self.act(peer, who, tip)
        update = "Cannot update this protected ref."
        assert told["PUT"] == (409, broken(update))
        assert told["PATCH"] == (422, broken(update, "Cannot force-push to this branch"))
        assert told["DELETE"] == (422, broken("Cannot delete this protected ref."))
        assert peer.world.tip(SHOP, "canary/shop/7f3a/25") == new

    def test_pull_request_rule(self, peer: Peer) -> None:
        peer.world.add_ruleset(SHOP, "main", rules=[pull_request()])
        body = {"message": "m", "content": b64(b"x")}
        answer = peer.ask("PUT", f"{R}/contents/n.txt", peer.token(), json=body)
        assert (answer.status_code, answer.json()["message"]) == (
            409,
            broken("Changes must be made through a pull request."),
        )


class TestClassicProtection:
    """``GET branches/{branch}`` tells everybody a little, ``.../protection`` who administers all."""

    def admin(self, peer: Peer) -> str:
        peer.world.set_role(SHOP, "eve", "admin")
        return peer.world.token("eve")

    def test_without(self, peer: Peer) -> None:
        told = get(peer, "/branches/main")
        assert (told["protected"], told["protection"]["enabled"]) == (False, False)
        answer = peer.ask("GET", f"{R}/branches/main/protection", self.admin(peer))
        assert (answer.status_code, answer.json()["message"]) == (404, "Branch not protected")
        answer = peer.ask("GET", f"{R}/branches/nowhere/protection", self.admin(peer))
        assert (answer.status_code, answer.json()["message"]) == (404, "Branch not found")

    def test_with(self, peer: Peer) -> None:
        peer.world.protect(
            SHOP,
            "main",
            checks=("canary / gate", "ci"),
            sources={"canary / gate": peer.app.id},
            approvals=2,
            dismiss_stale=True,
            code_owners=True,
            last_push=True,
            strict=True,
        )
        checks = [
            {"context": "canary / gate", "app_id": peer.app.id},
            {"context": "ci", "app_id": None},
        ]
        told = get(peer, "/branches/main")
        assert told["protected"] is True
        assert told["protection"]["required_status_checks"]["contexts"] == ["canary / gate", "ci"]
        assert told["protection"]["required_status_checks"]["checks"] == checks
        whole = get(peer, "/branches/main/protection", self.admin(peer))
        assert whole["required_status_checks"]["strict"] is True
        assert whole["required_status_checks"]["checks"] == checks
        reviews = whole["required_pull_request_reviews"]
        assert {key: value for key, value in reviews.items() if key != "url"} == {
            "dismiss_stale_reviews": True,
            "require_code_owner_reviews": True,
            "require_last_push_approval": True,
            "required_approving_review_count": 2,
        }
        alone = get(peer, "/branches/main/protection/required_status_checks", self.admin(peer))
        assert alone == whole["required_status_checks"]

    def test_no_required_checks(self, peer: Peer) -> None:
        peer.world.protect(SHOP, "main", approvals=1)
        path = f"{R}/branches/main/protection/required_status_checks"
        answer = peer.ask("GET", path, self.admin(peer))
        assert (answer.status_code, answer.json()["message"]) == (404, "Required status checks not enabled")

    def test_branches_that_are_protected(self, peer: Peer) -> None:
        peer.feature("canary/shop/25")
        peer.world.protect(SHOP, "canary/shop/25", pulls_only=True)

        def names(query: str) -> list[str]:
            return [branch["name"] for branch in get(peer, f"/branches{query}")]

        assert names("") == ["canary/shop/25", "main"]
        assert (names("?protected=true"), names("?protected=false")) == (["canary/shop/25"], ["main"])
        path = "/branches/canary/shop/25/protection"
        assert "required_status_checks" not in get(peer, path, self.admin(peer))

    @pytest.mark.parametrize("path", ["/branches/main/protection", "/actions/permissions/workflow"])
    def test_who_may_read_it(self, peer: Peer, path: str) -> None:
        peer.world.protect(SHOP, "main", approvals=1)
        seen = {who: peer.ask("GET", R + path, peer.credential(who)) for who in ("", "mona", "bot")}
        assert {who: answer.status_code for who, answer in seen.items()} == {"": 401, "mona": 404, "bot": 403}
        assert seen["bot"].json()["message"] == "Resource not accessible by integration"
        peer.app.permissions = {**WRITE, "administration": "read"}
        assert peer.ask("GET", R + path, peer.token()).status_code == 200

    def test_what_workflows_may(self, peer: Peer) -> None:
        peer.world.configure(SHOP, workflows_open_pulls=False)
        assert get(peer, "/actions/permissions/workflow", self.admin(peer)) == {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": False,
        }

    def test_last_push_and_stale_approvals(self, peer: Peer) -> None:
        peer.feature()
        peer.world.set_role(SHOP, "rita", "write")
        peer.world.protect(SHOP, "main", approvals=1, dismiss_stale=True, last_push=True)
        peer.world.review(SHOP, 1, "", "APPROVED", by="rita")
        peer.world.commit(SHOP, "feature", {"n.txt": b"n"}, "More", by="rita")
        assert merged(peer).startswith("At least 1 approving review")
        peer.world.review(SHOP, 1, "", "APPROVED", by="rita")
        assert merged(peer).startswith("New changes require approval")


class TestWhatElseADoctorReads:
    """The tree of the default branch, the installation's permissions, and the comments of a sweep."""

    def test_whole_tree(self, peer: Peer) -> None:
        told = get(peer, "/git/trees/main?recursive=1", peer.token())
        assert [entry["path"] for entry in told["tree"]] == ["a.txt", "deep", "deep/b.yaml"]
        assert told["truncated"] is False

    def test_installation_shows_what_it_was_given(self, peer: Peer) -> None:
        peer.app.permissions = {"metadata": "read", "contents": "read", "administration": "write"}
        told = get(peer, "/installation", peer.jwt())
        assert told["permissions"] == {"metadata": "read", "contents": "read", "administration": "write"}

    def test_comments_of_the_repository(self, peer: Peer) -> None:
        peer.feature()
        world = peer.world
        made = []
        for text in ("one", "two", "three"):
            made.append(world.comment(SHOP, 1, text, by="mona"))
            world.clock.advance(world.tick * 60)
        world.edit_comment(SHOP, made[0].id, "one, changed", by="mona")

        def listed(query: str) -> list[str]:
            return [one["body"] for one in get(peer, f"/issues/comments?{query}", peer.token())]

        since = f"{made[1].created_at:%Y-%m-%dT%H:%M:%SZ}"
        assert listed("") == ["one, changed", "two", "three"]
        assert listed(f"since={since}") == ["one, changed", "two", "three"]
        assert listed("sort=updated") == ["two", "three", "one, changed"]
        assert listed("sort=updated&direction=desc") == ["one, changed", "three", "two"]
        assert listed("sort=created&direction=desc") == ["three", "two", "one, changed"]
        assert listed("direction=desc") == listed("")  # ignored without ``sort``
        later = f"{made[2].created_at:%Y-%m-%dT%H:%M:%SZ}"
        assert listed(f"sort=updated&since={later}&per_page=1") == ["three"]
        assert peer.ask("GET", f"{R}/issues/comments?since=x", peer.token()).status_code == 422
