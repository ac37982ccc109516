"""``canary comment`` on real working trees."""

from __future__ import annotations

import re
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from tests.entry.working import AT_25, CUSTOMER, NEXT, STARTED, Working

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt

CAREFUL = """\
id: careful
summary: Two steps for the customers.
why: One look at a quarter of them tells enough.
steps:
  - {weight: 25, bake: %s}
  - {weight: 60, bake: 1h}
  - {weight: 100}
"""
KEYS = ["decision", "code", "service", "rollout", "step", "reply", "diff", "files"]
SECOND = CUSTOMER.replace("customer", "checkout").replace("# Storefront", "# Another")


class TestReply:
    """The diff and the reply on standard output, exit 0."""

    def test_the_working_tree_brings_a_new_revision(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/canary 25", folder=working.folder)

        assert ran.status == 0
        assert ran.out.startswith(
            "Would commit: `customer-v4` gets **25 %** of `customer`, `customer-v3` keeps"
        )
        assert "-    percent: 100\n+    percent: 75\n" in ran.out
        assert ran.out.count("--- a/customer.yaml") == 1
        assert "<!--" not in ran.out
        assert "@you" not in ran.out
        assert re.fullmatch(
            r"Compared with main \([0-9a-f]{7}\)\.\nNothing was written; add --write\.\n", ran.err
        )

    def test_nothing_is_written_without_write(self, canary: Prompt, working: Working) -> None:
        before = working.status()
        canary("comment", "/canary 25", folder=working.folder)

        assert (working.folder / "customer.yaml").read_text() == NEXT
        assert working.status() == before

    def test_json_is_one_object(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/canary 25", "--json", folder=working.folder)

        assert list(ran.json) == KEYS
        assert {k: ran.json[k] for k in ("decision", "code", "service", "step", "files")} == {
            "decision": "done",
            "code": "applied",
            "service": "customer",
            "step": "1/3",
            "files": ["customer.yaml"],
        }
        assert re.fullmatch("customer-[0-9a-f]{8}", ran.json["rollout"])
        assert ran.json["diff"].startswith("--- a/customer.yaml\n+++ b/customer.yaml\n@@ ")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            pytest.param("/canary help promote", "/promote [SERVICE] [next|N|full]", id="help"),
            pytest.param("/canary status", "This pull request holds no canary", id="status"),
            pytest.param("/canary plan 25", "| 1 | 25 % | at the merge | 30 min |", id="plan"),
        ],
    )
    def test_questions_are_answered(self, text: str, said: str, canary: Prompt, working: Working) -> None:
        ran = canary("comment", text, folder=working.folder)

        assert ran.status == 0
        assert said in ran.out

    def test_a_terminal_gets_it_rendered(
        self, canary: Prompt, working: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hidden = "    spec:  # \u202e turned round\n"
        working.put("customer.yaml", CUSTOMER.replace("3.4.1", "3.5.0").replace("    spec:\n", hidden))
        monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)

        plain = canary("comment", "/canary 25", "--no-color", folder=working.folder)
        colored = canary("comment", "/canary 25", folder=working.folder)

        assert (plain.status, colored.status) == (0, 0)
        assert "\x1b" not in plain.out
        assert plain.out.startswith("Would commit: `customer-")
        assert "\x1b[32m+    percent: 75" in colored.out
        for ran in (plain, colored):
            assert "\u202e" not in ran.out
            assert "    spec:  # \\u{202e} turned round" in ran.out


class TestWrite:
    """``--write`` edits in place, and touches nothing else."""

    def test_exactly_the_lines_of_the_block(self, canary: Prompt, working: Working) -> None:
        working.put("notes.txt", "mine\n")
        ran = canary("comment", "/canary 25", "--write", folder=working.folder)

        assert ran.status == 0
        assert (working.folder / "customer.yaml").read_text() == AT_25
        assert "Wrote customer.yaml: 4 lines changed.\n" in ran.err
        assert sorted(p.name for p in working.folder.iterdir()) == [".git", "customer.yaml", "notes.txt"]

    def test_line_ends_and_mark_stay(self, canary: Prompt, working: Working) -> None:
        first = b"\xef\xbb\xbf" + NEXT.replace("\n", "\r\n").encode()
        place = working.put("customer.yaml", first)
        ran = canary("comment", "/canary 25", "--write", folder=working.folder)

        assert ran.status == 0
        assert place.read_bytes() == b"\xef\xbb\xbf" + AT_25.replace("\n", "\r\n").encode()

    def test_the_mode_stays(self, canary: Prompt, working: Working) -> None:
        place = working.folder / "customer.yaml"
        place.chmod(0o640)
        canary("comment", "/canary 25", "--write", folder=working.folder)

        assert stat.S_IMODE(place.stat().st_mode) == 0o640

    def test_twice_is_once(self, canary: Prompt, working: Working) -> None:
        canary("comment", "/canary 25", "--write", folder=working.folder)
        ran = canary("comment", "/canary 25", "--write", "--json", folder=working.folder)

        assert ran.status == 0
        assert (ran.json["decision"], ran.json["diff"], ran.json["files"]) == ("already", "", [])
        assert (working.folder / "customer.yaml").read_text() == AT_25

    def test_the_last_share_wins(self, canary: Prompt, working: Working) -> None:
        canary("comment", "/canary 50", "--write", folder=working.folder)
        canary("comment", "/canary 25", "--write", folder=working.folder)

        assert (working.folder / "customer.yaml").read_text() == AT_25

    def test_what_is_declined_is_not_written(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/canary 101", "--write", folder=working.folder)

        assert ran.status == 1
        assert "weight-out-of-range" in ran.out
        assert (working.folder / "customer.yaml").read_text() == NEXT

    def test_from_a_folder_below(self, canary: Prompt, working: Working) -> None:
        working.commit("Move", **{"apps/customer__yaml": CUSTOMER})
        working.put("apps/customer.yaml", NEXT)
        ran = canary("comment", "/canary 25", "customer.yaml", "--write", folder=working.folder / "apps")

        assert ran.status == 0
        assert (working.folder / "apps/customer.yaml").read_text() == AT_25


class TestServices:
    """Nothing is guessed where there are several services."""

    @pytest.fixture
    def both(self, working: Working) -> Working:
        working.commit("Two", two__yaml=f"{CUSTOMER}---\n{SECOND}", customer__yaml=CUSTOMER)
        working.put("two.yaml", f"{NEXT}---\n{SECOND.replace('3.4.1', '3.5.0')}")
        return working

    def test_one_must_be_named(self, canary: Prompt, both: Working) -> None:
        ran = canary("comment", "/canary 25", folder=both.folder)

        assert ran.status == 1
        assert "`which-service`" in ran.out

    def test_service_names_it(self, canary: Prompt, both: Working) -> None:
        ran = canary("comment", "/canary 25", "--service", "customer", "--write", folder=both.folder)

        assert ran.status == 0
        assert (both.folder / "two.yaml").read_text() == f"{AT_25}---\n{SECOND.replace('3.4.1', '3.5.0')}"

    def test_all_of_one_file_are_one_diff(self, canary: Prompt, both: Working) -> None:
        ran = canary("comment", "/canary all 25", "--json", "--write", folder=both.folder)

        assert ran.status == 0
        assert ran.json["diff"].count("--- a/two.yaml") == 1
        assert "```diff" not in ran.json["reply"]
        assert (both.folder / "two.yaml").read_text().count("percent: 75") == 2

    def test_an_unknown_name(self, canary: Prompt, both: Working) -> None:
        ran = canary("comment", "/canary 25", "--service", "nobody", folder=both.folder)

        assert ran.status == 1
        assert "Unknown service `nobody`; known: `customer`, `checkout`." in ran.out


class TestBase:
    """The change is compared with REV, or with the place where the main branch was left."""

    def test_a_committed_change_on_a_branch(self, canary: Prompt, working: Working) -> None:
        working.git("checkout", "-q", "-b", "feature")
        working.commit("Next", customer__yaml=NEXT)
        ran = canary("comment", "/canary 25", folder=working.folder)

        assert ran.status == 0
        assert "Compared with main (" in ran.err

    def test_a_committed_change_with_an_uncommitted_remark(self, canary: Prompt, working: Working) -> None:
        working.git("checkout", "-q", "-b", "feature")
        working.commit("Next", customer__yaml=NEXT)
        working.put("customer.yaml", NEXT.replace("Owners: team-shop", "Owners: mona"))

        assert canary("comment", "/canary 25", folder=working.folder).status == 0

    def test_the_main_branch_went_on_elsewhere(self, canary: Prompt, working: Working) -> None:
        working.git("checkout", "-q", "-b", "feature")
        working.commit("Next", customer__yaml=NEXT)
        working.git("checkout", "-q", "main")
        working.commit("Another", other__yaml=SECOND)
        working.git("checkout", "-q", "feature")

        assert canary("comment", "/canary 25", "--json", folder=working.folder).json["files"] == [
            "customer.yaml"
        ]

    def test_the_remote_s_branch_comes_first(self, canary: Prompt, working: Working) -> None:
        old = working.git("rev-parse", "HEAD").strip()
        working.git("update-ref", "refs/remotes/origin/trunk", old)
        working.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
        working.commit("Next", customer__yaml=NEXT)
        ran = canary("comment", "/canary 25", folder=working.folder)

        assert ran.status == 0
        assert ran.err.startswith(f"Compared with trunk ({old[:7]}).")

    def test_base_names_another(self, canary: Prompt, working: Working) -> None:
        working.commit("Next", customer__yaml=NEXT)
        without = canary("comment", "/canary 25", folder=working.folder)
        named = canary("comment", "/canary 25", "--base", "HEAD~1", folder=working.folder)

        assert (without.status, named.status) == (1, 0)
        assert "name another base with --base REV" in without.err

    def test_staged_changes_count(self, canary: Prompt, working: Working) -> None:
        working.git("add", "customer.yaml")

        assert canary("comment", "/canary 25", folder=working.folder).status == 0

    def test_a_service_that_is_new(self, canary: Prompt, working: Working) -> None:
        working.put("customer.yaml", CUSTOMER)
        working.put("checkout.yaml", SECOND)
        ran = canary("comment", "/canary 25", "--json", folder=working.folder)

        assert (ran.status, ran.json["code"]) == (1, "unknown-stable")

    def test_rules_come_from_the_base(self, canary: Prompt, working: Working) -> None:
        (working.folder / ".github").mkdir()
        working.put("customer.yaml", CUSTOMER)
        working.put(".github/canary.yaml", "version: 1\nrules: fast\n")
        working.commit("Rules")
        working.put(".github/canary.yaml", "version: 1\nrules: standard\n")
        working.put("customer.yaml", NEXT)

        assert "under `fast`" in canary("comment", "/canary plan", folder=working.folder).out

    @pytest.mark.parametrize("path", ["deploy/careful.yaml", ".github/rules/careful.yaml"])
    def test_a_rule_set_by_path_comes_from_the_base_too(
        self, canary: Prompt, working: Working, path: str
    ) -> None:
        (working.folder / path).parent.mkdir(parents=True)
        (working.folder / ".github").mkdir(exist_ok=True)
        working.put("customer.yaml", CUSTOMER)
        working.put(".github/canary.yaml", f"version: 1\nrules: {path}\n")
        working.put(path, CAREFUL % "10m")
        working.commit("Rules")
        working.put(path, CAREFUL % "3h")
        working.put("customer.yaml", NEXT)

        ran = canary("comment", "/canary plan", folder=working.folder)
        assert "under `careful`" in ran.out
        assert "| 2 | 60 % |" in ran.out
        assert "| 10 min |" in ran.out


class TestRunningRollout:
    """What the history of the base tells is enough for the edit of the next step and of the way back."""

    @pytest.fixture
    def rolling(self, working: Working) -> Working:
        working.commit(STARTED, customer__yaml=AT_25)
        return working

    def test_it_follows_the_rules_of_the_commit_that_it_began_with(
        self, canary: Prompt, working: Working
    ) -> None:
        (working.folder / ".github").mkdir()
        working.put("customer.yaml", CUSTOMER)
        working.put(".github/canary.yaml", "version: 1\nrules: fast\n")
        working.commit("Rules")
        sha = working.git("rev-parse", "HEAD").strip()
        started = STARTED.replace("Canary-Rules: standard", "Canary-Rules: fast")
        working.put(".github/canary.yaml", "version: 1\nrules: standard\n")
        working.commit(f"{started}Canary-Config: {sha} {'a' * 40}\n", customer__yaml=AT_25)

        ran = canary("comment", "/promote", folder=working.folder)
        assert "Next: 100 %, after 5 min of bake time" in ran.out

    def test_a_commit_of_rules_that_is_not_here_goes_nowhere(self, canary: Prompt, working: Working) -> None:
        working.commit(f"{STARTED}Canary-Config: {'a' * 40}\n", customer__yaml=AT_25)

        ran = canary("comment", "/promote", "--json", folder=working.folder)
        assert (ran.status, ran.json["code"]) == (1, "config-unreadable")
        assert canary("comment", "/rollback", "--json", folder=working.folder).json["code"] == "proposed"

    def test_promote_shows_the_next_step(self, canary: Prompt, rolling: Working) -> None:
        ran = canary("comment", "/promote", "--json", folder=rolling.folder)

        assert (ran.status, ran.json["code"], ran.json["step"]) == (0, "proposed", "2/3")
        assert "-    percent: 75\n+    percent: 50\n" in ran.json["diff"]
        assert ran.json["rollout"] == "customer-e30fca3c"

    def test_a_step_out_of_turn_is_declined(self, canary: Prompt, rolling: Working) -> None:
        assert "`step-order`" in canary("comment", "/promote full", folder=rolling.folder).out

    def test_to_the_end_and_back(self, canary: Prompt, rolling: Working) -> None:
        for _ in range(2):
            assert canary("comment", "/promote", "--write", folder=rolling.folder).status == 0
        done = (rolling.folder / "customer.yaml").read_text()
        back = canary("comment", "/rollback", "--write", folder=rolling.folder)

        assert "percent: 100" in done
        assert "customer-v3" not in done.partition("traffic:")[2]
        assert back.status == 0
        assert "revisionName: customer-v3\n    percent: 100" in (rolling.folder / "customer.yaml").read_text()

    def test_rollback_keeps_changes_that_are_not_committed(self, canary: Prompt, rolling: Working) -> None:
        rolling.put("customer.yaml", AT_25.replace("team-shop", "mona"))
        ran = canary("comment", "/rollback", "--write", folder=rolling.folder)
        text = (rolling.folder / "customer.yaml").read_text()

        assert ran.status == 0
        assert "Owners: mona" in text
        assert "percent: 100" in text

    def test_status_shows_it(self, canary: Prompt, rolling: Working) -> None:
        ran = canary("comment", "/canary status", folder=rolling.folder)

        assert ran.status == 0
        assert "`customer-v4` has **25 %** on `main`" in ran.out

    def test_nothing_to_roll_back(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/rollback", folder=working.folder)

        assert ran.status == 1
        assert "`nothing-to-roll-back`" in ran.out

    @pytest.mark.parametrize("text", ["/hold", "/resume", "/canary why", "/canary cancel"])
    def test_verbs_of_pull_requests(self, text: str, canary: Prompt, rolling: Working) -> None:
        ran = canary("comment", text, folder=rolling.folder)

        assert ran.status == 1
        assert "`needs-github`" in ran.out
        assert "`canary sandbox`" in ran.out

    def test_cancel_takes_an_unmerged_canary_back(self, canary: Prompt, working: Working) -> None:
        working.git("checkout", "-q", "-b", "feature")
        working.commit("Next", customer__yaml=NEXT)
        working.commit(STARTED, customer__yaml=AT_25)
        ran = canary("comment", "/canary cancel", "--write", folder=working.folder)

        assert ran.status == 0
        assert ran.out.startswith("Would be taken back: `customer.yaml` is byte for byte")
        assert (working.folder / "customer.yaml").read_text() == NEXT


class TestWithoutGit:
    """Files outside of a repository count as they are."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "plain").mkdir()
        (tmp_path / "plain" / "customer.yaml").write_text(CUSTOMER, encoding="utf-8")
        return tmp_path / "plain"

    def test_stable_is_asked_for(self, canary: Prompt, folder: Path) -> None:
        ran = canary("comment", "/canary 25", "customer.yaml", folder=folder)

        assert ran.status == 1
        assert "`/canary 25 stable=REVISION`" in ran.out

    def test_with_stable_it_works(self, canary: Prompt, folder: Path) -> None:
        ran = canary("comment", "/canary 25 stable=customer-v2", "customer.yaml", "--write", folder=folder)
        text = (folder / "customer.yaml").read_text(encoding="utf-8")

        assert ran.status == 0
        assert text == CUSTOMER.replace("percent: 100", "percent: 25") + (
            "  - revisionName: customer-v2\n    percent: 75\n"
        )

    def test_a_file_elsewhere(self, canary: Prompt, folder: Path, tmp_path: Path) -> None:
        ran = canary(
            "comment",
            "/canary 25 stable=customer-v2",
            str(folder / "customer.yaml"),
            "--json",
            folder=tmp_path,
        )

        assert ran.json["files"] == ["plain/customer.yaml"]

    def test_help_needs_nothing(self, canary: Prompt, tmp_path: Path) -> None:
        assert canary("comment", "/canary help", folder=tmp_path).status == 0


class TestTraffic:
    """kn's operations, through the bot's own code."""

    EDITED = CUSTOMER.replace("  - tag: current\n", "  - tag: live\n")

    def test_the_diff_of_a_file_that_brings_a_revision(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/traffic current=70 customer-v4=30", folder=working.folder)

        assert ran.status == 0
        assert ran.out.startswith("Would commit: the traffic of `customer` in this pull request, as asked")
        assert "-    percent: 100\n+    percent: 70\n" in ran.out
        assert ran.out.count("--- a/customer.yaml") == 1
        assert (working.folder / "customer.yaml").read_text() == NEXT

    def test_a_file_as_it_stands_is_edited_too(self, canary: Prompt, working: Working) -> None:
        working.put("customer.yaml", CUSTOMER)
        text = "/untag current\n\n/tag customer-v3=live"
        ran = canary("comment", text, "customer.yaml", "--write", folder=working.folder)

        assert ran.status == 0
        assert ran.out.startswith("Would open a pull request: the traffic of `customer`, as asked for.")
        assert (working.folder / "customer.yaml").read_text() == self.EDITED

    def test_without_git(self, canary: Prompt, tmp_path: Path) -> None:
        (tmp_path / "plain.yaml").write_text(CUSTOMER)
        ran = canary("comment", "/traffic customer-v3=100", "plain.yaml", "--json", folder=tmp_path)

        assert (ran.status, ran.json["code"], ran.json["files"]) == (0, "already", [])

    def test_what_kn_refuses(self, canary: Prompt, working: Working) -> None:
        ran = canary("comment", "/traffic current=70", "--json", "--write", folder=working.folder)

        assert (ran.status, ran.json["code"], ran.json["diff"]) == (1, "kn-refused", "")
        assert "unable to allocate the remaining traffic: 30%" in ran.json["reply"]
        assert (working.folder / "customer.yaml").read_text() == NEXT

    def test_no_file_is_named_and_none_differs(self, canary: Prompt, working: Working) -> None:
        working.put("customer.yaml", CUSTOMER)
        ran = canary("comment", "/traffic current=100", folder=working.folder)

        assert ran.status == 1
        assert "name the file" in ran.err


class TestPlan:
    """``canary plan`` is the plan of a comment, without its words."""

    def test_the_first_step_of_the_rules(self, canary: Prompt, working: Working) -> None:
        before = working.status()
        ran = canary("plan", folder=working.folder)
        assert ran.status == 0
        assert "would give `customer-v4` **5 %** of `customer`; nothing was written" in ran.out
        assert working.status() == before

    def test_as_the_comment_says_it(self, canary: Prompt, working: Working) -> None:
        options = ("--weight", "30", "--stable", "customer-v2", "--json")
        ran = canary("plan", "customer.yaml", *options, folder=working.folder)
        text = "/canary plan 30 stable=customer-v2"
        said = canary("comment", text, "customer.yaml", "--json", folder=working.folder)
        assert (ran.status, ran.json["code"], ran.json["service"]) == (0, "shown", "customer")
        # The calendar has the time in it.
        assert ran.json["reply"].split("Earliest")[0] == said.json["reply"].split("Earliest")[0]

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            pytest.param(["--weight", "101"], "weight-out-of-range", id="weight"),
            pytest.param(["--route", "http[0]"], "which-route", id="a Service has no rules"),
        ],
    )
    def test_declined(self, options: list[str], code: str, canary: Prompt, working: Working) -> None:
        ran = canary("plan", *options, folder=working.folder)
        assert ran.status == 1
        assert f"`{code}`" in ran.out

    @pytest.mark.parametrize("name", ["", "a b", "a\n/canary 25"])
    def test_no_name(self, name: str, canary: Prompt, working: Working) -> None:
        ran = canary("plan", "--stable", name, folder=working.folder)
        assert (ran.status, ran.out) == (2, "")
