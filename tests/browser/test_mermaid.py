"""The time line of a rollout, drawn by Mermaid itself, as GitHub's pages do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from bot.adapters.rulebook import built_in
from bot.core import evidence
from bot.core.rollout import judge
from tests.contract.packages import MERMAID, needed, npm_package
from tests.core.test_evidence import NOON, PAST, RECORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser) -> Page:
    package = needed(lambda: npm_package(MERMAID))
    page = browser.new_page()
    page.add_script_tag(path=package / "dist" / "mermaid.min.js")
    return page


@pytest.mark.parametrize("rules_id", ["standard", "manual", "fast"])
@pytest.mark.parametrize("merged", [1, 2])
def test_mermaid_draws_it(page: Page, rules_id: str, merged: int) -> None:
    rules = built_in().get(rules_id)
    past = PAST[-merged:]
    block = evidence.timeline(RECORD, past, judge(rules, 25, since=NOON, now=NOON), rules)
    text = block.removeprefix("```mermaid\n").removesuffix("\n```")
    drawn = page.evaluate("async text => (await mermaid.render('drawn', text)).svg", text)
    assert "25 %" in drawn
    assert "100 %" in drawn
    assert drawn.count("taskText") >= merged + 2
    assert RECORD.candidate in drawn


def test_a_broken_one_is_found(page: Page) -> None:
    with pytest.raises(Error):
        page.evaluate(
            "async text => await mermaid.render('drawn', text)", "gantt\n  dateFormat X\n  5 % 6 ::: :"
        )
