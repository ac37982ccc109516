"""The story of the demo, played by hand in the sandbox's page in a real browser, with the bot attached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.entry.rehearsal import Rehearsal, rehearsal
from tests.browser.conftest import (
    DESK,
    PHONE,
    act_as,
    assert_fits,
    merge,
    resize,
    say,
    skip_ahead,
    wait_for_text,
)
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, VERSION_4, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
REPO = "acme/shop"


@pytest.fixture
def run() -> Iterator[Rehearsal]:
    with rehearsal() as run:
        for login in PEOPLE:
            run.world.add_user(login)
        run.world.create_repository(REPO, {PATH: CUSTOMER}, by="ada")
        for login, role in PEOPLE.items():
            run.world.set_role(REPO, login, role)
        run.install(REPO)
        yield run


@pytest.fixture
def stage(run: Rehearsal) -> Stage:
    stage = Stage(run, REPO)
    stage.branch("v4", {PATH: VERSION_4}, by="kim")
    run.world.open_pull(REPO, "v4", "main", "Customer 4.0", "Brings the new storefront.", by="kim")
    stage.settle()
    return stage


def _picture(page: Page) -> None:
    """Take the README's picture, when CANARY_SHOTS names a folder for it."""
    folder = os.environ.get("CANARY_SHOTS")
    if folder:
        resize(page, (1180, 1500))
        page.reload()
        page.screenshot(path=str(Path(folder) / "pull-request.png"))
        resize(page, DESK)


def test_a_rollout_played_by_hand(page: Page, stage: Stage) -> None:
    home = f"{stage.run.server.base_url}/{REPO}"
    page.goto(f"{home}/pull/1")
    act_as(page, "mona")
    say(page, "/canary 25")
    wait_for_text(page, "Merging this pull request applies it.")
    stage.settle()
    _picture(page)
    assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    page.goto(f"{home}/pull/1/files")
    wait_for_text(page, "revisionName: customer-v4")

    page.goto(f"{home}/pull/1")
    act_as(page, "rita")
    say(page, "/canary 50")
    wait_for_text(page, "not-allowed")
    act_as(page, "mona")
    merge(page)
    stage.settle()
    page.goto(f"{home}/pulls")
    page.get_by_role("link", name="customer: 25 % → 50 %").click()
    wait_for_text(page, "Baking: 0 of 30 min")
    say(page, "/promote")
    wait_for_text(page, "Remembered: #2 (50 %)")
    skip_ahead(page, 60)
    wait_for_text(page, "Merged #2")
    assert stage.split() == {"customer-v3": 50, "customer-v4": 50}

    resize(page, PHONE)
    page.goto(f"{home}/pull/3")
    wait_for_text(page, "customer: 50 % → 100 %")
    assert_fits(page)
    say(page, "/rollback -- the shop is slow")
    wait_for_text(page, "Proposed in #4")
    page.goto(f"{home}/pull/4")
    assert_fits(page)
    merge(page)
    stage.settle()
    assert stage.split() == {"customer-v3": 100}
    page.goto(f"{home}/pull/1")
    wait_for_text(page, "Rolled back")
    assert stage.run.server.errors == []
