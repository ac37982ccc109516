"""The command ``canary demo``: begin, play the story, count what the bot did, and serve on if asked to."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from bot.adapters.gates.judges import Judges
from bot.entry.demo import audit, story
from bot.entry.demo.metrics import metrics
from bot.entry.demo.needs import missing
from bot.entry.demo.paper import Paper
from bot.entry.demo.shop import BOT, CUSTOMER, DUMPY, PEOPLE, REPO, SENTENCE, STOREFRONT, build
from bot.entry.demo.stage import Lost, Stage
from bot.entry.demo.waiting import quiet_logs, serve_on
from bot.entry.rehearsal import rehearsal
from bot.manifests.workload import find
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
            measured = stack.enter_context(metrics())
            gates = Judges(measured.outside)
            rehearsed = stack.enter_context(rehearsal(port=port, sweep=serve, gates=gates))
        except OSError as error:
            sys.stderr.write(f"canary demo: {error}\n")
            return UNUSABLE
        build(rehearsed)
        stage = Stage(rehearsed, paper, measured)
        _begin(stage, serve=serve)
        first = rehearsed.world.resolve(REPO, "main")
        for part in story.PARTS:
            _play(stage, part)
        _end(stage, first, began)
        if serve:
            paper.line()
            serve_on(rehearsed, REPO, None, "The story is told; the rest is yours.")
        if keep:
            _keep(stage)
    return MISSED if stage.missed else DONE


def _begin(stage: Stage, *, serve: bool) -> None:
    paper = stage.paper
    roles: dict[str, list[str]] = {}
    for login, role in PEOPLE.items():
        roles.setdefault(role, []).append(login)
    people = ", ".join(f"{' and '.join(logins)} ({role})" for role, logins in roles.items())
    paper.line(Text("canary demo: the whole bot, a stand-in for GitHub, real git repositories", "bold"))
    paper.line(f"In {REPO}: {people}. Nothing leaves this machine.")
    paper.line("All of it takes the whole way: signed webhooks, the bot, its requests, commits and merges.")
    if serve:
        paper.line(f"Watch it on {stage.run.server.base_url}/{REPO}/pulls")


def _play(stage: Stage, part: Callable[[Stage], None]) -> None:
    """Play one part; where it cannot go on, the next one begins."""
    stage.is_terse = False
    try:
        part(stage)
    except (Lost, ApiError, TimeoutError) as stopped:
        stage.fail(f"this part of the story cannot go on: {stopped}")


def _end(stage: Stage, first: str, began: float) -> None:
    """Show what is on main, count, and compare the counts.

    Args:
        stage: After the story.
        first: The commit that the story began on.
        began: The monotonic time then.
    """
    run, paper = stage.run, stage.paper
    paper.chapter("The end: what is on main")
    for path in (CUSTOMER, BOT, STOREFRONT, DUMPY, SENTENCE):
        _show_file(stage, first, path)
    changes = audit.changes(run.world, REPO, run.app.bot)
    for change in changes:
        stage.expect(f"bytes outside the block in {change.commit.sha[:7]}", change.by_reader, 0)
        stage.expect(f"the same by git's diff, {change.commit.sha[:7]}", change.by_git, 0)
        stage.expect(
            f"only the split differs in {change.commit.sha[:7]}", change.is_only_the_split, wanted=True
        )
        stage.expect(f"the split is as {change.commit.sha[:7]} says", change.is_as_said, wanted=True)
    stage.expect("mistakes of the stand-in", run.server.errors, [])
    pulls = run.world.pulls(REPO)
    mine = sum(pull.author is run.app.bot for pull in pulls)
    outside = max(sum(c.by_reader for c in changes), sum(c.by_git for c in changes))
    paper.line()
    paper.line(
        f"{len(pulls)} pull requests ({mine} of the bot), {len(changes)} commits of the bot, "
        f"{sum(change.lines for change in changes)} lines changed, bytes outside the block changed: {outside}, "
        f"{len(run.server.requests)} requests to GitHub, {time.monotonic() - began:.1f} seconds"
    )
    if stage.missed:
        paper.missed(f"{len(stage.missed)} of {stage.met + len(stage.missed)} expectations")
    else:
        paper.line(Text(f"All {stage.met} expectations were met.", "bold green"))


def _show_file(stage: Stage, first: str, path: str) -> None:
    """Show the customer's file, whole, and of the others the splits, and blocks that are not laid out like it."""
    content, before = stage.read("main", path), stage.read(first, path)
    lines, old = (c.decode("utf-8", "replace").splitlines() for c in (content, before))
    opcodes = SequenceMatcher(None, old, lines, autojunk=False).get_opcodes()
    new = {n + 1 for tag, _, _, i, j in opcodes if tag != "equal" for n in range(i, j)}
    hint = "  (byte for byte as at the beginning)" if content == before else ""
    hint = "  (› was not there at the beginning)" if path == CUSTOMER else hint
    stage.paper.line(Text.assemble((path, "bold"), (hint, "dim")))
    workloads = find(content, path).workloads
    for workload in workloads:
        stage.tell_share(workload, workload.name)
    if path == CUSTOMER:
        stage.paper.listing(lines, marked=new)
    elif path in {STOREFRONT, DUMPY} and workloads and workloads[0].lines:
        begin, end = workloads[0].lines
        stage.paper.listing(lines[begin - 1 : end], first=begin, marked=new)


def _keep(stage: Stage) -> None:
    """Copy the git repository out of the sandbox."""
    git = stage.run.world.repository(REPO).git
    folder = Path(tempfile.mkdtemp(prefix="canary-demo-")) / "shop.git"
    shutil.copytree(git.path, folder)
    stage.paper.line(f"Kept: {folder} (git -C {folder} log --graph --oneline main)")
