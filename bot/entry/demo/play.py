"""The command ``canary demo``: begin, play the story, count what the bot did, and serve on if asked to."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bot.entry.demo import audit, story
from bot.entry.demo.needs import missing
from bot.entry.demo.paper import Paper
from bot.entry.demo.shop import BOT, CUSTOMER, PEOPLE, REPO, STOREFRONT, build
from bot.entry.demo.stage import Lost, Stage
from bot.entry.demo.waiting import quiet_logs, serve_on
from bot.entry.rehearsal import rehearsal
from bot.sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

DONE, MISSED, UNUSABLE = 0, 1, 2


def run(*, serve: bool, port: int, color: bool, keep: bool) -> int:
    """Play the demo and give the exit status: 0 only if every state was as expected.

    Args:
        serve: Leave the sandbox's page open afterwards, until Ctrl-C.
        port: Of the page; 0 for any that is free.
        color: Whether colours are wanted.
        keep: Keep a copy of the git repository, and say where.
    """
    problem = missing()
    if problem is not None:
        sys.stderr.write(f"canary demo: {problem}\n")
        return UNUSABLE
    paper = Paper(color=color)
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(quiet_logs())
        try:
            rehearsed = stack.enter_context(rehearsal(port=port, sweep=serve))
        except OSError as error:
            sys.stderr.write(f"canary demo: {error}\n")
            return UNUSABLE
        build(rehearsed)
        stage = Stage(rehearsed, paper)
        _begin(stage)
        for part in story.PARTS:
            _play(stage, part)
        _end(stage, began)
        if serve:
            paper.line()
            serve_on(rehearsed, REPO, None, "The story is told; the rest is yours.")
        if keep:
            _keep(stage)
    return MISSED if stage.missed else DONE


def _begin(stage: Stage) -> None:
    paper = stage.paper
    roles: dict[str, list[str]] = {}
    for login, role in PEOPLE.items():
        roles.setdefault(role, []).append(login)
    people = " · ".join(f"{', '.join(logins)} ({role})" for role, logins in roles.items())
    paper.line(
        "canary demo: the whole bot against a stand-in for GitHub, on real git repositories, all on this machine."
    )
    paper.line(f"Repository {REPO} · people {people} · page {stage.run.server.base_url}/{REPO}")


def _play(stage: Stage, part: Callable[[Stage], None]) -> None:
    """Play one part; where it cannot go on, the next one begins."""
    try:
        part(stage)
    except (Lost, ApiError, TimeoutError) as stopped:
        stage.fail(f"this part of the story cannot go on: {stopped}")


def _end(stage: Stage, began: float) -> None:
    run, paper = stage.run, stage.paper
    paper.chapter("The end: what is on main")
    _show_files(stage)
    changes = audit.changes(run.world, REPO, run.app.bot)
    for change in changes:
        stage.expect(f"bytes that {change.commit.sha[:7]} changed outside the block", change.by_reader, 0)
        stage.expect(
            f"the same by git's diff and indentation alone, {change.commit.sha[:7]}", change.by_git, 0
        )
    stage.expect("mistakes of the stand-in", run.server.errors, [])
    pulls = run.world.pulls(REPO)
    mine = sum(pull.author is run.app.bot for pull in pulls)
    outside = max(sum(c.by_reader for c in changes), sum(c.by_git for c in changes))
    lines = sum(change.lines for change in changes)
    seconds = time.monotonic() - began
    paper.chapter("Counted")
    paper.line(
        f"{len(pulls)} pull requests ({mine} of the bot) · {len(changes)} commits of the bot · {lines} lines changed · "
        f"bytes outside the block changed: {outside}"
    )
    paper.line(
        f"{len(run.server.requests)} requests to GitHub · {stage.met + len(stage.missed)} expectations, "
        f"{len(stage.missed) or 'none'} missed · {seconds:.1f} seconds"
    )


def _show_files(stage: Stage) -> None:
    paper = stage.paper
    for path, services in (
        (CUSTOMER, ("customer",)),
        (BOT, ("canary-bot",)),
        (STOREFRONT, ("storefront", "checkout")),
    ):
        content = stage.read("main", path).decode("utf-8")
        lines = content.splitlines()
        for service in services:
            try:
                manifest = stage.manifest("main", path, service)
            except Lost as lost:
                stage.fail(str(lost))
                continue
            paper.share(f"{service} in {path}", ((t.shown, t.effective_percent) for t in manifest.targets))
            begin, end = manifest.traffic_lines or (1, 0)
            is_whole = path == CUSTOMER
            first, last = (1, len(lines)) if is_whole else (begin, end)
            paper.listing("\n".join(lines[first - 1 : last]), first=first, marked=range(begin, end + 1))


def _keep(stage: Stage) -> None:
    """Copy the git repository out of the sandbox."""
    git = stage.run.world.repository(REPO).git
    folder = Path(tempfile.mkdtemp(prefix="canary-demo-")) / "shop.git"
    shutil.copytree(git.path, folder)
    stage.paper.line(f"Kept: {folder} (git -C {folder} log --graph --oneline main)")
