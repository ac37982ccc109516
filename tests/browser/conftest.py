"""A real browser, and pages served to it on this machine."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.pages import router
from bot.sandbox.server import SandboxServer
from tests.sandbox.shop import shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from bot.sandbox.world import World

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE = (360, 740)
DESK = (1280, 900)
PATIENCE = 10_000  # milliseconds that a page gets for anything


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skips, and says why, where there is none.

    For one module: while it is open, an event loop runs in this thread, which other tests mind.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed")
    if executable is None:
        pytest.skip(f"no Chromium on this machine: none of {', '.join(NAMES)} is on the path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Cookies and storage of one person, gone after the test. Nothing but this machine is reachable."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    context.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; the test fails when it wrote an error or a warning to the console."""
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text} ({message.location})"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    yield page
    assert [line for line in said if line.startswith(("error", "warning"))] == []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The shop of ``tests.sandbox.shop``."""
    with shop(tmp_path) as world:
        yield world


@pytest.fixture
def site(world: World) -> Iterator[str]:
    """The address of the pages of ``world``."""
    with SandboxServer(world, pages=router(world)) as server:
        yield server.base_url
    assert server.errors == []


# what a person does -------------------------------------------------------------------------


def resize(page: Page, size: tuple[int, int]) -> None:
    """Make the window as large as ``PHONE`` or ``DESK``."""
    page.set_viewport_size({"width": size[0], "height": size[1]})


def act_as(page: Page, login: str) -> None:
    """Choose a person in the head of the page."""
    page.locator(".menu.you > summary").click()
    with page.expect_navigation():
        page.locator(f".menu.you button[value='{login}']").click()


def skip_ahead(page: Page, minutes: int) -> None:
    """Move the sandbox's clock: 10, 60 or 1440 minutes."""
    page.locator(".menu.clock > summary").click()
    with page.expect_navigation():
        page.locator(f".menu.clock button[value='{minutes}']").click()


def say(page: Page, body: str) -> None:
    """Write a comment on the pull request that is open."""
    page.get_by_label("Add a comment as").fill(body)
    with page.expect_navigation():
        page.get_by_role("button", name="Comment", exact=True).click()


def merge(page: Page) -> None:
    """Press the green button."""
    with page.expect_navigation():
        page.get_by_role("button", name="Merge pull request").click()


def close(page: Page) -> None:
    """Close the pull request."""
    with page.expect_navigation():
        page.get_by_role("button", name="Close").click()


def wait_for_text(page: Page, text: str, *, within: float = PATIENCE) -> None:
    """Wait until a page shows a text, by its own following of what others do; milliseconds."""
    page.get_by_text(text).first.wait_for(timeout=within)


def assert_fits(page: Page) -> None:
    """The page is not wider than its window."""
    wide, window = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= window, page.evaluate(
        "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right >"
        " document.documentElement.clientWidth && !one.closest('.scroll, pre, table, .tabs'))"
        ".slice(0, 5).map(one => one.outerHTML.slice(0, 120))"
    )
