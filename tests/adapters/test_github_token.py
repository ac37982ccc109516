"""A repository seen with a handed-over token: whose it is, what it may not, and how that is done instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.github.authorship import BySlug
from bot.adapters.github.statuses import LONGEST_DESCRIPTION
from bot.adapters.github.token import WORKFLOWS, GivenToken, Introduction, TokenForge
from bot.core.problems import OutsideFailure
from bot.ports import Actor, Check, CheckConclusion, Comment, Missing, Reaction, Refused
from tests.adapters.scripted import MONA, NOON, Say, Scripted, StillClock
from tests.adapters.stage import SHOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.adapters.github.statuses import TokenRepository
    from tests.adapters.stage import Stage

TOKEN = "ghs_1_0123456789abcdef"
R = "/repos/acme/shop"
SHA = "a" * 40
RUNS, STATUSES, STATUS = f"{R}/commits/{SHA}/check-runs", f"{R}/commits/{SHA}/statuses", f"{R}/statuses/{SHA}"
FORBIDDEN = Say(403, {"message": "Resource not accessible by integration"})
PLAN = Check("canary / plan", "success", "The manifest is valid", "Evidence")
GATE = Check("canary / gate", None, "Baking", "Evidence")
ACTIONS = {"id": 41898282, "login": "github-actions[bot]", "type": "Bot"}
COMMENT = Comment(5, "comment", Actor(1, "mona"), "/canary 25", NOON)
REACTIONS = f"{R}/issues/comments/5/reactions"


OURS = {"id": 9, "login": "canary-bot[bot]", "type": "Bot"}
ANSWERS = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(["user", "app", "login", "type", "slug"]), inner),
    max_leaves=6,
)


class Desk:
    """A scripted GitHub, and forges that talk with it."""

    def __init__(self, server: Scripted, clock: StillClock) -> None:
        self.server, self.clock = server, clock
        self.heard: list[str] = []

    def forge(self, token: str = TOKEN, repository: str = "acme/shop", **more: Any) -> TokenForge:
        return TokenForge(
            token,
            repository,
            base_url=self.server.url,
            clock=self.clock,
            sleep=lambda _seconds: None,
            on_request=lambda method, path, status: self.heard.append(f"{method} {path} {status}"),
            **more,
        )

    def repository(self, forge: TokenForge | None = None, **more: Any) -> TokenRepository:
        found = (forge or self.forge(**more)).repository(0, "acme/shop")
        return cast("TokenRepository", found)

    def bodies(self, method: str, path: str) -> list[Any]:
        return [asked.body for asked in self.server.asked_for(method, path)]


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = StillClock()
    with Scripted(clock) as server:
        yield Desk(server, clock)


class TestWhatIsTaken:
    @pytest.mark.parametrize(
        "token",
        [
            pytest.param("", id="none"),
            pytest.param("ghp_0123456789abcdefghij0123456789abcdefgh", id="classic"),
            pytest.param("github_pat_11ABC_xyz", id="fine-grained"),
            pytest.param("gho_0123456789", id="an OAuth App's"),
            pytest.param("ghu_0123456789", id="an App's user"),
            pytest.param("0123456789abcdef0123456789abcdef01234567", id="before 2021"),
        ],
    )
    def test_a_persons_token_is_not(self, desk: Desk, token: str) -> None:
        with pytest.raises(ValueError, match="belongs to a person") as refused:
            desk.forge(token)
        assert not token or token not in str(refused.value)

    @pytest.mark.parametrize("token", [" ", "ghs_1 2", "ghs_1\n", "\tghs_1", "ghs_ü", "ghs_\u2019", "\ud800"])
    def test_what_no_token_is(self, desk: Desk, token: str) -> None:
        with pytest.raises(ValueError, match="no token has"):
            desk.forge(token)

    @pytest.mark.parametrize(
        "token", [TOKEN, "ghs_" + "x" * 36, "ghs_1_eyJhbGciOi.eyJpc3Mi.sig-nature_", "v1." + "0" * 40]
    )
    def test_an_installations_token_is(self, desk: Desk, token: str) -> None:
        desk.server.tell("GET", f"{R}/git/ref/heads/main", {"object": {"sha": SHA, "type": "commit"}})
        assert desk.repository(desk.forge(token)).tip("main") == SHA
        assert desk.server.asked[-1].headers["authorization"] == f"token {token}"

    @pytest.mark.parametrize(
        "name", ["", "shop", "a/b/c", "../x", "acme/..", "acme/sh op", "acme/shop?", "a\n/b"]
    )
    def test_repositories(self, desk: Desk, name: str) -> None:
        with pytest.raises(ValueError, match="owner/name"):
            desk.forge(repository=name)

    @pytest.mark.parametrize("slug", ["", "Canary", "a b", "-a", "a-", "a[bot]", "a/b", "é", "a" * 101])
    def test_slugs(self, desk: Desk, slug: str) -> None:
        with pytest.raises(ValueError, match="slug"):
            desk.forge(slug=slug)


class TestOneRepository:
    def test_its_own(self, desk: Desk) -> None:
        forge = desk.forge(web_url="https://github.example/")
        assert list(forge.repositories()) == [(0, "acme/shop")]
        repository = forge.repository(7, "Acme/Shop")
        assert (repository.name, repository.web_url) == ("acme/shop", "https://github.example/acme/shop")
        assert desk.heard == []

    @pytest.mark.parametrize("name", ["acme/other", "other/shop", ""])
    def test_no_other(self, desk: Desk, name: str) -> None:
        with pytest.raises(Missing):
            desk.forge().repository(0, name)

    @pytest.mark.parametrize(("slug", "starts"), [(WORKFLOWS, False), ("canary-bot", True)])
    def test_what_starts_workflows(self, desk: Desk, slug: str, starts: bool) -> None:  # noqa: FBT001 - pytest's
        forge = desk.forge(slug=slug)
        assert forge.starts_workflows is desk.repository(forge).starts_workflows is starts

    def test_there_is_no_other_token(self, desk: Desk) -> None:
        given = GivenToken(TOKEN)
        assert (given.token, given.token_type, given.refused({})) == (TOKEN, "token", False)
        desk.server.tell("GET", f"{R}/pulls/1", Say(401, {"message": f"Bad credentials {TOKEN}"}))
        with pytest.raises(OutsideFailure, match="401") as failure:
            desk.repository().pull(1)
        assert TOKEN not in str(failure.value)
        assert desk.heard == [f"GET {R}/pulls/1 401"]

    def test_no_word_of_github_tells_it(self, desk: Desk) -> None:
        desk.server.tell("GET", f"{R}/pulls/1", Say(403, {"message": f"Not with {TOKEN}, {TOKEN[:-2]}"}))
        with pytest.raises(Refused) as refused:
            desk.repository().pull(1)
        assert TOKEN[4:18] not in str(refused.value)


class TestChecks:
    """Check runs, else statuses, else neither; tried once for all looks of a forge."""

    def test_check_runs_where_they_may_be(self, desk: Desk) -> None:
        desk.server.tell("GET", RUNS, {"check_runs": []})
        desk.server.tell("POST", f"{R}/check-runs", Say(201, {"id": 1, "app": {"slug": WORKFLOWS}}))
        forge = desk.forge()
        desk.repository(forge).set_checks(SHA, [PLAN, GATE])
        assert [b["name"] for b in desk.bodies("POST", f"{R}/check-runs")] == [
            "canary / plan",
            "canary / gate",
        ]
        assert forge.caveats == set()

    def test_statuses_where_they_are_refused(self, desk: Desk) -> None:
        desk.server.tell("GET", RUNS, FORBIDDEN)
        desk.server.tell("GET", STATUSES, [])
        desk.server.tell("POST", STATUS, Say(201, {}))
        forge = desk.forge(evidence_url="https://github.example/run/1")
        desk.repository(forge).set_checks(SHA, [PLAN, GATE])
        assert desk.bodies("POST", STATUS) == [
            {
                "state": state,
                "context": check.name,
                "description": check.title,
                "target_url": "https://github.example/run/1",
            }
            for check, state in ((PLAN, "success"), (GATE, "pending"))
        ]
        assert forge.caveats == {"checks-as-statuses"}
        desk.server.asked.clear()
        desk.repository(forge).set_checks(SHA, [PLAN])
        assert desk.server.asked_for("GET", RUNS) == []

    @pytest.mark.parametrize("answer", [FORBIDDEN, Say(404, {"message": "Not Found"})])
    def test_neither(self, desk: Desk, answer: Say) -> None:
        for method, path in (("GET", RUNS), ("GET", STATUSES), ("POST", STATUS)):
            desk.server.tell(method, path, FORBIDDEN if path == RUNS else answer)
        forge = desk.forge()
        desk.repository(forge).set_checks(SHA, [PLAN])
        assert forge.caveats == {"no-checks"}
        desk.heard.clear()
        desk.repository(forge).set_checks(SHA, [PLAN])
        assert desk.heard == []

    def test_that_say_the_same_already_are_left_alone(self, desk: Desk) -> None:
        there = [
            {"context": "canary / plan", "state": "success", "description": PLAN.title},  # the newest first
            {"context": "canary / plan", "state": "failure", "description": None},
            {"context": "canary / gate", "state": "success", "description": None},
        ]
        desk.server.tell("GET", RUNS, FORBIDDEN)
        desk.server.tell("GET", STATUSES, there)
        desk.server.tell("POST", STATUS, Say(201, {}))
        desk.repository().set_checks(SHA, [PLAN, GATE])
        (body,) = desk.bodies("POST", STATUS)
        assert body == {"state": "pending", "context": "canary / gate", "description": "Baking"}

    @pytest.mark.parametrize(
        ("conclusion", "state"),
        [
            (None, "pending"),
            ("success", "success"),
            ("neutral", "success"),
            ("failure", "failure"),
            ("action_required", "failure"),
            ("cancelled", "error"),
        ],
    )
    @pytest.mark.parametrize("length", [LONGEST_DESCRIPTION, LONGEST_DESCRIPTION + 1])
    def test_as_a_status(
        self, desk: Desk, conclusion: CheckConclusion | None, state: str, length: int
    ) -> None:
        desk.server.tell("GET", RUNS, FORBIDDEN)
        desk.server.tell("GET", STATUSES, [])
        desk.server.tell("POST", STATUS, Say(201, {}))
        desk.repository().set_checks(SHA, [Check("canary / plan", conclusion, "é" * length, "")])
        (body,) = desk.bodies("POST", STATUS)
        assert body["state"] == state
        assert len(body["description"]) == LONGEST_DESCRIPTION
        assert body["description"].endswith("…") is (length > LONGEST_DESCRIPTION)

    def test_an_outage_is_no_refusal(self, desk: Desk) -> None:
        desk.server.tell("GET", RUNS, Say(502, {}))
        forge = desk.forge()
        with pytest.raises(OutsideFailure):
            desk.repository(forge).set_checks(SHA, [PLAN])
        assert forge.caveats == set()
        assert desk.server.asked_for("GET", STATUSES) == []

    def test_in_the_sandbox(self, stage: Stage) -> None:
        number = stage.pull()
        head = stage.world.pull(SHOP, number).head_sha
        token = stage.world.workflow_token(SHOP, {"contents": "write", "statuses": "write"})
        forge = TokenForge(token, SHOP, base_url=stage.server.base_url, clock=stage.world.clock)
        for _ in range(2):
            forge.repository(0, SHOP).set_checks(head, [PLAN, GATE])
        found = {s.context: (s.state, s.description) for s in stage.world.all_statuses(SHOP, head)}
        assert found == {
            "canary / plan": ("success", PLAN.title),
            "canary / gate": ("pending", GATE.title),
        }
        assert len(stage.world.all_statuses(SHOP, head)) == 2


class TestIntroduction:
    """Whose token it is follows from GitHub's answer to the first write; a stranger's sends no other."""

    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            pytest.param(REACTIONS, {"user": ACTIONS}, id="a reaction"),
            pytest.param(f"{R}/issues/1/comments", {"id": 9, "user": ACTIONS}, id="a comment"),
            pytest.param(f"{R}/check-runs", {"id": 9, "app": {"slug": WORKFLOWS}}, id="a check run"),
        ],
    )
    def test_a_stranger(self, desk: Desk, path: str, answer: Any) -> None:
        desk.server.tell("POST", path, Say(201, answer))
        forge = desk.forge(slug="canary-bot")
        client = desk.repository(forge)._client
        client.send("POST", path, body={})
        assert "belongs to the App github-actions and not to canary-bot" in forge.stranger
        desk.heard.clear()
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(Refused, match="app-slug"):
                desk.repository(forge)._client.send(method, path, body={})
        assert desk.heard == []

    def test_reads_go_on(self, desk: Desk) -> None:
        desk.server.tell("POST", REACTIONS, Say(201, {"user": ACTIONS}))
        desk.server.tell("GET", f"{R}/git/ref/heads/main", {"object": {"sha": SHA, "type": "commit"}})
        forge = desk.forge(slug="canary-bot")
        desk.repository(forge).react(COMMENT, Reaction.SEEN)
        assert desk.repository(forge).tip("main") == SHA
        with pytest.raises(Refused):
            desk.repository(forge).reply(1, "Done.")

    @pytest.mark.parametrize(
        "answer",
        [
            {"user": {"id": 9001, "login": "canary-bot[bot]", "type": "Bot"}},
            {"user": MONA},
            {"user": None, "app": None},
            {"user": {"login": 5, "type": "Bot"}},
            {"app": {"slug": None}},
            {"app": "canary-bot"},
            [],
            None,
            "text",
        ],
    )
    def test_no_stranger(self, answer: Any) -> None:
        introduction = Introduction("canary-bot")
        introduction.hear(answer)
        assert introduction.stranger == ""

    @given(ANSWERS)
    def test_any_answer(self, answer: Any) -> None:
        introduction = Introduction("canary-bot")
        introduction.hear(answer)
        assert introduction.stranger.isascii()
        assert "\n" not in introduction.stranger


class TestBySlug:
    """Ours is by account and App, never by text."""

    who = BySlug("canary-bot")

    @pytest.mark.parametrize(
        ("user", "ours"),
        [
            pytest.param(OURS, True, id="ours"),
            pytest.param(OURS | {"type": "User"}, False, id="no bot"),
            pytest.param(OURS | {"login": "canary-bot"}, False, id="a person of that name"),
            pytest.param(OURS | {"login": "xcanary-bot[bot]"}, False, id="another bot"),
            pytest.param(OURS | {"login": "Canary-Bot[bot]"}, False, id="other letters"),
            pytest.param(ACTIONS, False, id="a workflow"),
            pytest.param(None, False, id="nobody"),
        ],
    )
    def test_accounts(self, user: Any, ours: bool) -> None:  # noqa: FBT001 - pytest's
        assert self.who.is_ours(user) is ours

    @pytest.mark.parametrize(
        ("app", "ours"),
        [({"slug": "canary-bot"}, True), ({"slug": "other"}, False), ({}, True), (None, True)],
    )
    def test_comments(self, app: Any, ours: bool) -> None:  # noqa: FBT001 - pytest's
        told = {"user": OURS, "performed_via_github_app": app or None}
        assert self.who.comment_is_ours(told) is ours
        assert not self.who.comment_is_ours(told | {"user": MONA})

    @pytest.mark.parametrize(
        ("signed_only", "verified", "ours"),
        [
            (False, False, True),
            (False, True, True),
            (True, True, True),
            (True, False, False),
            (True, None, False),
        ],
    )
    def test_commits(self, signed_only: bool, verified: bool | None, ours: bool) -> None:  # noqa: FBT001
        verification = None if verified is None else {"verified": verified}
        told = {"author": OURS, "commit": {"verification": verification}}
        who = BySlug("canary-bot", signed_only=signed_only)
        assert who.commit_is_ours(told) is ours
        for nobody in (None, {}, MONA):
            assert not who.commit_is_ours(told | {"author": nobody})

    def test_nothing_is_asked(self) -> None:
        assert self.who.of_runs == {}
        assert self.who.is_app({"slug": "canary-bot"})
        assert not self.who.is_app({"slug": "other"})
        assert not self.who.is_app(None)
