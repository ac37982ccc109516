"""What the doctor reads of GitHub, where the sandbox has no such answer; shapes as the API describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.github.client import Wire
from bot.adapters.github.inspection import Access, inspect
from bot.core.doctor.forge import Asked, judge
from bot.core.doctor.protection import Required, Reviews
from bot.core.problems import OutsideFailure
from bot.ports import Missing
from tests.adapters.scripted import APP_ID, PEM, TOKENS, Say, Scripted, StillClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.doctor.forge import Facts

R = "/repos/acme/shop"
RULES, STEPS = f"{R}/rules/branches/main", f"{R}/rules/branches/canary%2Fservice%2Frollout%2F50"
TIP, HEAD, CLOSED = "a" * 40, "b" * 40, "c" * 40
PERMISSIONS = {"metadata": "read", "contents": "write", "checks": "write", "pull_requests": "write"}
ASKED = Asked(PERMISSIONS, ("issue_comment",))
APP = {
    "id": APP_ID,
    "slug": "canary-bot",
    "name": "Canary",
    "permissions": PERMISSIONS,
    "events": ["issue_comment"],
}
INSTALLATION = {"id": 7, "permissions": PERMISSIONS, "events": ["issue_comment"], "suspended_at": None}
REPOSITORY = {
    "default_branch": "main",
    "archived": False,
    "allow_auto_merge": True,
    "allow_merge_commit": True,
    "allow_squash_merge": True,
    "allow_rebase_merge": False,
}
PLAIN = {"name": "main", "commit": {"sha": TIP}, "protected": False, "protection": {"enabled": False}}


def rule(kind: str, number: int = 1, **parameters: Any) -> dict[str, Any]:
    held = {
        "type": kind,
        "ruleset_id": number,
        "ruleset_source": "acme/shop",
        "ruleset_source_type": "Repository",
    }
    return held | ({"parameters": parameters} if parameters else {})


def reviews(**changes: Any) -> dict[str, Any]:
    return {
        "required_approving_review_count": 1,
        "dismiss_stale_reviews_on_push": False,
        "require_last_push_approval": False,
    } | changes


def required(*checks: dict[str, Any]) -> dict[str, Any]:
    return {"required_status_checks": list(checks), "strict_required_status_checks_policy": False}


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted(StillClock()) as running:
        running.tell("GET", "/app", APP)
        running.tell("GET", f"{R}/installation", INSTALLATION)
        running.tell("GET", R, REPOSITORY)
        running.tell("GET", STEPS, [])
        running.tell("GET", f"{R}/pulls", [])
        yield running


def look(server: Scripted, *, as_app: bool = True, app_id: int | None = APP_ID) -> Facts:
    wire = Wire(server.url, server.clock, sleep=lambda _: None)
    access = Access(wire, app_id, private_key=PEM) if as_app else Access(wire, app_id, token="ghp_x")
    return inspect(access, "acme/shop", checks=("canary / plan",), merging=())


def codes(facts: Facts) -> set[str]:
    return {f.code for f in judge(facts, ASKED)}


class TestRules:
    """Rules of all rulesets and of classic protection count together."""

    def test_the_strictest_of_two_rulesets(self, server: Scripted) -> None:
        rules = [
            rule("pull_request", 1, **reviews(allowed_merge_methods=["merge", "squash"])),
            rule(
                "pull_request",
                2,
                **reviews(
                    required_approving_review_count=2,
                    dismiss_stale_reviews_on_push=True,
                    allowed_merge_methods=["squash"],
                ),
            ),
            rule("required_signatures", 1),
            rule("required_linear_history", 2),
            rule("merge_queue", 2),
            rule(
                "required_status_checks",
                2,
                **required({"context": "x", "integration_id": 5}, {"context": "y"}),
            ),
            rule("commit_message_pattern", 2, operator="contains", pattern="x"),
        ]
        server.tell("GET", RULES, rules)
        server.tell("GET", f"{R}/branches/main", PLAIN)
        server.tell("GET", f"{R}/rulesets/1", {"id": 1, "name": "one", "current_user_can_bypass": "never"})
        server.tell("GET", f"{R}/rulesets/2", {"id": 2, "name": "two", "current_user_can_bypass": "exempt"})
        facts = look(server)

        assert facts.rules is not None
        assert facts.rules.reviews == Reviews(2, dismisses_stale=True, last_push=False)
        assert facts.rules.merge_methods == frozenset({"squash"})
        assert facts.rules.required == (
            Required("x", 5, "ruleset `two`"),
            Required("y", None, "ruleset `two`"),
        )
        assert (facts.rules.signatures, facts.rules.linear, facts.rules.merge_queue) == (True, True, True)
        assert [b.ours for b in facts.rules.base_bypass] == ["never", "exempt"]
        assert {"merge-queue", "signatures-need-merge-commits", "bot-may-bypass"} <= codes(facts)

    @pytest.mark.parametrize(
        ("checks", "found"),
        [
            pytest.param({"contexts": ["x"]}, [Required("x", None, "branch protection")], id="names only"),
            pytest.param(
                {"contexts": ["x"], "checks": [{"context": "x", "app_id": 5}]},
                [Required("x", 5, "branch protection")],
                id="with their source",
            ),
            pytest.param(
                {"contexts": ["x"], "checks": [{"context": "x", "app_id": -1}]},
                [Required("x", None, "branch protection")],
                id="any source",
            ),
        ],
    )
    def test_classic_protection_that_only_the_branch_shows(
        self, checks: dict[str, Any], found: list[Required], server: Scripted
    ) -> None:
        shown = {"enabled": True, "required_status_checks": checks}
        server.tell("GET", RULES, [])
        server.tell("GET", f"{R}/branches/main", PLAIN | {"protected": True, "protection": shown})
        server.tell("GET", f"{R}/branches/main/protection", Say(403, {"message": "Resource not accessible"}))
        facts = look(server)

        assert facts.rules is not None
        assert list(facts.rules.required) == found
        assert facts.rules.classic_hidden
        assert "could-not-look" in codes(facts)
        assert "pull-request-not-required" not in codes(facts)

    def test_classic_protection_in_full(self, server: Scripted) -> None:
        server.tell("GET", RULES, [])
        server.tell("GET", f"{R}/branches/main", PLAIN | {"protected": True, "protection": {"enabled": True}})
        server.tell(
            "GET",
            f"{R}/branches/main/protection",
            {
                "required_pull_request_reviews": {
                    "required_approving_review_count": 1,
                    "dismiss_stale_reviews": True,
                    "require_last_push_approval": True,
                },
                "required_signatures": {"enabled": True},
                "required_linear_history": {"enabled": True},
            },
        )
        facts = look(server)

        assert facts.rules is not None
        assert facts.rules.reviews == Reviews(1, dismisses_stale=True, last_push=True)
        assert (facts.rules.signatures, facts.rules.linear, facts.rules.classic_hidden) == (True, True, False)

    def test_a_ruleset_that_may_not_be_read(self, server: Scripted) -> None:
        server.tell("GET", RULES, [rule("pull_request", 1, **reviews())])
        server.tell("GET", f"{R}/branches/main", PLAIN)
        server.tell("GET", f"{R}/rulesets/1", Say(404, {"message": "Not Found"}))
        facts = look(server)

        assert facts.rules is not None
        assert [(b.where, b.ours, b.others) for b in facts.rules.base_bypass] == [("ruleset `1`", None, None)]

    @pytest.mark.parametrize(
        ("actors", "app_id", "ours", "others"),
        [
            pytest.param([], APP_ID, "never", False, id="nobody"),
            pytest.param([("Integration", APP_ID)], APP_ID, "always", False, id="the App"),
            pytest.param([("Integration", 5)], APP_ID, "never", True, id="another App"),
            pytest.param(
                [("RepositoryRole", APP_ID)], APP_ID, "never", True, id="a role with the App's number"
            ),
            pytest.param([("Integration", 5)], None, None, None, id="an App, and ours is not known"),
            pytest.param([("Integration", 5), ("Team", 6)], None, None, True, id="and a team"),
            pytest.param([("OrganizationAdmin", None)], None, "never", True, id="no App at all"),
        ],
    )
    def test_bypass_lists_that_an_administrator_sees(
        self,
        actors: list[tuple[str, int | None]],
        app_id: int | None,
        ours: str | None,
        *,
        others: bool | None,
        server: Scripted,
    ) -> None:
        listed = [
            {"actor_type": kind, "actor_id": number, "bypass_mode": "always"} for kind, number in actors
        ]
        server.tell("GET", RULES, [rule("pull_request", 1, **reviews())])
        server.tell("GET", f"{R}/branches/main", PLAIN)
        # What the administrator may do says nothing of the App.
        own = {"name": "one", "current_user_can_bypass": "always", "bypass_actors": listed}
        server.tell("GET", f"{R}/rulesets/1", own)
        facts = look(server, as_app=False, app_id=app_id)

        assert facts.rules is not None
        assert [(b.ours, b.others) for b in facts.rules.base_bypass] == [(ours, others)]


class TestReports:
    """Recent pull requests to the base branch are looked at, not those that were given up."""

    def test_check_runs_and_statuses(self, server: Scripted) -> None:
        pulls = [
            {"head": {"sha": CLOSED}, "state": "closed", "merged_at": None},
            {"head": {"sha": HEAD}, "state": "open", "merged_at": None},
            {"head": {"sha": HEAD}, "state": "closed", "merged_at": "2026-01-01T00:00:00Z"},
        ]
        server.tell("GET", RULES, [])
        server.tell("GET", f"{R}/branches/main", PLAIN)
        server._told["GET", f"{R}/pulls"].clear()
        server.tell("GET", f"{R}/pulls", pulls)
        runs = {
            "total_count": 1,
            "check_runs": [{"name": "unit", "app": {"id": 5}}, {"name": "odd", "app": None}],
        }
        server.tell("GET", f"{R}/commits/{HEAD}/check-runs", runs)
        server.tell("GET", f"{R}/commits/{TIP}/check-runs", {"total_count": 0, "check_runs": []})
        server.tell(
            "GET", f"{R}/commits/{HEAD}/status", {"statuses": [{"context": "unit"}, {"context": "lint"}]}
        )
        server.tell("GET", f"{R}/commits/{TIP}/status", {"statuses": []})
        facts = look(server)

        assert facts.rules is not None
        seen = facts.rules.seen
        assert seen.names == {"unit": {5, None}, "odd": {None}, "lint": {None}}
        assert (seen.commits, seen.whole, seen.readable) == (1, True, True)
        (asked,) = server.asked_for("GET", f"{R}/pulls")
        assert asked.query["base"] == "main"
        assert not [line for line in server.lines if CLOSED in line]

    def test_nothing_may_be_read(self, server: Scripted) -> None:
        server.tell("GET", RULES, [rule("required_status_checks", 1, **required({"context": "x"}))])
        server.tell("GET", f"{R}/branches/main", PLAIN)
        server.tell("GET", f"{R}/rulesets/1", {"name": "one", "current_user_can_bypass": "never"})
        server._told["GET", f"{R}/pulls"].clear()
        server.tell("GET", f"{R}/pulls", [{"head": {"sha": HEAD}, "state": "open"}])
        refusal = Say(403, {"message": "Resource not accessible by integration"})
        for sha in (HEAD, TIP):
            server.tell("GET", f"{R}/commits/{sha}/check-runs", refusal)
            server.tell("GET", f"{R}/commits/{sha}/status", refusal)
        facts = look(server)

        assert facts.rules is not None
        assert not facts.rules.seen.readable
        assert "check-never-reports" not in codes(facts)
        # Once refused is enough.
        assert len([line for line in server.lines if line.endswith("/status")]) == 1


class TestToken:
    """The token for looking is narrowed to the repository, and to what is granted."""

    def test_narrowed(self, server: Scripted) -> None:
        server._told["GET", f"{R}/installation"].clear()
        held = {"metadata": "read", "contents": "read", "checks": "write", "workflows": "write"}
        server.tell("GET", f"{R}/installation", INSTALLATION | {"permissions": held})
        server.tell("GET", RULES, [])
        server.tell("GET", f"{R}/branches/main", PLAIN)
        look(server)

        (asked,) = server.asked_for("POST", TOKENS)
        assert asked.body == {
            "repositories": ["shop"],
            "permissions": {"metadata": "read", "contents": "read", "checks": "read"},
        }

    def test_settings_that_are_not_shown(self, server: Scripted) -> None:
        server._told["GET", R].clear()
        server.tell("GET", R, {"default_branch": "main"})
        server.tell("GET", RULES, [])
        server.tell("GET", f"{R}/branches/main", PLAIN)
        facts = look(server)

        assert (facts.auto_merge, facts.merge_methods) == (None, None)

    def test_refused_after_the_app_was_read(self, server: Scripted) -> None:
        server.tell("POST", TOKENS, Say(403, {"message": "This installation has been suspended"}))
        facts = look(server)

        assert facts.app is not None
        assert facts.rules is None
        assert "This installation has been suspended" in facts.unseen[0].needs

    def test_a_token_that_does_not_reach_the_repository(self, server: Scripted) -> None:
        server._told["GET", R].clear()
        server.tell("GET", R, Say(404, {"message": "Not Found"}))

        with pytest.raises(Missing):
            look(server, as_app=False)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/app", {"id": APP_ID}, id="an App without permissions"),
        pytest.param(f"{R}/installation", {"permissions": {}, "events": []}, id="an installation without id"),
        pytest.param(R, {}, id="a repository without a branch"),
        pytest.param(f"{R}/branches/main", {"name": "main"}, id="a branch without a commit"),
        pytest.param(RULES, [{"type": "pull_request"}], id="a rule without its ruleset"),
        pytest.param(RULES, {"message": "x"}, id="no list"),
        pytest.param(RULES, [rule("required_status_checks", 1)], id="a rule without parameters"),
        pytest.param(f"{R}/pulls", [{"state": "open"}], id="a pull request without a head"),
        pytest.param(f"{R}/pulls", "x", id="no pull requests"),
    ],
)
def test_an_answer_of_another_shape_is_a_failure_of_the_outside(
    path: str, body: Any, server: Scripted
) -> None:
    if path != RULES:
        server.tell("GET", RULES, [])
    if path != f"{R}/branches/main":
        server.tell("GET", f"{R}/branches/main", PLAIN)
    server._told["GET", path].clear()
    server.tell("GET", path, body)

    with pytest.raises(OutsideFailure):
        look(server)
