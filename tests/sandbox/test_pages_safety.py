"""Hostile names are inert, and no other site can press a button here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.pages_http import LARGEST_FORM
from tests.sandbox.shop import REPO, Visitor, shop, visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.sandbox.world import World

PULL = f"/{REPO}/pull/1"
PAGES = ("", "/commits", "/checks", "/files")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop(tmp_path) as world:
        yield world


@pytest.fixture
def mona(world: World) -> Iterator[Visitor]:
    with visitor(world) as someone:
        yield someone


EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


def test_hostile_words_are_text_on_every_page(world: World, mona: Visitor) -> None:
    app = world.create_app("canary", "a secret of the test")
    world.install(app, REPO)
    branch = "x'\"><img/src=x/onerror=alert(3)>&lt;"
    path = "<img src=x onerror=alert(4)>.yaml"
    world.create_branch(REPO, branch, by="mona")
    content = f"{EVIL}\n# {EVIL}\nkey: {EVIL}\n".encode()
    head = world.commit(REPO, branch, {path: content, "README.md": content}, f"{EVIL}\n\n{EVIL}", by="mona")
    world.open_pull(REPO, branch, "main", EVIL, EVIL, by="eve")
    world.add_labels(REPO, 2, [EVIL[:40]], by="mona")
    world.comment(REPO, 2, EVIL, by="eve")
    world.review(REPO, 2, EVIL, "COMMENTED", by="eve")
    note = {
        "path": path,
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "notice",
        "message": EVIL,
        "title": EVIL,
    }
    output = {"title": EVIL, "summary": EVIL, "text": EVIL, "annotations": [note]}
    world.create_check(REPO, app, {"name": EVIL, "head_sha": head, "conclusion": "failure", "output": output})
    pages = [
        *(f"/{REPO}/pull/2{tab}" for tab in PAGES),
        f"/{REPO}/pulls",
        f"/{REPO}/commit/{head}",
        f"/{REPO}/commits/{head}",
    ]
    mona.open(f"/{REPO}")
    mona.client.get(f"/{REPO}", params={"ref": branch}).raise_for_status()
    mona.answer = mona.client.get(f"/{REPO}", params={"ref": branch})
    links = [
        link.replace("&amp;", "&").replace("&#39;", "'") for link in re.findall(r'href="(/[^"]*)"', mona.text)
    ]
    found = [link for link in links if "/blob/" in link]
    assert len(found) >= 4

    for page in [*pages, *found]:
        mona.open(page)
        without_own = re.sub(r'<script src="/static/page\.js\?v=\w+" defer></script>', "", mona.text)
        assert "<script" not in without_own
        assert not re.search(r"<[^>]*\son\w+=[^>]*>", re.sub(r'"[^"]*"', '""', without_own))
        assert "<img src=x" not in without_own


def test_characters_that_turn_writing_around_are_shown(world: World, mona: Visitor) -> None:
    world.edit_pull(REPO, 1, by="mona", title="safe \u202eexe.lmay\u2066\u200b")

    for tab in PAGES:
        assert "‹U+202E›exe.lmay‹U+2066›‹U+200B›" in mona.open(PULL + tab)
        assert "\u202e" not in mona.text


def test_every_answer_forbids_what_comes_from_elsewhere(mona: Visitor) -> None:
    for path in ("/", PULL, f"/{REPO}/blob/main/README.md", "/static/page.css", "/nobody/nothing"):
        headers = mona.client.get(path).headers

        assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_pages_hold_no_inline_style_or_script(mona: Visitor) -> None:
    for path in (
        "/",
        f"/{REPO}",
        PULL,
        f"{PULL}/files",
        f"{PULL}/checks",
        f"/{REPO}/blob/main/customer.yaml",
    ):
        mona.open(path)

        assert not re.search(r"<style|\sstyle=|<script(?! src=\"/static/)|\son\w+=", mona.text)
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", mona.text)


class TestForms:
    """A form counts only with the token of the visitor's own page."""

    @pytest.mark.parametrize(
        "token", [None, "", "0" * 64, "é"], ids=["none", "empty", "of somebody else", "not ASCII"]
    )
    def test_without_the_token(self, world: World, mona: Visitor, token: str | None) -> None:
        mona.open(PULL)
        fields = {"body": "x", "action": "comment"} | ({} if token is None else {"csrf": token})
        answer = mona.client.post(f"{PULL}/comment", data=fields)

        assert answer.status_code == 403
        assert world.pull(REPO, 1).comments == []

    def test_without_the_cookie(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.client.cookies.clear()
        mona.submit(f"{PULL}/comment", body="x", action="comment", status=403)

        assert world.pull(REPO, 1).comments == []

    def test_with_a_cookie_that_somebody_planted(self, world: World, mona: Visitor) -> None:
        mona.open(PULL)
        mona.client.cookies.set("sandbox_session", "planted")
        mona.submit(f"{PULL}/comment", body="x", action="comment", status=403)

        assert world.pull(REPO, 1).comments == []

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_from_another_site(self, world: World, mona: Visitor, site: str) -> None:
        mona.open(PULL)
        mona.client.headers["Sec-Fetch-Site"] = site
        mona.submit(f"{PULL}/comment", body="x", action="comment", status=403)

        assert world.pull(REPO, 1).comments == []

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            pytest.param(b"{}", "application/json", 400, id="not a form"),
            pytest.param(b"a=\xff", "application/x-www-form-urlencoded", 400, id="not ASCII"),
            pytest.param(b"a=%ff", "application/x-www-form-urlencoded", 400, id="not UTF-8"),
            pytest.param(b"&a=" * 100, "application/x-www-form-urlencoded", 400, id="too many fields"),
            pytest.param(b"a" * (LARGEST_FORM + 1), "application/x-www-form-urlencoded", 413, id="too large"),
            pytest.param(b"", "application/x-www-form-urlencoded", 403, id="empty"),
            pytest.param(b"--x", "multipart/form-data; boundary=x", 400, id="multipart"),
        ],
    )
    def test_what_is_no_form(self, mona: Visitor, content: bytes, kind: str, status: int) -> None:
        answer = mona.client.post(f"{PULL}/comment", content=content, headers={"Content-Type": kind})

        assert answer.status_code == status

    @pytest.mark.parametrize("path", ["/-/user", f"{PULL}/merge", f"{PULL}/comment", f"/{REPO}/edit"])
    def test_a_link_does_nothing(self, world: World, mona: Visitor, path: str) -> None:
        answer = mona.client.get(path)

        assert answer.status_code in {404, 405}
        assert world.pull(REPO, 1).state == "open"

    @pytest.mark.parametrize(
        "back", ["https://evil.test/", "//evil.test", "/\\evil.test", "/a\r\nSet-Cookie: b", "evil", ""]
    )
    def test_a_form_does_not_lead_away(self, mona: Visitor, back: str) -> None:
        mona.open(PULL)
        mona.client.follow_redirects = False
        mona.submit("/-/user", login="hubot", back=back, status=303)

        assert mona.answer.headers["Location"] == "/"

    def test_cookies_stay_with_this_site_and_away_from_scripts(self, mona: Visitor) -> None:
        mona.client.cookies.clear()
        first = mona.client.get(PULL).headers["Set-Cookie"]
        mona.open(PULL)
        mona.client.follow_redirects = False
        mona.submit("/-/user", login="hubot", status=303)

        for cookie in (first, mona.answer.headers["Set-Cookie"]):
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
