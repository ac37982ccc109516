"""What workflows that use the Action lack: each finding there, and gone when the remedy was done."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.core.doctor import tree as trees
from bot.core.doctor.catalogue import TREE
from tests.core.test_doctor_tree import EVIL, shown, tree

EXAMPLES = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "examples"
WORKFLOW = """\
name: canary
on:
  issue_comment: {types: [created]}
  schedule: [{cron: "*/10 * * * *"}]
permissions: {}
jobs:
  canary:
    runs-on: ubuntu-latest
    permissions: {contents: write, pull-requests: write, checks: write}
    concurrency: {group: canary, cancel-in-progress: false}
    steps:
      - uses: acme/canary-bot@0123456789012345678901234567890123456789 # v1
"""
FLOW = ".github/workflows/canary.yml"


def workflow(old: str = "", new: str = "") -> dict[str, str]:
    assert old in WORKFLOW
    return {FLOW: WORKFLOW.replace(old, new)}


# The code and its place, or nothing when all is well.
CASES = [
    pytest.param(tree(workflow()), "", id="a workflow that lacks nothing"),
    pytest.param(
        tree({FLOW: "on: push\njobs: {a: {steps: [{uses: actions/checkout@v4}]}}\n"}), "", id="no Action"
    ),
    pytest.param(
        tree(workflow("0123456789012345678901234567890123456789 #", "v1 #")),
        f"action-unpinned {FLOW}:12:9",
        id="a tag",
    ),
    pytest.param(
        tree(workflow("contents: write, ", "contents: read, ")),
        f"action-permissions-missing {FLOW}:12:9",
        id="no right to write contents",
    ),
    pytest.param(
        tree(workflow("checks: write", "statuses: write")), "", id="statuses do where there are no checks"
    ),
    pytest.param(
        tree(
            workflow(
                "    permissions: {contents: write, pull-requests: write, checks: write}\n",
                "",
            )
        ),
        f"action-permissions-missing {FLOW}:11:9",
        id="the workflow's empty permissions",
    ),
    pytest.param(
        tree(
            {
                FLOW: workflow(": {}\n", ": read-all\n")[FLOW].replace(
                    "    permissions: {contents", "    x: {contents"
                )
            }
        ),
        f"action-permissions-missing {FLOW}:12:9",
        id="reading is not enough",
    ),
    pytest.param(
        tree(
            {
                FLOW: WORKFLOW.replace(": write", ": read")
                + "        with: {token: '${{ steps.app.outputs.token }}'}\n"
            }
        ),
        "",
        id="an App's token needs none of the job's",
    ),
    pytest.param(
        tree(
            {FLOW: WORKFLOW.replace(": write", ": read") + "        with: {token: '${{ github.token }}'}\n"}
        ),
        f"action-permissions-missing {FLOW}:12:9",
        id="the job's token, named",
    ),
    pytest.param(
        tree(workflow("checks: write", "checks: write, packages: write")),
        f"action-permissions-wide {FLOW}:12:9",
        id="a right to write packages",
    ),
    pytest.param(
        tree(workflow("{contents: write, pull-requests: write, checks: write}", "write-all")),
        f"action-permissions-wide {FLOW}:12:9",
        id="every right",
    ),
    pytest.param(
        tree(workflow("{types: [created]}", "{types: [created, edited]}")),
        f"action-trigger-edited {FLOW}:2:1",
        id="edited comments",
    ),
    pytest.param(
        tree(workflow("{types: [created]}", "")),
        f"action-trigger-edited {FLOW}:2:1",
        id="comments of all types",
    ),
    pytest.param(
        tree(workflow("    concurrency: {group: canary, cancel-in-progress: false}\n", "")),
        f"action-concurrency-missing {FLOW}:11:9",
        id="no concurrency",
    ),
    pytest.param(
        tree(workflow("cancel-in-progress: false", "cancel-in-progress: true")),
        f"action-cancels {FLOW}:12:9",
        id="cancelling",
    ),
    pytest.param(
        tree(workflow("false}", "'${{ github.ref != 1 }}'}")),
        f"action-cancels {FLOW}:12:9",
        id="cancelling sometimes",
    ),
    pytest.param(
        tree(workflow('  schedule: [{cron: "*/10 * * * *"}]\n', "")),
        f"action-no-schedule {FLOW}:2:1",
        id="nobody goes on with bakes",
    ),
    pytest.param(
        tree(
            {
                FLOW: workflow('  schedule: [{cron: "*/10 * * * *"}]\n', "")[FLOW],
                ".github/workflows/bakes.yml": workflow("  issue_comment: {types: [created]}\n", "")[FLOW],
            }
        ),
        "",
        id="another workflow goes on with bakes",
    ),
    pytest.param(
        tree(
            {
                FLOW: WORKFLOW,
                ".github/workflows/check.yml": "on: pull_request\npermissions: {contents: read}\n"
                "jobs:\n  a:\n    steps:\n"
                f"      - uses: acme/canary-bot@{'0' * 40}\n",
            }
        ),
        "",
        id="a check that only reads needs no more",
    ),
]


@pytest.mark.parametrize(("given", "found"), CASES)
def test_table(given: trees.Tree, found: str) -> None:
    assert shown(trees.judge(given)) == ([found] if found else [])


def test_every_kind_has_its_example() -> None:
    codes = {str(case.values[1]).partition(" ")[0] for case in CASES}

    assert codes >= {kind for kind in TREE if kind.startswith("action-")}


def test_our_own_examples_lack_nothing() -> None:
    texts = {f".github/workflows/{path.name}": path.read_text("utf-8") for path in EXAMPLES.glob("*.yml")}

    assert len(texts) > 1
    assert trees.judge(tree(texts)) == ()
    for path, text in texts.items():
        assert "action-unpinned" in [
            f.code for f in trees.judge(tree({path: text.replace("@" + "0" * 40, "@v1")}))
        ]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(workflow("@0123456789012345678901234567890123456789", "@`@mona\u202e"), id="a tag"),
        pytest.param(workflow("[created]", f"[created, '{EVIL}']"), id="an event"),
        pytest.param(workflow("checks: write", f"checks: write, '{EVIL}': write"), id="a permission"),
        pytest.param(workflow("progress: false", f"progress: '{EVIL}'"), id="an expression"),
    ],
)
def test_foreign_text_stands_in_code_only(given: dict[str, str]) -> None:
    (finding,) = trees.judge(tree(given))
    inline = MarkdownIt().parseInline(f"{finding.message} {finding.shown_where}")[0].children or []

    assert any("@mona" in token.content for token in inline if token.type == "code_inline")
    assert not any("@mona" in token.content for token in inline if token.type != "code_inline")
    assert "\u202e" not in finding.message
