"""The sandbox's page in a real browser: on a desk and on a phone, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import (
    DESK,
    PHONE,
    act_as,
    assert_fits,
    close,
    merge,
    resize,
    say,
    skip_ahead,
    wait_for_text,
)
from tests.sandbox.shop import MANIFEST, REPO

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from bot.sandbox.world import World

pytestmark = pytest.mark.browser

PULL = f"/{REPO}/pull/1"
REPLY = """**Applied** · `customer-v4` gets **25 %** when this is merged.

| target of the service | percent before | percent after | address of the revision |
|---|--:|--:|---|
| `customer-v3` | 100 % | **75 %** | `https://current-customer.shop.example.org` |

```diff
-    percent: 100   # a comment that makes this line a good deal wider than any phone is
+    percent: 75    # a comment that makes this line a good deal wider than any phone is
```
"""
SIZES = pytest.mark.parametrize("size", [pytest.param(PHONE, id="phone"), pytest.param(DESK, id="desk")])


def fill(world: World) -> None:
    """Put something of every kind on pull request 1."""
    app = world.create_app("canary", "a secret of the test")
    world.install(app, REPO)
    bot, sha = app.bot.login, world.pull(REPO, 1).head_sha
    asked = world.comment(REPO, 1, "/canary 25", by="mona")
    world.react(REPO, asked.id, "rocket", by=bot)
    world.comment(REPO, 1, REPLY, by=bot)
    world.comment(REPO, 1, "averyveryverylongwordwithoutanyplacetobreak" * 5, by="eve")
    world.add_labels(REPO, 1, ["canary", "service: customer"], by="mona")
    note = {
        "path": "customer.yaml",
        "start_line": 9,
        "end_line": 9,
        "annotation_level": "warning",
        "message": "A long remark on one line of the manifest, which should wrap and not push the page wider.",
    }
    output = {"title": "75 to 25", "summary": REPLY, "annotations": [note]}
    world.create_check(
        REPO, app, {"name": "canary / plan", "head_sha": sha, "conclusion": "success", "output": output}
    )
    world.create_check(REPO, app, {"name": "canary / gate", "head_sha": sha, "status": "in_progress"})


@SIZES
def test_every_page_fits_its_window(page: Page, site: str, world: World, size: tuple[int, int]) -> None:
    fill(world)
    world.edit_pull(REPO, 1, by="mona", title="customer: " + "x" * 200)
    resize(page, size)
    paths = (
        "/",
        f"/{REPO}",
        f"/{REPO}/pulls",
        f"/{REPO}/blob/main/customer.yaml",
        f"/{REPO}/commits/main",
        f"/{REPO}/commit/faster",
        PULL,
        f"{PULL}/commits",
        f"{PULL}/checks",
        f"{PULL}/files",
    )
    for path in paths:
        page.goto(site + path)
        assert_fits(page)


@SIZES
def test_comment_merge_and_close_by_hand(page: Page, site: str, world: World, size: tuple[int, int]) -> None:
    resize(page, size)
    page.goto(site)
    page.get_by_role("link", name=REPO, exact=True).click()
    page.get_by_role("link", name="Pull requests").click()
    page.get_by_role("link", name="customer: 3.5.0").click()
    act_as(page, "rita")
    say(page, "/canary 25")
    wait_for_text(page, "rita")
    assert [(one.author.login, one.body) for one in world.pull(REPO, 1).comments] == [("rita", "/canary 25")]
    assert page.get_by_text("Only those with write access").is_visible()
    assert_fits(page)

    close(page)
    assert page.get_by_text("Closed with unmerged commits").is_visible()
    assert world.pull(REPO, 1).state == "closed"
    with page.expect_navigation():
        page.get_by_role("button", name="Reopen").click()

    act_as(page, "mona")
    merge(page)
    assert page.get_by_text("Pull request successfully merged and closed").is_visible()
    assert world.pull(REPO, 1).merged
    assert_fits(page)


def test_a_button_inserts_a_command_on_a_line_of_its_own(page: Page, site: str) -> None:
    page.goto(site + PULL)
    box = page.get_by_label("Add a comment as")
    box.fill("Looks good.")
    page.get_by_role("button", name="/canary 25", exact=True).click()

    assert box.input_value() == "Looks good.\n/canary 25"
    assert box.evaluate("one => one === document.activeElement")


def test_news_appears_and_typed_text_stays(page: Page, site: str, world: World) -> None:
    page.goto(site + PULL)
    box = page.get_by_label("Add a comment as")
    box.fill("I am still writ")
    page.locator("#merge-method").select_option("squash")
    box.press("End")
    world.comment(REPO, 1, "Somebody was faster.", by="hubot")
    wait_for_text(page, "Somebody was faster.")
    box.press_sequentially("ing")

    assert box.input_value() == "I am still writing"
    assert page.locator("#merge-method").input_value() == "squash"

    world.close_pull(REPO, 1, by="hubot")
    wait_for_text(page, "Closed with unmerged commits")
    assert page.get_by_role("button", name="Reopen").is_visible()
    assert box.input_value() == "I am still writing"


def test_a_draft_survives_a_change_of_person(page: Page, site: str) -> None:
    page.goto(site + PULL)
    page.get_by_label("Add a comment as").fill("Not sent yet")
    act_as(page, "hubot")

    assert page.get_by_label("Add a comment as hubot").input_value() == "Not sent yet"


def test_a_pull_request_from_nothing_but_the_page(page: Page, site: str, world: World) -> None:
    page.goto(f"{site}/{REPO}")
    page.get_by_role("link", name="apps/crlf.yaml").first.click()
    page.get_by_role("link", name="Edit").click()
    box = page.get_by_label("Content")
    box.fill(box.input_value().replace("3.4.1", "3.6.0"))
    page.get_by_label("Title of the change").fill("Use 3.6.0")
    page.get_by_role("button", name="Open a pull request").click()

    assert page.get_by_role("heading", name="Use 3.6.0 #2").is_visible()
    wanted = MANIFEST.replace(b"\n", b"\r\n").replace(b"3.4.1", b"3.6.0")
    assert world.read(REPO, world.pull(REPO, 2).head_ref, "apps/crlf.yaml") == wanted


def test_time_is_skipped(page: Page, site: str, world: World) -> None:
    before = world.clock.now()
    page.goto(site + PULL)
    skip_ahead(page, 60)

    assert (world.clock.now() - before).total_seconds() == 3600
    assert page.get_by_text("1 hour ago").first.is_visible()


def test_the_keyboard_is_enough(page: Page, site: str, world: World) -> None:
    page.goto(site + PULL)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to content"
    page.locator(".menu.you > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator(".menu.you b").inner_text() == "hubot"

    page.get_by_label("Add a comment as hubot").fill("By keys.")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    assert world.pull(REPO, 1).comments[0].body == "By keys."


def test_hostile_text_does_not_run(page: Page, site: str, world: World) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    world.edit_pull(REPO, 1, by="mona", title=evil)
    world.comment(REPO, 1, f"{evil}\n\n[x](javascript:document.title='owned')", by="eve")
    for tab in ("", "/commits", "/checks", "/files"):
        page.goto(site + PULL + tab)

        assert page.title().endswith("canary sandbox")
        assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(page: Page, site: str, world: World, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    fill(world)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in (PULL, f"{PULL}/files", f"{PULL}/checks", f"/{REPO}", f"/{REPO}/blob/main/customer.yaml"):
        page.goto(site + path)

        assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (top, under) => {
    const alpha = top[3] === undefined ? 1 : top[3];
    return [0, 1, 2].map((i) => top[i] * alpha + under[i] * (1 - alpha));
  };
  const back = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const bad = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !one.checkVisibility({ visibilityProperty: true })) continue;
    if (one.closest("script, style, .hidden, .skip, :disabled, select")) continue;
    const style = getComputedStyle(one), under = back(one), top = over(parse(style.color), under);
    const [a, b] = [light(top), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.add(`${ratio.toFixed(2)} ${one.className}: ${walker.currentNode.data.trim()}`);
  }
  return [...bad];
}"""
