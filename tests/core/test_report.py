"""What a reader of a reply sees, and what no reader's text can do to it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core import report
from bot.core.markers import Answer, Proposal, strip
from bot.core.outcome import Outcome, declined
from bot.core.problems import Place, Problem
from bot.core.rollout import length
from bot.core.text import code
from bot.core.traffic import Split, Target
from bot.core.trailers import Record, records

RECORD = Record(
    "apps/shop.yaml#shop/shop",
    "shop-0a1b2c3d",
    2,
    50,
    (25, 50, 100),
    "shop-v1",
    "shop-v2",
    7,
    "fast",
    "mona",
    99,
)
BEFORE = Split((Target("shop-v1", 75, "current"), Target("shop-v2", 25, "candidate")))
AFTER = Split(
    (Target("shop-v1", 50, "current"), Target("shop-v2", 50, "candidate"), Target(latest=True, tag="latest"))
)


@pytest.mark.parametrize(
    ("percent", "cells"), [(0, 0), (1, 0), (5, 1), (25, 5), (50, 10), (99, 20), (100, 20)]
)
def test_bar(percent: int, cells: int) -> None:
    assert report.bar(percent) == "█" * cells + "░" * (20 - cells)


def test_bars_line_up() -> None:
    assert report.bars(AFTER).split("\n") == [
        "current    shop-v1  ██████████░░░░░░░░░░   50 %",
        "candidate  shop-v2  ██████████░░░░░░░░░░   50 %",
        "latest     @latest  ░░░░░░░░░░░░░░░░░░░░    0 %",
    ]


def test_a_table_shows_what_changes_in_bold() -> None:
    assert report.split_table(BEFORE, AFTER).split("\n")[2:] == [
        "| `shop-v1` | `current` | 75 % | **50 %** |",
        "| `shop-v2` | `candidate` | 25 % | **50 %** |",
        "| `@latest` | `latest` | – | **0 %** |",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (90, "1 min"), (1800, "30 min"), (7200, "2 h"), (86400, "1 d")],
)
def test_durations(seconds: int, words: str) -> None:
    assert length(timedelta(seconds=seconds)) == words


def test_a_refusal_has_code_what_where_and_remedy() -> None:
    problem = Problem("drifted", "Something is off.", "Do this.", Place("a.yaml", 3, 5))
    text = strip(report.reply("comment/1", "mona", [declined(problem)]))
    assert text == "@mona **Not applied** · `drifted`\n\nSomething is off. (`a.yaml:3:5`)\n\nDo this."


def test_several_refusals_each_have_their_code() -> None:
    outcome = declined(Problem("drifted", "One."), Problem("fork", "Two."))
    assert "- `drifted`: One.\n\n- `fork`: Two." in report.reply("comment/1", "mona", [outcome])


def test_a_reply_that_begins_with_a_table_leaves_it_one() -> None:
    text = report.reply(
        "comment/1", "mona", [Outcome("answered", "shown", report.split_table(BEFORE, AFTER))]
    )
    assert "<table>" in MarkdownIt("commonmark").enable("table").render(text)


def test_the_machine_twin_says_the_worst_outcome() -> None:
    fine = Outcome("done", "applied", "Good.", verb="canary", service="shop")
    bad = declined(Problem("fork", "Bad."), verb="canary", service="cart")
    answer = Answer.read(report.reply("comment/1", "mona", [fine, bad]))
    assert answer is not None
    assert (answer.decision, answer.code, answer.service, answer.verbs) == (
        "declined",
        "fork",
        "cart",
        ("canary", "canary"),
    )


def test_a_very_long_reply_is_shortened_and_keeps_its_marker() -> None:
    text = report.reply("comment/1", "mona", [Outcome("answered", "shown", "x" * 100_000)])
    assert len(text) < 65_536
    assert Answer.read(text) is not None


@given(reason=st.text(max_size=300))
def test_no_reason_forges_a_record(reason: str) -> None:
    forged = reason + "\n\n" + RECORD.trailers().replace("shop-v1", "evil-v1")
    message = report.commit_message(RECORD, 25, report.one_line(forged))
    assert records(message) == (RECORD,)


def _live(markdown: str) -> list[str]:
    """Give what of a text would be more than text: links, images, HTML, mentions and references outside code."""
    parser = MarkdownIt("commonmark", {"linkify": True, "html": True}).enable(["table", "linkify"])
    found = []
    for token in parser.parse(markdown):
        if token.type == "html_block" and not token.content.startswith("<!-- canary-bot:"):
            found.append(token.content)
        for child in token.children or ():
            if child.type in {"link_open", "image", "html_inline"}:
                found.append(str(child.attrs or child.content))
            if child.type == "text":
                found += re.findall(r"[@#]\w+|GH-\d+", child.content)
    return found


HOSTILE = st.text() | st.sampled_from(
    [
        "@everyone",
        "`` ` @a",
        "fixes #1",
        "![p](https://x.invalid/p.png)",
        "<img src=x>",
        "a|b@c",
        "\n\n@team",
        "```\n@a\n```",
        "https://x.invalid",
        "&#64;octocat",
        "--><b>",
    ]
)


@given(text=HOSTILE, name=HOSTILE)
def test_nothing_of_a_person_comes_alive(text: str, name: str) -> None:
    problem = Problem(
        "unknown-service", f"Unknown service {code(name)}.", "Name one.", Place(name, 1), source=text
    )
    proposal = Proposal("rollback", RECORD.service, RECORD.rollout, 0, 50, 7, "main")
    split = Split((Target(name, 50, text), Target("shop-v2", 50)))
    bodies = [
        report.reply("comment/1", "mona", [declined(problem)]).replace("@mona", "", 1),
        report.split_table(BEFORE, split),
        report.rollback_body(proposal, RECORD, BEFORE, split, text).replace("#7", ""),
        report.diff_block(text),
    ]
    for body in bodies:
        assert _live(body) == []
