"""How requests are sent: what is repeated, what is not, and what an answer becomes."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from bot.core.problems import OutsideFailure
from bot.ports import File, Missing, Moved, Reaction, Refused
from tests.adapters.scripted import APP_ID, PEM, TOKENS, Say

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.adapters.github.writing import GitHubRepository
    from tests.adapters.conftest import Talk

REPO = "/repos/acme/shop"
TIP = f"{REPO}/git/ref/heads/main"
SHA = "a" * 40
FOUND = {"ref": "refs/heads/main", "object": {"sha": SHA}}

WRITES: list[Any] = [
    pytest.param("POST", "/issues/1/comments", lambda r: r.reply(1, "x"), id="comment"),
    pytest.param("PATCH", "/issues/comments/5", lambda r: r.edit_reply(5, "x"), id="edit a comment"),
    pytest.param("PATCH", "/pulls/1", lambda r: r.close_pull(1), id="close"),
    pytest.param("PUT", "/pulls/1/merge", lambda r: r.merge(1, sha=SHA, title="t", message="m"), id="merge"),
    pytest.param(
        "PUT",
        "/contents/a.yaml",
        lambda r: r.commit_file("b", File("a.yaml", b"", SHA), b"x", "m"),
        id="commit a file",
    ),
    pytest.param("POST", "/git/refs", lambda r: r.create_branch("b", SHA), id="create a branch"),
    pytest.param("DELETE", "/git/refs/heads/b", lambda r: r.delete_branch("b"), id="delete a branch"),
    pytest.param(
        "POST", "/pulls", lambda r: r.open_pull(head="b", base="main", title="t", body=""), id="open a pull"
    ),
]


class TestReadsAreRepeated:
    """A read is tried three times when GitHub stumbles."""

    def test_until_it_succeeds(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, Say(502), Say(fault="reset"), FOUND)

        assert talk.repository().tip("main") == SHA
        assert [status for _, path, status in talk.heard if path == TIP] == [502, 0, 200]
        assert len(talk.slept) == 2
        assert sum(talk.slept) < 1.5

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_and_no_more(self, talk: Talk, status: int) -> None:
        talk.server.tell("GET", TIP, Say(status, b"<html>Unicorn!</html>"))

        with pytest.raises(OutsideFailure, match=str(status)):
            talk.repository().tip("main")
        assert talk.server.lines == [f"GET {TIP}"] * 3

    def test_not_when_github_names_a_time(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, Say(503, headers={"Retry-After": "120"}))

        with pytest.raises(OutsideFailure) as caught:
            talk.repository().tip("main")
        assert caught.value.retry_after == 120
        assert talk.server.lines == [f"GET {TIP}"]

    def test_not_when_time_ran_out(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, Say(fault="silence"))

        with pytest.raises(OutsideFailure, match="in time"):
            talk.forge(timeout=1).repository(7, "acme/shop").tip("main")
        assert talk.server.lines == [f"GET {TIP}"]
        assert talk.slept == []


class TestWritesAreSentOnce:
    """An answer that was lost says nothing about what was done."""

    @pytest.mark.parametrize(("method", "path", "write"), WRITES)
    @pytest.mark.parametrize("fault", [Say(502), Say(500), Say(503), Say(fault="reset")], ids=repr)
    def test_whatever_comes_back(
        self, talk: Talk, method: str, path: str, write: Callable[[GitHubRepository], object], fault: Say
    ) -> None:
        talk.server.tell(method, REPO + path, fault)

        with pytest.raises(OutsideFailure):
            write(talk.repository())
        assert talk.server.lines == [f"{method} {REPO}{path}"]
        assert talk.slept == []

    def test_also_when_a_token_was_refused(self, talk: Talk) -> None:
        talk.server.tell("POST", f"{REPO}/issues/1/comments", Say(401, {"message": "Bad credentials"}))
        repository = talk.repository()

        with pytest.raises(OutsideFailure, match="credentials"):
            repository.reply(1, "x")
        assert len(talk.server.lines) == 1

        with pytest.raises(OutsideFailure):
            repository.reply(1, "x")
        tokens = [a.token for a in talk.server.asked_for("POST", f"{REPO}/issues/1/comments")]
        assert tokens == [f"ghs_{APP_ID}_token1", f"ghs_{APP_ID}_token2"]

    def test_no_pause_between_requests(self, talk: Talk) -> None:
        talk.server.tell("PATCH", f"{REPO}/pulls/1", {})
        repository = talk.repository()
        for _ in range(20):  # PyGithub's own pauses would make this 20 s
            repository.close_pull(1)
        assert len(talk.server.lines) == 20


SLOW = {"message": "Slow down"}
PRIMARY = {"message": "API rate limit exceeded for installation ID 7."}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
SPENT = {"X-RateLimit-Remaining": "0"}
IN_FIVE_MINUTES = {"X-RateLimit-Reset": "1793621100"}
LIMITS = [
    pytest.param(Say(429, SLOW), 60, id="429 without a time"),
    pytest.param(Say(429, SLOW, {"Retry-After": "7"}), 7, id="429 with a time"),
    pytest.param(Say(403, {}, {"Retry-After": "30"}), 30, id="403 with a time"),
    pytest.param(Say(429, SLOW, {"Retry-After": "999999"}), 3900, id="a time beyond reason"),
    pytest.param(Say(403, PRIMARY, SPENT | IN_FIVE_MINUTES), 301, id="primary limit, until its reset"),
    pytest.param(Say(403, SECONDARY), 60, id="secondary limit"),
    pytest.param(Say(403, {}, SPENT | {"X-RateLimit-Reset": "1"}), 1, id="a reset that is over"),
]


class TestLimits:
    """A limit is never waited for; the caller is told how long it lasts."""

    @pytest.mark.parametrize(("say", "wait"), LIMITS)
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_is_an_outside_failure(self, talk: Talk, method: str, say: Say, wait: float) -> None:
        repository = talk.repository()
        path = TIP if method == "GET" else f"{REPO}/issues/1/comments"
        talk.server.tell(method, path, say)

        with pytest.raises(OutsideFailure) as caught:
            repository.tip("main") if method == "GET" else repository.reply(1, "x")
        assert caught.value.retry_after == wait
        assert len(talk.server.lines) == 1
        assert talk.slept == []

    def test_other_403_is_a_refusal(self, talk: Talk) -> None:
        said = {"message": "Resource not accessible by integration"}
        headers = {"X-RateLimit-Remaining": "4999", **IN_FIVE_MINUTES}
        talk.server.tell("POST", f"{REPO}/issues/1/comments", Say(403, said, headers))

        with pytest.raises(Refused, match="not accessible"):
            talk.repository().reply(1, "x")


class TestOtherAnswers:
    """Whatever comes back is an answer of the port or an outside failure."""

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(400, Refused), (404, Missing), (409, Moved), (410, Missing), (422, Refused), (451, Refused)],
    )
    def test_of_a_write(self, talk: Talk, status: int, expected: type[Exception]) -> None:
        talk.server.tell("POST", f"{REPO}/issues/1/comments", Say(status, {"message": "no"}))
        with pytest.raises(expected):
            talk.repository().reply(1, "x")

    @pytest.mark.parametrize(
        "say",
        [
            pytest.param(Say(200, b"<html>"), id="a page"),
            pytest.param(Say(200, b"[" * 20_000), id="nesting"),
            pytest.param(Say(200, b"9" * 5_000), id="digits"),
            pytest.param(Say(200, b"\xff\xfe"), id="no text"),
            pytest.param(Say(200, b""), id="nothing"),
            pytest.param(Say(200, []), id="a list"),
            pytest.param(Say(200, {"object": None}), id="another shape"),
            pytest.param(Say(304), id="not modified"),
            pytest.param(Say(302, headers={"Location": "http://203.0.113.1/"}), id="a detour"),
            pytest.param(Say(301, headers={"Location": "http://203.0.113.1/x"}), id="another host"),
            pytest.param(Say(301, headers={"Location": "https://127.0.0.1/x"}), id="another scheme"),
        ],
    )
    def test_of_a_read(self, talk: Talk, say: Say) -> None:
        talk.server.tell("GET", TIP, say)
        with pytest.raises(OutsideFailure):
            talk.repository().tip("main")
        assert talk.server.lines == [f"GET {TIP}"]

    def test_a_renamed_repository_is_followed(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, Say(301, headers={"Location": f"{talk.server.url}/repositories/9/ref"}))
        talk.server.tell("GET", "/repositories/9/ref", FOUND)
        assert talk.repository().tip("main") == SHA

    def test_reactions_and_labels_never_fail(self, talk: Talk) -> None:
        path = f"{REPO}/issues/1/comments"
        user = {"id": 1, "login": "mona", "type": "User"}
        when = "2026-11-02T12:00:00Z"
        said = {"id": 5, "body": "x", "user": user, "created_at": when, "updated_at": when, "html_url": ""}
        talk.server.tell("POST", path, Say(201, said))
        talk.server.tell(
            "POST", f"{REPO}/issues/comments/5/reactions", Say(502), Say(fault="reset"), Say(422)
        )
        repository = talk.repository()
        comment = repository.reply(1, "x")
        for _ in range(3):
            repository.react(comment, Reaction.SEEN)
        repository.add_labels(1, ["canary"])
        repository.add_labels(1, [])
        assert len(talk.server.lines) == 1 + 3 + 1


class TestPages:
    """A list is read to its end, and only its own pages are."""

    def test_follows_the_number_and_nothing_else(self, talk: Talk) -> None:
        path = f"{REPO}/pulls"
        away = '<http://203.0.113.1/steal?page={n}>; rel="next", <http://203.0.113.1/?page=9>; rel="last"'
        talk.server.tell(
            "GET",
            path,
            Say(200, [], {"Link": away.format(n=2)}),
            Say(200, [], {"Link": away.format(n=3)}),
            Say(200, [], {"Link": '<http://203.0.113.1/?page=2>; rel="prev"'}),
        )
        assert talk.repository().open_pulls() == ()
        pages = [(a.query.get("page", "1"), a.query["per_page"]) for a in talk.server.asked_for("GET", path)]
        assert pages == [("1", "100"), ("2", "100"), ("3", "100")]

    def test_never_turns_in_a_circle(self, talk: Talk) -> None:
        path = f"{REPO}/pulls"
        talk.server.tell("GET", path, Say(200, [], {"Link": f'<{talk.server.url}/?page=2>; rel="next"'}))
        assert talk.repository().open_pulls() == ()
        assert len(talk.server.lines) == 2


class TestTokens:
    """One token for each repository, narrowed to it, made once and renewed in time."""

    def test_is_asked_for_by_the_app(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, FOUND)
        talk.repository().tip("main")

        asked = talk.server.asked_for("POST", TOKENS)[0]
        assert asked.body == {
            "repositories": ["shop"],
            "permissions": {
                "contents": "write",
                "pull_requests": "write",
                "checks": "write",
                "metadata": "read",
            },
        }
        now = int(talk.clock.now().timestamp())
        assert talk.server.claims() == {"iss": str(APP_ID), "iat": now - 60, "exp": now + 540}
        assert talk.server.asked_for("GET", TIP)[0].token == f"ghs_{APP_ID}_token1"

    def test_serves_until_five_minutes_before_its_end(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, FOUND)
        forge = talk.forge()
        for minutes in (0, 54, 2):
            talk.clock.advance(minutes=minutes)
            forge.repository(7, "acme/shop").tip("main")
        tokens = [a.token[-1] for a in talk.server.asked_for("GET", TIP)]
        assert tokens == ["1", "1", "2"]

    def test_many_threads_ask_once(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, FOUND)
        forge = talk.forge()
        start = threading.Barrier(8)
        tips: list[str | None] = []

        def read() -> None:
            repository = forge.repository(7, "Acme/Shop" if len(tips) % 2 else "acme/shop")
            start.wait(60)
            tips.append(repository.tip("main"))

        talk.server.tell("GET", TIP.replace("acme/shop", "Acme/Shop"), FOUND)
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert tips == [SHA] * 8
        assert len(talk.server.asked_for("POST", TOKENS)) == 1

    def test_a_read_gets_a_new_one_once(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, Say(401, {"message": "Bad credentials"}), FOUND)
        assert talk.repository().tip("main") == SHA
        assert [a.token[-1] for a in talk.server.asked_for("GET", TIP)] == ["1", "2"]

    def test_and_only_once(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, Say(401, {"message": "Bad credentials"}))
        with pytest.raises(OutsideFailure, match="credentials"):
            talk.repository().tip("main")
        assert len(talk.server.lines) == 2

    @pytest.mark.parametrize(
        ("status", "expected"), [(403, Refused), (404, Missing), (422, Refused), (502, OutsideFailure)]
    )
    def test_that_is_not_given_is_no_answer_about_the_branch(
        self, talk: Talk, status: int, expected: type[Exception]
    ) -> None:
        talk.server.tell("POST", TOKENS, Say(status, {"message": "no"}))
        with pytest.raises(expected):
            talk.repository().tip("main")
        assert talk.server.lines == []

    def test_the_clock_is_set_by_githubs(self, talk: Talk) -> None:
        date = {"Date": "Mon, 02 Nov 2026 12:20:00 GMT"}
        talk.server.tell("GET", TIP, FOUND)
        ends = "2026-11-02T13:20:00Z"
        talk.server.tell(
            "POST", TOKENS, Say(401, {}, date), Say(201, {"token": "ghs_x_y", "expires_at": ends})
        )

        assert talk.repository().tip("main") == SHA
        assert talk.server.claims(1)["iat"] - talk.server.claims(0)["iat"] == 20 * 60

    @pytest.mark.parametrize("date", ["Mon, 02 Nov 2026 12:00:10 GMT", "noon", None])
    def test_a_clock_that_is_right_is_left_alone(self, talk: Talk, date: str | None) -> None:
        talk.server.tell("POST", TOKENS, Say(401, {}, {"Date": date} if date else {}))
        with pytest.raises(OutsideFailure, match="credentials"):
            talk.repository().tip("main")
        assert len(talk.server.asked_for("POST", TOKENS)) == 1

    @pytest.mark.parametrize(
        "say",
        [
            Say(201, {}),
            Say(201, []),
            Say(201, {"token": "", "expires_at": "2026-11-02T13:00:00Z"}),
            Say(201, {"token": "ghs_x", "expires_at": "soon"}),
            Say(200, {"token": "ghs_x", "expires_at": "2026-11-02T13:00:00Z"}),
        ],
        ids=repr,
    )
    def test_of_another_shape(self, talk: Talk, say: Say) -> None:
        talk.server.tell("POST", TOKENS, say)
        with pytest.raises(OutsideFailure, match="no installation token"):
            talk.repository().tip("main")

    def test_that_is_over_is_forgotten(self, talk: Talk) -> None:
        talk.server.tell("GET", TIP, FOUND)
        forge = talk.forge()
        forge.repository(7, "acme/shop").tip("main")
        talk.clock.advance(hours=1)
        forge.repository(7, "acme/other").tip("main")
        assert list(forge._tokens._tokens) == [(7, "other")]
        assert list(forge._tokens._locks) == [(7, "other")]


class TestSecretsStayIn:
    """No token, key or JWT is in an exception, a traceback or a log."""

    def test_whatever_github_says(self, talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
        leak = f"ghs_{APP_ID}_token1 eyJhbGciOi.eyJpc3Mi.c2ln ghp_abcdef github_pat_11A_b {PEM}"
        path = f"{REPO}/issues/1/comments"
        talk.server.tell("POST", path, Say(422, {"message": leak}), Say(409, {"message": leak}))
        talk.server.tell("GET", TIP, Say(fault="reset"))
        repository = talk.repository()
        shown: list[str] = []
        with caplog.at_level(logging.DEBUG):
            for _ in range(2):
                with pytest.raises((Refused, Moved)) as caught:
                    repository.reply(1, "x")
                shown.extend(traceback.format_exception(caught.value))
            with pytest.raises(OutsideFailure) as lost:
                repository.tip("main")
            shown.extend(traceback.format_exception(lost.value))
        text = "".join(shown) + caplog.text
        for secret in ("token1", "eyJ", "ghp_", "github_pat", "BEGIN", PEM[100:120]):
            assert secret not in text
        assert "[secret]" in text

    def test_a_bad_key_is_not_repeated(self, talk: Talk) -> None:
        from bot.adapters.github import GitHubForge

        bad = PEM.replace("A", "B")
        with pytest.raises(ValueError, match="not an RSA key") as caught:
            GitHubForge(1, bad, talk.server.url, clock=talk.clock)
        shown = "".join(traceback.format_exception(caught.value))
        assert bad[100:120] not in shown
