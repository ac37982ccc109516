"""What a repository lacks on GitHub: each finding there, and gone when the remedy was done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from bot.core.doctor.catalogue import FORGE
from bot.core.doctor.forge import Asked, Facts, Installed, Registered, Unseen, judge
from bot.core.doctor.protection import Bypass, Required, Reviews, Rules, Seen

PLAN, GATE, APPROVALS = "canary / plan", "canary / gate", "canary / approvals"
APP, OTHER = 7, 8
PERMISSIONS = {"metadata": "read", "contents": "write", "checks": "write"}
EVENTS = ("issue_comment", "pull_request")
ASKED = Asked(PERMISSIONS, EVENTS)

REGISTERED = Registered(APP, "canary-bot", PERMISSIONS, EVENTS)
INSTALLED = Installed(PERMISSIONS, EVENTS, suspended=False)
BASE = Bypass("ruleset `main`", "never", others=False, types=frozenset({"pull_request"}))
STEPS = Bypass("ruleset `steps`", "always", others=False, types=frozenset({"creation", "update"}))
RULES = Rules(
    ours=(PLAN, GATE, APPROVALS),
    app=APP,
    required=tuple(Required(name, APP, "ruleset `main`") for name in (PLAN, GATE, APPROVALS)),
    seen=Seen({name: frozenset({APP}) for name in (PLAN, GATE, APPROVALS)}, commits=3, whole=True),
    reviews=Reviews(1, dismisses_stale=True, last_push=True),
    base_bypass=(BASE,),
    step_bypass=(STEPS,),
)
GOOD = Facts(
    name="acme/shop",
    base="main",
    app=REGISTERED,
    installed=INSTALLED,
    auto_merge=True,
    merge_methods=frozenset({"merge", "squash", "rebase"}),
    rules=RULES,
)


def app(**changes: Any) -> Facts:
    return replace(GOOD, app=replace(REGISTERED, **changes))


def granted(**permissions: str) -> Facts:
    """Give the App, and its installation, more or other permissions; an empty level takes one away."""
    held = {key: level for key, level in (PERMISSIONS | permissions).items() if level}
    return replace(
        GOOD, app=replace(REGISTERED, permissions=held), installed=replace(INSTALLED, permissions=held)
    )


def rules(**changes: Any) -> Facts:
    return replace(GOOD, rules=replace(RULES, **changes))


def required(*more: Required, without: str = "", source: int | None = APP) -> Facts:
    kept = [replace(one, source=source) if source != APP else one for one in RULES.required]
    return rules(required=(*(one for one in kept if one.context != without), *more))


def seen(**names: int | None) -> dict[str, Any]:
    more = {name: frozenset({source}) for name, source in names.items()}
    return {"seen": replace(RULES.seen, names={**RULES.seen.names, **more})}


LINT = Required("lint", None, "ruleset `main`")

CASES = [
    pytest.param(GOOD, [], id="nothing"),
    pytest.param(replace(GOOD, archived=True), ["repository-archived"], id="archived"),
    # the App
    pytest.param(replace(GOOD, installed=None), ["app-not-installed"], id="not installed"),
    pytest.param(
        replace(GOOD, installed=replace(INSTALLED, suspended=True)), ["app-suspended"], id="suspended"
    ),
    pytest.param(granted(checks=""), ["app-permission-missing"], id="no checks"),
    pytest.param(granted(contents="read"), ["app-permission-missing"], id="contents only to read"),
    pytest.param(
        replace(GOOD, installed=replace(INSTALLED, permissions=PERMISSIONS | {"checks": "read"})),
        ["app-permission-missing"],
        id="asked for, and not accepted by the owner",
    ),
    pytest.param(granted(workflows="write"), ["app-permission-dangerous"] * 1, id="workflows"),
    pytest.param(granted(administration="write"), ["app-permission-dangerous"], id="administration"),
    pytest.param(granted(administration="read"), [], id="administration to read is for the doctor"),
    pytest.param(granted(secrets="read"), ["app-permission-dangerous"], id="secrets"),
    pytest.param(granted(organization_hooks="write"), ["app-permission-dangerous"], id="hooks"),
    pytest.param(granted(packages="read"), ["app-permission-wide"], id="packages"),
    pytest.param(granted(contents="admin"), ["app-permission-wide"], id="more than it needs"),
    pytest.param(granted(issues="write"), [], id="issues may be written, for reactions"),
    pytest.param(
        replace(GOOD, installed=replace(INSTALLED, permissions=PERMISSIONS | {"workflows": "write"})),
        ["app-permission-dangerous"],
        id="the installation still has what the App gave up",
    ),
    pytest.param(app(events=("pull_request",)), ["app-event-missing"], id="no comments"),
    pytest.param(app(events=(*EVENTS, "push")), ["app-event-extra"], id="pushes"),
    # required checks
    pytest.param(required(without=GATE), ["check-not-required"], id="gate not required"),
    pytest.param(required(without=APPROVALS), ["four-eyes-not-required"], id="approvals not required"),
    pytest.param(required(source=None), ["check-source-open"] * 3, id="any source"),
    pytest.param(
        required(Required(PLAN, None, "branch protection")), [], id="pinned in one place of two is enough"
    ),
    pytest.param(required(source=OTHER), ["check-source-other"] * 3, id="another source"),
    pytest.param(required(LINT), ["check-never-reports"], id="a check of nobody"),
    pytest.param(rules(required=(*RULES.required, LINT), **seen(lint=None)), [], id="a status"),
    pytest.param(
        rules(required=(*RULES.required, LINT), **seen(lint=OTHER)), [], id="a check of another App"
    ),
    pytest.param(
        rules(required=(*RULES.required, replace(LINT, source=OTHER)), **seen(lint=APP)),
        ["check-never-reports"],
        id="reported by somebody else",
    ),
    pytest.param(
        rules(required=(*RULES.required, replace(LINT, source=OTHER)), **seen(lint=None)),
        [],
        id="a status may be of any App",
    ),
    pytest.param(
        rules(required=(*RULES.required, LINT), seen=replace(RULES.seen, whole=False)),
        ["could-not-look"],
        id="statuses may not be read",
    ),
    pytest.param(
        rules(seen=Seen({}, commits=0, whole=False)),
        ["could-not-look"] * 3,
        id="no pull request to look at",
    ),
    pytest.param(
        rules(seen=Seen({}, commits=3, whole=False, readable=False)),
        ["could-not-look"] * 3,
        id="check runs may not be read",
    ),
    # merging
    pytest.param(replace(GOOD, merging=("fast",)), [], id="auto-merge on"),
    pytest.param(replace(GOOD, merging=("fast",), auto_merge=False), ["auto-merge-off"], id="auto-merge off"),
    pytest.param(replace(GOOD, auto_merge=False), [], id="auto-merge off, and nothing merges by itself"),
    pytest.param(
        replace(GOOD, merging=("fast",), auto_merge=None), ["could-not-look"], id="auto-merge not shown"
    ),
    pytest.param(rules(merge_queue=True), ["merge-queue"], id="a merge queue"),
    # the base branch
    pytest.param(
        rules(base_bypass=(replace(BASE, ours="always"),)), ["bot-may-bypass"], id="the bot may bypass"
    ),
    pytest.param(
        rules(base_bypass=(replace(BASE, ours="pull_request"),)),
        ["bot-may-bypass"],
        id="the bot may bypass for pull requests",
    ),
    pytest.param(
        rules(base_bypass=(replace(BASE, ours=None, others=None),)),
        ["could-not-look"],
        id="nobody shows who may bypass",
    ),
    pytest.param(rules(reviews=None), ["pull-request-not-required"], id="pushes to the base branch"),
    pytest.param(
        rules(reviews=None, classic_hidden=True), ["could-not-look"], id="protection that may not be read"
    ),
    pytest.param(rules(classic_hidden=True), [], id="protection that may not be read, and a good ruleset"),
    pytest.param(rules(reviews=Reviews()), ["approvals-not-required"], id="no approval"),
    pytest.param(rules(reviews=Reviews(1, last_push=True)), ["stale-approvals-kept"], id="stale approvals"),
    pytest.param(
        rules(reviews=Reviews(2, dismisses_stale=True)), ["last-push-unapproved"], id="the last push"
    ),
    pytest.param(rules(signatures=True), [], id="signed, and merge commits possible"),
    pytest.param(
        replace(rules(signatures=True), merge_methods=frozenset({"squash"})),
        ["signatures-need-merge-commits"],
        id="signed and squashed by the settings",
    ),
    pytest.param(
        rules(signatures=True, merge_methods=frozenset({"squash", "rebase"})),
        ["signatures-need-merge-commits"],
        id="signed and squashed by the ruleset",
    ),
    pytest.param(
        rules(signatures=True, linear=True), ["signatures-need-merge-commits"], id="signed and linear"
    ),
    pytest.param(rules(linear=True), [], id="linear alone"),
    pytest.param(
        replace(rules(signatures=True), merge_methods=None), ["could-not-look"], id="methods not shown"
    ),
    # the steps' branches
    pytest.param(rules(step_bypass=()), ["step-branches-open"], id="steps unprotected"),
    pytest.param(
        rules(step_bypass=(replace(STEPS, types=frozenset({"update"})),)),
        ["step-branches-open"],
        id="steps may be created by everybody",
    ),
    pytest.param(
        rules(step_bypass=(replace(STEPS, ours="never"),)), ["step-branches-closed"], id="the bot kept out"
    ),
    pytest.param(
        rules(step_bypass=(replace(STEPS, ours="pull_request"),)),
        ["step-branches-closed"],
        id="the bot let in for pull requests only",
    ),
    pytest.param(
        rules(step_bypass=(STEPS, replace(BASE, where="ruleset `all`"))),
        ["step-branches-closed"],
        id="a pull request required on every branch",
    ),
    pytest.param(
        rules(step_bypass=(STEPS, replace(BASE, types=frozenset({"deletion"})))), [], id="another rule"
    ),
    pytest.param(
        rules(step_bypass=(replace(STEPS, others=True),)), ["step-branches-shared"], id="others let in"
    ),
    pytest.param(
        rules(step_bypass=(replace(STEPS, others=None),)), ["could-not-look"], id="others not shown"
    ),
    pytest.param(
        rules(step_bypass=(replace(STEPS, ours=None, others=None),)),
        ["could-not-look"] * 2,
        id="nothing of the bypass list shown",
    ),
    pytest.param(
        replace(GOOD, rules=None, unseen=(Unseen("the rules of `main`", "needs more."),)),
        ["could-not-look"],
        id="no rules shown",
    ),
    pytest.param(replace(GOOD, app=None, installed=None), [], id="a token sees no App"),
]
ELSEWHERE = {"repository-unreadable"}  # tests/entry/test_doctor.py


@pytest.mark.parametrize(("facts", "found"), CASES)
def test_table(facts: Facts, found: list[str]) -> None:
    assert sorted(f.code for f in judge(facts, ASKED)) == sorted(found)


def test_every_kind_has_its_example() -> None:
    codes = {code for case in CASES for code in case.values[1]}  # type: ignore[union-attr]

    assert codes >= set(FORGE) - ELSEWHERE


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("canary/plan", "Did you mean `canary / plan`?", id="spaces"),
        pytest.param("Canary / Gate", "Did you mean `canary / gate`?", id="capitals"),
        pytest.param("canary / gates", "Did you mean `canary / gate`?", id="a letter"),
        pytest.param("unit-test", "Did you mean `unit-tests`?", id="somebody else's"),
        pytest.param("zzz", "Correct the name", id="nothing like it"),
    ],
)
def test_a_near_miss_is_named(name: str, hint: str) -> None:
    facts = rules(required=(*RULES.required, Required(name, None, "main")), **seen(**{"unit-tests": OTHER}))

    (finding,) = judge(facts, ASKED)

    assert finding.code == "check-never-reports"
    assert hint in finding.remedy


def test_a_check_of_the_bot_that_never_came_asks_for_the_bot() -> None:
    (finding,) = judge(
        rules(seen=replace(RULES.seen, names={PLAN: frozenset({APP}), GATE: frozenset({APP})})), ASKED
    )

    assert finding.code == "check-never-reports"
    assert "whether it is installed and running" in finding.remedy


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(required(Required("`@mona <b>\u202e", None, "main")), id="a check"),
        pytest.param(granted(**{"`@mona\u202e": "write"}), id="a permission"),
        pytest.param(granted(packages="`@mona\u202e"), id="a level"),
        pytest.param(app(events=(*EVENTS, "`@mona\u202e")), id="an event"),
        pytest.param(rules(reviews=None, base_bypass=(replace(BASE, ours="`@mona\u202e"),)), id="a mode"),
        pytest.param(replace(rules(reviews=None), base="`@mona\u202e"), id="a branch"),
        pytest.param(replace(app(slug="`@mona\u202e"), installed=None), id="an App"),
    ],
)
def test_foreign_text_stands_in_code_only(facts: Facts) -> None:
    shown = " ".join(f"{f.message} {f.remedy} {f.shown_where}" for f in judge(facts, ASKED))
    inline = MarkdownIt().parseInline(shown)[0].children or []

    assert any("@mona" in token.content for token in inline if token.type == "code_inline")
    assert not any("@mona" in token.content for token in inline if token.type != "code_inline")
    assert "\u202e" not in shown
