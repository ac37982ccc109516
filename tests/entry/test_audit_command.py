"""``canary audit``: the history of a branch, as the table and the objects tell it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.local_git import Git
from bot.core.audit import Evidence
from bot.core.trailers import Edit, Record
from bot.entry import audit_history
from bot.entry.audit_history import splits_of
from bot.manifests.workload import find, may_hold
from tests.entry.working import AT_25, CUSTOMER, NEXT, ROOT, Working, process
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt, Ran

KEY = "customer.yaml#shop/customer"
START = Record(
    service=KEY,
    rollout="customer-e30fca3c",
    step=1,
    weight=25,
    steps=(25, 50, 100),
    stable="customer-v3",
    candidate="customer-v4",
    pull=7,
    rules="standard",
    requested_by="mona",
    comment=12,
)
HALF = replace(START, step=2, weight=50)
FULL = replace(START, step=3, weight=100)
BACK = replace(START, step="rollback", weight=0, requested_by="hubot", comment=30)
AT_50 = AT_25.replace("percent: 75", "percent: 50").replace("percent: 25", "percent: 50")
AT_100 = CUSTOMER.replace("customer-v3", "customer-v4").replace("3.4.1", "3.5.0")
AT_0 = AT_25.replace("percent: 75", "percent: 100").replace("percent: 25", "percent: 0")
PROMOTED = "Bake time is over; nothing holds the rollout.\n\nCanary-Promoted-By: hubot\nCanary-Comment: 21"


def message(
    record: Record | Edit, subject: str = "Shift customer-v4", reason: str = "Asked for by mona."
) -> str:
    return f"{subject}\n\n{reason}\n\n{record.trailers()}\n"


class Shop:
    """A repository whose pull requests are merged in any of GitHub's three ways."""

    def __init__(self, folder: Path) -> None:
        self.working = Working(folder)
        self.working.commit("First", customer__yaml=CUSTOMER)

    def commit(self, message: str, text: str, path: str = "customer.yaml") -> str:
        self.working.put(path, text)
        self.working.git("add", "-A")
        self.working.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.working.git("rev-parse", "HEAD").strip()

    def pull(self, *commits: tuple[str, str]) -> None:
        """Leave a branch ``side`` with these commits (message, text of the manifest), and be on ``main``."""
        self.working.git("checkout", "--quiet", "-B", "side")
        for said, text in commits:
            self.commit(said, text)
        self.working.git("checkout", "--quiet", "main")

    def merge(self, said: str) -> str:
        self.working.git("merge", "--quiet", "--no-ff", "side", "-m", said)
        return self.working.git("rev-parse", "HEAD").strip()

    def audit(self, canary: Prompt, *arguments: str) -> Ran:
        return canary("audit", *arguments, folder=self.working.folder)


def objects(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


class TestMergeMethods:
    """The commit's content decides, however it was merged."""

    def test_merge_commits(self, shop: Shop, canary: Prompt) -> None:
        shop.pull(("New image", NEXT), (message(START), AT_25))
        shop.merge("Merge pull request #7 from shop/v4\n\nNew image")
        shop.pull((message(HALF), AT_50))
        last = shop.merge(f"customer: 25 % → 50 % (#8)\n\n{PROMOTED}")

        ran = shop.audit(canary, "--json")

        first, second = objects(ran)
        assert (ran.status, ran.err) == (0, "")
        assert [(m["evidence"], m["from"], m["to"], m["pull"]) for m in (first, second)] == [
            ("agrees", 0, 25, 7),
            ("agrees", 25, 50, 8),
        ]
        assert (first["asked_by"], first["comment"], first["merged_by"]) == ("mona", 12, "mona")
        assert (second["promoted_by"], second["promoted_comment"], second["step"]) == ("hubot", 21, "2/3")
        assert (first["overrides"], second["overrides"]) == ([], [])
        assert second["commit"] == last
        assert second["recorded_in"] not in {last, None}
        assert second["reason"] == "Asked for by mona."

    def test_a_squash_strings_messages_together(self, shop: Shop, canary: Prompt) -> None:
        said = "\n\n".join(
            f"* {line}" for line in ("New image", message(replace(START, weight=5, steps=(5, 100))))
        )
        shop.commit(f"Customer 3.5 (#7)\n\n{said}\n\n* {message(START)}", AT_25)

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["evidence"], move["claimed"], move["to"], move["pull"]) == ("agrees", 25, 25, 7)

    def test_a_rebase_keeps_both_commits(self, shop: Shop, canary: Prompt) -> None:
        shop.commit("New image", NEXT)
        sha = shop.commit(message(START), AT_25)

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["evidence"], move["commit"], move["recorded_in"]) == ("agrees", sha, sha)
        assert (move["pull"], move["began_on"]) == (None, 7)

    def test_a_squash_that_lost_the_trailers(self, shop: Shop, canary: Prompt) -> None:
        shop.commit(message(START), AT_25)
        shop.commit("customer: 25 % → 50 % (#8)", AT_50)

        ran = shop.audit(canary, "--json")

        move = objects(ran)[1]
        assert ran.status == 0
        assert (move["evidence"], move["from"], move["to"], move["pull"]) == ("by-hand", 25, 50, 8)
        assert "lost the trailers" in move["note"]
        assert "step to 50 %" in move["note"]

    def test_what_the_base_brought_to_a_side_counts_once(self, shop: Shop, canary: Prompt) -> None:
        shop.pull(("Unrelated", CUSTOMER + "# note\n"))
        shop.commit(message(START), AT_25)
        shop.working.git("checkout", "--quiet", "side")
        shop.working.git("merge", "--quiet", "main", "-m", "Update", "-X", "theirs")
        shop.working.git("checkout", "--quiet", "main")
        shop.merge("Merge pull request #9 from shop/note")

        assert [m["evidence"] for m in objects(shop.audit(canary, "--json"))] == ["agrees"]


class TestEvidence:
    """Agreement, a hand, a lie."""

    def test_a_whole_rollout_and_its_end(self, shop: Shop, canary: Prompt) -> None:
        for record, text in ((START, AT_25), (HALF, AT_50), (FULL, AT_100)):
            shop.commit(message(record), text)

        moved = objects(shop.audit(canary, "--json"))

        assert [(m["from"], m["to"], m["step"]) for m in moved] == [
            (0, 25, "1/3"),
            (25, 50, "2/3"),
            (50, 100, "3/3"),
        ]
        assert moved[2]["after"] == {"customer-v4": 100}

    def test_a_rollback(self, shop: Shop, canary: Prompt) -> None:
        shop.commit(message(START), AT_25)
        shop.commit(message(BACK), AT_0)

        move = objects(shop.audit(canary, "--json"))[1]

        assert (move["evidence"], move["step"], move["from"], move["to"]) == ("agrees", "rollback", 25, 0)
        assert move["asked_by"] == "hubot"

    def test_tag_only(self, shop: Shop, canary: Prompt) -> None:
        zero = replace(START, weight=0, steps=(0, 25, 100))
        shop.commit(message(zero), AT_0)

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["evidence"], move["from"], move["to"]) == ("agrees", 0, 0)

    def test_by_hand_author_and_commit_are_named(self, shop: Shop, canary: Prompt) -> None:
        shop.working.environment |= {"GIT_AUTHOR_NAME": "Eve", "GIT_COMMITTER_NAME": "Eve"}
        sha = shop.commit("Fix prod", AT_50)

        ran = shop.audit(canary, "--json")

        (move,) = objects(ran)
        assert ran.status == 0
        assert (move["evidence"], move["author"], move["commit"], move["asked_by"]) == (
            "by-hand",
            "Eve",
            sha,
            None,
        )
        assert (move["before"], move["after"]) == (
            {"customer-v3": 100},
            {"customer-v3": 50, "customer-v4": 50},
        )

    def test_a_hand_within_a_rollout_belongs_to_it(self, shop: Shop, canary: Prompt) -> None:
        shop.commit(message(START), AT_25)
        shop.commit(
            "Fix prod", AT_25.replace("percent: 75", "percent: 40").replace("percent: 25", "percent: 60")
        )

        move = objects(shop.audit(canary, "--json"))[1]

        assert (move["rollout"], move["from"], move["to"], move["step"]) == (START.rollout, 25, 60, None)

    @pytest.mark.parametrize(
        ("record", "text", "why"),
        [
            pytest.param(START, AT_50, "The trailers say 25 %", id="another percent"),
            pytest.param(START, CUSTOMER, "The trailers say 25 %", id="nothing was written"),
            pytest.param(FULL, AT_50, "The trailers say 100 %", id="less than all"),
            pytest.param(BACK, AT_25, "The trailers say 0 %", id="no rollback"),
            pytest.param(
                replace(START, service="customer.yaml#shop/ghost"), AT_25, "not there", id="no such service"
            ),
            pytest.param(
                replace(START, service="gone.yaml#shop/customer"), AT_25, "not there", id="no such file"
            ),
            pytest.param(replace(START, route="http[0]"), AT_25, "not there", id="no such route"),
            pytest.param(
                replace(START, stable="customer-v2"), AT_25, "customer-v3 75 %", id="another stable revision"
            ),
        ],
    )
    def test_trailers_that_lie(self, record: Record, text: str, why: str, shop: Shop, canary: Prompt) -> None:
        sha = shop.commit(message(record), text)

        ran, table = shop.audit(canary, "--json"), shop.audit(canary)

        lie = next(m for m in objects(ran) if m["evidence"] == "contradicts")
        assert (ran.status, table.status) == (1, 1)
        assert why in lie["note"]
        assert "CONTRADICTED" in table.out
        assert f"TRAILERS AND CONTENT DIFFER in {sha[:8]}" in table.out

    def test_a_lie_brought_by_a_merge(self, shop: Shop, canary: Prompt) -> None:
        shop.pull((message(START), AT_50))
        shop.merge("Merge pull request #7 from shop/v4")

        ran = shop.audit(canary, "--json")

        assert (ran.status, objects(ran)[0]["evidence"]) == (1, "contradicts")

    def test_changed_before_the_merge_is_no_lie_of_the_bot(self, shop: Shop, canary: Prompt) -> None:
        shop.pull((message(START), AT_25), ("Rather half", AT_50))
        shop.merge("Merge pull request #7 from shop/v4")

        ran = shop.audit(canary, "--json")

        (move,) = objects(ran)
        assert (ran.status, move["evidence"], move["to"]) == (0, "changed", 50)
        assert move["asked_by"] is None

    def test_taken_back_before_the_merge(self, shop: Shop, canary: Prompt) -> None:
        shop.pull((message(START), AT_25), (message(replace(START, step="cancel", weight=0)), CUSTOMER))
        shop.merge("Merge pull request #7 from shop/v4")

        ran = shop.audit(canary)

        assert (ran.status, ran.out) == (0, "Nothing was moved in 2 commits.\n")

    def test_a_traffic_operation(self, shop: Shop, canary: Prompt) -> None:
        shop.commit(message(Edit(KEY, "hubot", 44), "Set the traffic of customer"), AT_50)

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["evidence"], move["asked_by"], move["comment"]) == ("edit", "hubot", 44)

    def test_a_file_that_was_broken_for_a_while_hides_nothing(self, shop: Shop, canary: Prompt) -> None:
        shop.commit("Oops", CUSTOMER.replace("percent: 100", "percent: ["))
        sha = shop.commit("Repair", AT_50)

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["commit"], move["before"]) == (sha, {"customer-v3": 100})

    def test_a_service_that_was_gone_for_a_while_hides_nothing(self, shop: Shop, canary: Prompt) -> None:
        shop.working.git("rm", "--quiet", "customer.yaml")
        shop.working.git("commit", "--quiet", "-m", "Away")
        sha = shop.commit("Again", AT_50)

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["commit"], move["before"]) == (sha, {"customer-v3": 100})

    def test_a_step_that_cannot_be_read(self, shop: Shop, canary: Prompt) -> None:
        shop.commit(message(START), AT_25.replace("percent: 75", "percent: ["))

        ran = shop.audit(canary, "--json")

        assert (ran.status, objects(ran)[0]["evidence"]) == (0, "unreadable")

    def test_a_file_that_moves_takes_its_service_along(self, shop: Shop, canary: Prompt) -> None:
        shop.working.git("rm", "--quiet", "customer.yaml")
        shop.commit("Folders", AT_50, "apps/customer.yaml")

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["path"], move["before"]) == ("apps/customer.yaml", {"customer-v3": 100})

    def test_the_first_split_moves_nothing(self, shop: Shop, canary: Prompt) -> None:
        shop.commit("Another", CUSTOMER.replace("customer", "basket"), "basket.yaml")
        shop.commit("Comment", CUSTOMER + "# hello\n")
        shop.commit("Tag", CUSTOMER.replace("tag: latest", "tag: newest"))

        ran, as_json = shop.audit(canary), shop.audit(canary, "--json")

        assert (ran.status, ran.out) == (0, "Nothing was moved in 4 commits.\n")
        assert (as_json.status, as_json.out) == (0, "")
        assert "Nothing was moved" in as_json.err

    def test_what_git_replace_shows_does_not_count(self, shop: Shop, canary: Prompt) -> None:
        sha = shop.commit("Fix prod", AT_50)
        shop.commit("Another", CUSTOMER, "other/customer.yaml")
        shop.working.git("replace", sha, f"{sha}~1", "-f")

        assert [m["commit"] for m in objects(shop.audit(canary, "--json"))] == [sha]


ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  http:
  - name: primary
    route:
    - destination: {host: reviews, subset: v1}
      weight: 90
    - destination: {host: reviews, subset: v2}
      weight: 10
  - route:
    - destination: {host: ratings, subset: v1}
      weight: 100
    - destination: {host: ratings, subset: v2}
      weight: 0
"""


class TestRoutes:
    """Every service and every route."""

    def test_rules_are_judged_alone(self, shop: Shop, canary: Prompt) -> None:
        shop.commit("Mesh", ROUTE, "mesh.yaml")
        (mesh,) = find(ROUTE.encode(), "mesh.yaml").workloads
        record = replace(
            START,
            service="mesh.yaml#VirtualService:shop/reviews",
            route=mesh.at("primary").route,
            stable="reviews/v1",
            candidate="reviews/v2",
        )
        text = ROUTE.replace("weight: 90", "weight: 75").replace("weight: 10\n", "weight: 25\n")
        shop.commit(message(record), text, "mesh.yaml")
        by_hand = text.replace("weight: 100", "weight: 60").replace("weight: 0\n", "weight: 40\n")
        shop.commit("By hand", by_hand, "mesh.yaml")

        moved = objects(shop.audit(canary, "mesh.yaml", "--json"))
        assert [(m["route"], m["from"], m["to"], m["evidence"]) for m in moved] == [
            ("primary", 10, 25, "agrees"),
            ("http[1]", None, None, "by-hand"),
        ]
        assert moved[1]["after"] == {"ratings/v1": 60, "ratings/v2": 40}

    def test_a_step_of_a_rule_whose_place_changed(self, shop: Shop, canary: Prompt) -> None:
        unnamed = ROUTE.replace("name: primary\n    route", "route")
        (mesh,) = find(unnamed.encode(), "mesh.yaml").workloads
        record = replace(
            START,
            service="mesh.yaml#VirtualService:shop/reviews",
            route=mesh.at("http[0]").route,
            stable="reviews/v1",
            candidate="reviews/v2",
        )
        new = "  http:\n  - route:\n    - destination: {host: news}\n      weight: 100\n"
        later = unnamed.replace("  http:\n", new)
        shop.commit("Mesh", unnamed, "mesh.yaml")
        shop.commit("One more", later, "mesh.yaml")
        at_25 = later.replace("weight: 90", "weight: 75").replace("weight: 10\n", "weight: 25\n")
        shop.commit(message(record), at_25, "mesh.yaml")

        (move,) = objects(shop.audit(canary, "--json"))

        assert (move["route"], move["from"], move["to"], move["evidence"]) == ("http[1]", 10, 25, "agrees")

    def test_a_rule_that_comes_moves_no_other(self, shop: Shop, canary: Prompt) -> None:
        unnamed = ROUTE.replace("name: primary\n    route", "route")
        shop.commit("Mesh", unnamed, "mesh.yaml")
        new = "  http:\n  - route:\n    - destination: {host: news}\n      weight: 100\n"
        shop.commit("One more", unnamed.replace("  http:\n", new), "mesh.yaml")

        assert shop.audit(canary).out.startswith("Nothing was moved")


class TestAsked:
    """PATH, --service, --since, --rev."""

    @pytest.fixture
    def two(self, shop: Shop) -> Shop:
        basket = {k: v.replace("customer", "basket") for k, v in {"a": CUSTOMER, "b": AT_50}.items()}
        shop.commit("Basket", basket["a"], "apps/basket.yaml")
        shop.commit("Basket by hand", basket["b"], "apps/basket.yaml")
        shop.working.environment |= {
            f"GIT_{who}_DATE": "2026-04-01T12:00:00Z" for who in ("AUTHOR", "COMMITTER")
        }
        shop.commit("Customer by hand", AT_50)
        return shop

    @pytest.mark.parametrize(
        ("arguments", "names"),
        [
            pytest.param([], ["basket", "customer"], id="all"),
            pytest.param(["apps"], ["basket"], id="a folder"),
            pytest.param(["customer.yaml"], ["customer"], id="a file"),
            pytest.param(["."], ["basket", "customer"], id="this folder"),
            pytest.param(["--service", "basket"], ["basket"], id="a name"),
            pytest.param(["--service", "shop/customer"], ["customer"], id="namespace and name"),
            pytest.param(["--service", "apps/basket.yaml#shop/basket"], ["basket"], id="key"),
            pytest.param(["--since", "2026-03-15"], ["customer"], id="a day"),
            pytest.param(["--since", "2026-04-01T14:00:00+02:00"], ["customer"], id="a time with a zone"),
            pytest.param(["--since", "2026-04-02"], [], id="later than all"),
            pytest.param(["--since", "HEAD~1"], ["customer"], id="a revision"),
            pytest.param(["--rev", "HEAD~1"], ["basket"], id="an older branch"),
        ],
    )
    def test_selection(self, arguments: list[str], names: list[str], two: Shop, canary: Prompt) -> None:
        ran = two.audit(canary, *arguments, "--json")

        assert ran.status == 0
        assert sorted(m["service"] for m in objects(ran)) == names

    def test_a_deleted_file_can_be_named(self, two: Shop, canary: Prompt) -> None:
        two.working.git("rm", "--quiet", "apps/basket.yaml")
        two.working.git("commit", "--quiet", "-m", "Away")

        assert [m["service"] for m in objects(two.audit(canary, "apps/basket.yaml", "--json"))] == ["basket"]

    def test_trailers_on_files_outside_the_paths_are_not_judged(self, two: Shop, canary: Prompt) -> None:
        two.commit(message(START), AT_50)

        assert two.audit(canary, "apps").status == 0
        assert two.audit(canary).status == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(["nowhere.yaml"], id="no such path"),
            pytest.param(["../elsewhere"], id="another repository"),
            pytest.param(["--service", "ghost"], id="no such service"),
            pytest.param(["--since", "lately"], id="no date and no revision"),
            pytest.param(["--since", "2026-13-40"], id="no day"),
            pytest.param(["--rev", "ghost"], id="no such branch"),
            pytest.param(["--rev=--output=x"], id="an option for git"),
            pytest.param(["--since=--all"], id="another option for git"),
            pytest.param(["--format", "x"], id="no such option"),
        ],
    )
    def test_used_wrongly(self, arguments: list[str], two: Shop, canary: Prompt) -> None:
        ran = two.audit(canary, *arguments)

        assert (ran.status, ran.out) == (2, "")
        assert ran.err

    def test_no_repository(self, tmp_path: Path, canary: Prompt) -> None:
        ran = canary("audit", folder=tmp_path)

        assert (ran.status, ran.err) == (2, "canary audit: this is no git working tree.\n")

    def test_no_commit(self, tmp_path: Path, canary: Prompt) -> None:
        assert canary("audit", folder=Working(tmp_path / "new").folder).status == 2

    def test_a_shallow_clone_says_so(self, two: Shop, tmp_path: Path, canary: Prompt) -> None:
        two.working.git(
            "clone", "--quiet", "--depth=1", f"file://{two.working.folder}", str(tmp_path / "clone")
        )

        ran = canary("audit", folder=tmp_path / "clone")

        assert ran.status == 0
        assert "shallow" in ran.err

    def test_the_work_tree_is_not_touched(self, two: Shop, canary: Prompt) -> None:
        two.working.put("new.txt", "x")
        before = two.working.status()
        two.audit(canary)

        assert two.working.status() == before


CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "\x1b[31m\x1b]0;owned\x07 \u202e\u2066\x9b31m\r"


class TestTable:
    """A person reads it: 80 columns, no colour in a pipe, nothing of a stranger's that a terminal obeys."""

    def test_of_a_rollout(self, shop: Shop, canary: Prompt) -> None:
        shop.pull(("New image", NEXT), (message(START), AT_25))
        first = shop.merge("Merge pull request #7 from shop/v4")
        second = shop.commit("Fix prod", AT_50)

        out = shop.audit(canary).out

        assert out.splitlines()[:2] == [
            "customer (customer.yaml), rollout customer-e30fca3c",
            "  customer-v3 to customer-v4",
        ]
        assert re.search(rf"2026-03-01 12:00 +0 to 25 % +mona +mona +#7 {first[:8]} agrees", out)
        assert re.search(rf"2026-03-01 12:00 +25 to 50 % +- +mona +- {second[:8]} by hand", out)
        assert "“Asked for by mona.”" in out
        assert out.endswith("2 moves in 3 commits: 1 with trailers that agree, 1 by hand.\n")

    def test_it_fits_into_80_columns_and_has_no_colour(self, shop: Shop) -> None:
        shop.working.environment |= {
            "GIT_COMMITTER_NAME": "A very long name of somebody " * 3,
            "FORCE_COLOR": "1",
            "COLUMNS": "200",
        }
        long = replace(START, requested_by="x" * 39)
        shop.commit(message(long, reason="word " * 50), AT_25)
        shop.commit("Fix prod (#123456)", AT_50)

        done = process(shop.working.folder, "audit", environment=shop.working.environment)

        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert not CONTROL.search(done.stdout)

    def test_hostile_text_stays_text(self, shop: Shop) -> None:
        shop.working.environment |= {
            f"GIT_{who}_NAME": f"Eve {HOSTILE}[bold]" for who in ("AUTHOR", "COMMITTER")
        }
        path = "a\x1b[2J\u202e[red]b.yaml"
        shop.commit("Evil", CUSTOMER.replace("name: customer\n", "name: basket\n"), path)
        shop.commit(
            f"Evil {HOSTILE}\n\n{HOSTILE}[/bold] why",
            AT_50.replace("name: customer\n", "name: basket\n"),
            path,
        )
        lie = replace(START, service=f"{path}#shop/basket")
        shop.commit(
            f"x\n\n{HOSTILE}\n\n{lie.trailers()}", AT_50.replace("name: customer\n", "name: basket\n"), path
        )

        for arguments in (["audit"], ["audit", "--json"]):
            done = process(shop.working.folder, *arguments, environment=shop.working.environment)
            assert done.returncode == 1
            assert not CONTROL.search(done.stdout + done.stderr)
            assert "Eve" in done.stdout

    def test_a_path_that_is_no_text(self, shop: Shop) -> None:
        name = b"caf\xe9.yaml".decode("utf-8", "surrogateescape")
        shop.commit("One", CUSTOMER, name)
        shop.commit("Two", AT_50, name)

        for arguments in (["audit"], ["audit", "--json"]):
            done = process(shop.working.folder, *arguments, environment=shop.working.environment)
            assert (done.returncode, done.stderr) == (0, "")


class TestReading:
    """What is read once for many commits is what would be read for each."""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(CUSTOMER, id="plain"),
            pytest.param(AT_25, id="two revisions"),
            pytest.param(
                AT_25.replace("revisionName: customer-v4", 'revisionName: "customer-v3"'), id="quoted"
            ),
            pytest.param(AT_25.replace("revisionName: customer-v4", "revisionName: true"), id="no text"),
            pytest.param(
                AT_25.replace("revisionName: customer-v4", "revisionName: customer\n      -v4"), id="folded"
            ),
            pytest.param(
                AT_25.replace("revisionName: customer-v4", "revisionName: zz-audit-0-zz"), id="a stand-in"
            ),
            pytest.param(AT_25.replace("\n", "\r\n"), id="CRLF"),
            pytest.param(AT_25 + "---\n" + CUSTOMER.replace("customer", "other"), id="two documents"),
            pytest.param(
                AT_25.replace("  - tag: candidate", "  # a\u2028  - tag: candidate"),
                id="a comment that ends early",
            ),
            pytest.param(AT_25.replace("  - tag: candidate", "  # a\u0085  - tag: x"), id="and by NEL"),
            pytest.param(AT_25.replace("  - tag: candidate", "  # a\r  - tag: x"), id="and by CR"),
            pytest.param(ROUTE, id="routes"),
            pytest.param(
                ROUTE.replace("{host: ratings, subset: v2}", "{host: ratings, subset: v1}"), id="twins"
            ),
        ],
    )
    def test_like_the_reader(self, text: str, tmp_path: Path) -> None:
        history = audit_history.History(Git(tmp_path))
        expected = splits_of(text.encode())

        assert history._splits(text.encode()) == expected
        assert history._splits(text.encode()) == expected

    def test_over_the_corpus(self, tmp_path: Path) -> None:
        history = audit_history.History(Git(tmp_path))
        seen = 0
        for path in sorted(shared("corpus").glob("*/*.yaml"))[::7]:
            content = path.read_bytes()
            if may_hold(content):
                assert history._splits(content) == splits_of(content)
                seen += 1
        assert seen > 20


class TestHostileHistory:
    """Nothing that somebody may write into a commit stops the audit or hides a move."""

    def test_dates(self, shop: Shop, canary: Prompt) -> None:
        tree = shop.working.git("rev-parse", "HEAD^{tree}").strip()
        parent = shop.commit("By hand", AT_50)
        who = "Eve <e@example.org> 99999999999999999 +9999"
        raw = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nx\n\n{START.trailers()}\n"
        shop.working.put("raw", raw)
        sha = shop.working.git("hash-object", "-t", "commit", "-w", "--literally", "raw").strip()
        shop.working.git("update-ref", "refs/heads/main", sha)

        ran = shop.audit(canary, "--json")

        assert (ran.status, [m["evidence"] for m in objects(ran)]) == (1, ["by-hand", "contradicts"])

    def test_an_empty_commit_with_true_trailers_moves_nothing(self, shop: Shop, canary: Prompt) -> None:
        shop.commit("By hand", AT_50)
        shop.commit(message(HALF), AT_50)

        moved = objects(shop.audit(canary, "--json"))

        assert [(m["evidence"], m["note"]) for m in moved][1:] == [("agrees", "The commit moves nothing.")]
        assert moved[0]["evidence"] == "by-hand"

    def test_a_link_is_no_manifest(self, shop: Shop, canary: Prompt) -> None:
        shop.working.put("other.txt", AT_50)
        (shop.working.folder / "customer.yaml").unlink()
        (shop.working.folder / "customer.yaml").symlink_to("other.txt")
        shop.working.git("add", "-A")
        shop.working.git("commit", "--quiet", "-m", "Link")

        assert shop.audit(canary).status == 0

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            pytest.param("diff.renames", "copies", id="renames"),
            pytest.param("log.showRoot", "false", id="root"),
            pytest.param("log.follow", "true", id="follow"),
            pytest.param("log.diffMerges", "off", id="merges"),
            pytest.param("format.pretty", "oneline", id="pretty"),
            pytest.param("color.ui", "always", id="colour"),
            pytest.param("log.mailmap", "true", id="mailmap"),
            pytest.param("core.quotePath", "true", id="quoting"),
            pytest.param("log.date", "relative", id="dates"),
            pytest.param("diff.noprefix", "true", id="prefix"),
            pytest.param("core.abbrev", "4", id="short names"),
        ],
    )
    def test_somebodys_configuration(self, key: str, value: str, shop: Shop, canary: Prompt) -> None:
        shop.pull((message(START), AT_25))
        shop.merge("Merge pull request #7 from shop/v4")
        expected = shop.audit(canary, "--json").out
        shop.working.git("config", key, value)

        assert shop.audit(canary, "--json").out == expected
        assert len(expected.splitlines()) == 1

    def test_a_step_that_came_another_way_before_is_told_once(self, shop: Shop, canary: Prompt) -> None:
        shop.pull((message(START), AT_25))
        shop.commit(message(START), AT_25)
        shop.commit(message(HALF), AT_50)
        shop.working.git(
            "merge", "--quiet", "--no-ff", "-s", "ours", "side", "-m", "Merge pull request #7 from a/b"
        )

        moved = objects(shop.audit(canary, "--json"))

        assert [(m["evidence"], m["to"]) for m in moved] == [("agrees", 25), ("agrees", 50)]


class TestDocumented:
    """``docs/audit.md`` names every key and every kind of evidence."""

    PAGE = (ROOT / "docs" / "audit.md").read_text("utf-8")

    def test_every_key(self, shop: Shop, canary: Prompt) -> None:
        shop.commit("By hand", AT_50)

        (move,) = objects(shop.audit(canary, "--json"))

        behind = self.PAGE.partition("## `--json`")[2]
        named = [row.split("|")[1] for row in behind.splitlines() if row.startswith("| `")]
        assert re.findall(r"`(\w+)`", " ".join(named)) != []
        assert sorted(re.findall(r"`(\w+)`", " ".join(named))) == sorted(move)

    def test_every_kind_of_evidence(self) -> None:
        rows = re.findall(r"^\| `[^`]+` \| `([a-z-]+)` \|", self.PAGE, re.MULTILINE)

        assert sorted(rows) == sorted(map(str, Evidence))
