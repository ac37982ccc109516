"""Buttons of checks on the pages: who sees them, and what a press sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.shop import REPO, Visitor, shop, visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.sandbox.model import CheckRun
    from bot.sandbox.world import World

PULL = f"/{REPO}/pull/1"
PROMOTE = {"label": "Promote", "description": "Merge the next step", "identifier": "promote"}
HOLD = {"label": "<b>Hold</b>", "description": '"><script>', "identifier": "hold"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop(tmp_path) as world:
        yield world


@pytest.fixture
def run(world: World) -> CheckRun:
    """A check with two buttons, which waits."""
    app = world.create_app("canary", "a secret of the test")
    world.install(app, REPO)
    fields = {
        "name": "canary / gate",
        "head_sha": world.pull(REPO, 1).head_sha,
        "status": "in_progress",
        "actions": [PROMOTE, HOLD],
    }
    return world.create_check(REPO, app, fields)


@pytest.fixture
def mona(world: World) -> Iterator[Visitor]:
    with visitor(world) as mona:
        yield mona


def heard(world: World) -> tuple[str | None, str, str]:
    """Give what the last delivery told: its action, the button, and who pressed."""
    told = world.hooks.deliveries[-1].payload()
    return told["action"], told.get("requested_action", {}).get("identifier", ""), told["sender"]["login"]


@pytest.mark.parametrize(("view", "back"), [("", PULL), ("/checks", f"{PULL}/checks")])
def test_press(world: World, mona: Visitor, run: CheckRun, view: str, back: str) -> None:
    mona.open(PULL + view)
    assert 'title="Merge the next step"><bdi>Promote</bdi>' in mona.text
    assert "<bdi>&lt;b&gt;Hold&lt;/b&gt;</bdi>" in mona.text
    mona.submit(f"{PULL}/check/{run.id}", press="promote")

    assert heard(world) == ("requested_action", "promote", "mona")
    assert mona.answer.url.path == back


def test_again(world: World, mona: Visitor, run: CheckRun) -> None:
    mona.open(f"{PULL}/checks")
    assert "Re-run" not in mona.words  # it has not ended
    world.update_check(REPO, run.id, run.app, {"conclusion": "failure"})
    mona.open(f"{PULL}/checks")
    mona.submit(f"{PULL}/check/{run.id}", again="1")

    assert heard(world) == ("rerequested", "", "mona")
    assert run.conclusion == "failure"


@pytest.mark.parametrize("login", ["rita", "eve"])
def test_who_may_not_write_sees_no_buttons(world: World, mona: Visitor, run: CheckRun, login: str) -> None:
    mona.open(PULL)
    mona.client.cookies.set("sandbox_user", login)
    before = len(world.hooks.deliveries)
    mona.submit(f"{PULL}/check/{run.id}", press="promote", status=403)  # from the page of before
    assert len(world.hooks.deliveries) == before
    for view in ("", "/checks"):
        assert f"/check/{run.id}" not in mona.open(PULL + view)


def test_button_that_went_away(world: World, mona: Visitor, run: CheckRun) -> None:
    mona.open(f"{PULL}/checks")
    world.update_check(REPO, run.id, run.app, {"actions": [HOLD]})
    before = len(world.hooks.deliveries)
    mona.submit(f"{PULL}/check/{run.id}", press="promote", status=422)

    assert "The check has no such action." in mona.words
    assert len(world.hooks.deliveries) == before


def test_button_of_an_older_commit(world: World, mona: Visitor, run: CheckRun) -> None:
    mona.open(PULL)
    world.commit(REPO, "faster", {"x": b"y"}, "More", by="hubot")
    before = len(world.hooks.deliveries)
    mona.submit(f"{PULL}/check/{run.id}", press="promote", status=409)

    assert "The check is of an older commit." in mona.words
    assert len(world.hooks.deliveries) == before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_from_another_site(world: World, mona: Visitor, run: CheckRun, site: str) -> None:
    mona.open(PULL)
    before = len(world.hooks.deliveries)
    mona.client.headers["Sec-Fetch-Site"] = site
    mona.submit(f"{PULL}/check/{run.id}", press="promote", status=403)
    del mona.client.headers["Sec-Fetch-Site"]
    mona.client.post(f"{PULL}/check/{run.id}", data={"press": "promote"})

    assert mona.client.get(f"{PULL}/check/{run.id}").status_code in {404, 405}
    assert len(world.hooks.deliveries) == before


@pytest.mark.usefixtures("run")
def test_check_that_is_not_there(mona: Visitor) -> None:
    mona.open(PULL)
    token = mona.text.split('name="csrf" value="')[1].split('"')[0]
    answer = mona.client.post(f"{PULL}/check/1", data={"csrf": token, "press": "promote"})
    assert answer.status_code == 404


@pytest.mark.usefixtures("run")
def test_statuses_stand_among_the_checks(world: World, mona: Visitor) -> None:
    sha = world.pull(REPO, 1).head_sha
    fields = {
        "state": "error",
        "context": "ci/build",
        "description": "Broken",
        "target_url": "https://ci.test/1",
    }
    before = mona.client.get(f"{PULL}/version").json()
    world.create_status(REPO, sha, fields, by="mona")
    world.create_status(REPO, sha, {"state": "pending", "context": "ci/lint"}, by="mona")
    assert mona.client.get(f"{PULL}/version").json() != before

    mona.open(PULL)
    assert "Some checks were not successful 1 failing, 2 pending checks" in mona.words
    assert "ci/build Broken" in mona.words
    assert 'href="https://ci.test/1" rel="nofollow noopener"' in mona.text
    mona.open(f"{PULL}/checks")
    assert "ci/lint Pending by mona" in mona.words
    world.create_status(REPO, sha, {**fields, "state": "success"}, by="mona")
    assert "2 pending, 1 successful" in (mona.open(PULL) and mona.words)
