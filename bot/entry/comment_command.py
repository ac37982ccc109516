"""``canary comment``: what a comment would do here, on a working tree, offline.

The use cases are the bot's own; only the repository behind them is the working tree. Results go
to standard output, talk to standard error.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot.adapters.clock import SystemClock
from bot.adapters.rulebook import built_in
from bot.adapters.worktree import PERSON, Here, WorkTree
from bot.core import commands as c
from bot.core import markers, report
from bot.core.markers import Answer
from bot.core.outcome import declined
from bot.core.problems import Declined, OutsideFailure, Problem
from bot.core.text import code
from bot.entry import show
from bot.entry.locate import Found, locate, only_rollouts
from bot.manifests.diff import changed_lines, unified
from bot.ports import Subject
from bot.service import Bot, Historian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bot.adapters.worktree import Edit

DONE = frozenset({"done", "already", "answered", "pending"})

_PAGES = (c.Hold, c.Resume, c.Freeze, c.Unfreeze, c.Why, c.Adopt, c.Retry)  # what only pull requests know
_STARTS = (c.Canary, c.Plan, c.Cancel)
_MOVES = (c.Promote, c.Rollback, c.Status, c.Traffic, c.Tag, c.Untag)
_EITHER = (c.Status, c.Traffic, c.Tag, c.Untag)  # before the merge and after it


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments; paths are relative to ``folder``."""

    text: str
    folder: Path
    files: tuple[Path, ...] = ()
    base: str | None = None
    service: str | None = None
    write: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The result, as ``--json`` prints it.

    ``decision`` is one of ``bot.core.outcome.Decision``, or ``silent`` where the bot would say nothing.
    ``rollout`` is the id that it has here: on GitHub the comment's id is part of it. ``diff`` is unified,
    ``files`` are the paths that it changes.
    """

    decision: str
    code: str
    service: str = ""
    rollout: str = ""
    step: str = ""
    reply: str = ""
    diff: str = ""
    files: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the comment would be carried out, or has been."""
        return self.decision in DONE


def run(asked: Asked, *, as_json: bool = False, color: bool = True, debug: bool = False) -> int:
    """Answer, print, and give the exit status: 0, or 1 where the comment would be declined."""
    talk: list[str] = []
    to_say: Callable[[str], None] = show.talk  # what is no reply of the bot is talk
    try:
        with _log(debug=debug):
            answered = answer(asked, talk)
        if answered.decision != "silent":
            to_say = partial(show.reply, diff=answered.diff, color=color)
    except OutsideFailure as failure:
        answered = _refused(
            Problem("no-worktree", show.one_line(str(failure)), "Look at it with `git status`.")
        )
    except Declined as error:
        answered = _refused(*error.problems)
    if as_json:
        show.out(json.dumps(asdict(answered), ensure_ascii=False, indent=2))
    else:
        to_say(answered.reply)
    if answered.decision == "failed" and not debug:
        talk.append("CANARY_DEBUG=1 shows more.")
    for line in talk:
        show.talk(line)
    return 0 if answered.is_good else 1


def _refused(*problems: Problem) -> Answered:
    """Give the answer for arguments that there is nothing to ask with."""
    texts = [report.problem_text(p, with_code=True) for p in problems]
    return Answered("declined", problems[0].code, reply="\n\n".join(texts))


def answer(asked: Asked, talk: list[str]) -> Answered:
    """Ask the bot, and write the files where that was asked for.

    Args:
        asked: The arguments.
        talk: Gets what a person at the prompt should know besides.

    Raises:
        Declined: The files, the base or the folder cannot be used.
        OutsideFailure: git failed.
    """
    parsed = c.parse_comment(asked.text)
    if parsed.is_conversation:
        text = (
            "There is no command in that text: nothing would happen. A command begins a line: `/canary 25`."
        )
        return Answered("silent", "no-command", reply=text)
    tree = _tree(asked, parsed, talk)
    beyond = _needs_github(parsed, tree)
    if beyond:
        said = report.reply("comment/0", PERSON.login, [declined(*beyond, verb=parsed.commands[0].verb)])
    else:
        said = _ask(tree, asked.service)
    answered = _read(tree, said)
    if not answered.is_good:
        return replace(answered, diff="", files=())
    if answered.files and asked.write:
        _write(tree, talk)
    elif answered.files:
        talk.append("Nothing was written; add --write.")
    return answered


def _tree(asked: Asked, parsed: c.Parsed, talk: list[str]) -> WorkTree:
    now = SystemClock().now()
    nowhere = WorkTree(asked.folder, git=None, base=None, files=(), text=asked.text, now=now)
    if not parsed.problems and all(isinstance(x, c.Help) for x in parsed.commands):
        return nowhere
    try:
        found = locate(asked.folder, asked.files, asked.base)
    except (Declined, OutsideFailure):
        if parsed.problems:
            return nowhere  # what was typed comes first
        raise
    moves = not any(isinstance(x, _STARTS) for x in parsed.commands)
    if all(isinstance(x, _EITHER) for x in parsed.commands):
        moves = not found.differs
    moves = moves and any(isinstance(x, _MOVES) for x in parsed.commands)
    if moves and not asked.files:
        found = only_rollouts(found)
    if not parsed.problems:
        _say_base(found, talk, moves=moves)
    return WorkTree(
        found.root,
        git=found.git,
        base=found.base,
        files=found.files,
        text=asked.text,
        now=now,
        merged=moves,
    )


def _say_base(found: Found, talk: list[str], *, moves: bool) -> None:
    if found.base is None:
        talk.append("Without git: there is nothing to compare with, the files count as they are.")
    elif moves and not found.files:
        talk.append(f"No rollout is in the history of {found.base.name}; name the file.")
    elif not moves:
        about = f"{found.base.name} ({found.base.fork[:7]})"
        if found.differs:
            talk.append(f"Compared with {about}.")
        else:
            talk.append(f"Nothing in question differs from {about}; name another base with --base REV.")


def _needs_github(parsed: c.Parsed, tree: WorkTree) -> list[Problem]:
    """Give a problem for each verb that nothing can be said on without pull requests."""
    if parsed.problems:
        return []
    return [
        Problem(
            "needs-github",
            f"`{x.verb}` acts on the pull requests of a rollout; a working tree has none.",
            "`canary sandbox` rehearses it on a copy of the repository, with pull requests.",
            source=x.source,
            caret=(0, len(x.source)),
        )
        for x in parsed.commands
        if isinstance(x, _PAGES) or (isinstance(x, c.Cancel) and not any(m.ours for m in tree.commits_of(0)))
    ]


def _ask(tree: WorkTree, service: str | None) -> str:
    """Let the bot look at the comment, and give its reply."""
    bot = Bot(
        forge=Here(tree),
        clock=SystemClock(),
        rulebook=built_in(),
        marks=lambda subject, *, at, why: None,  # noqa: ARG005 - there is no later
        historian=Historian(),
        rehearsal=True,
        service=service,
    )
    bot.look(Subject(0, tree.name, "pull/0"), "comment")
    return tree.replies[0]


def _read(tree: WorkTree, said: str) -> Answered:
    """Take a reply apart: the text for people, and the outcome that its marker holds."""
    value = Answer.read(said)
    text = markers.strip(said).removeprefix(f"@{PERSON.login} ")
    for made in tree.commits:
        # The diff is printed by itself.
        text = text.replace(report.diff_block(unified(made.before, made.after, made.path)), "")
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    if value is None:  # pragma: no cover - every reply has one
        raise ValueError(said)
    edits = tree.edits
    return Answered(
        decision=value.decision,
        code=value.code,
        service=value.service,
        rollout=value.rollout,
        step=value.step,
        reply=text,
        diff="".join(unified(e.before, e.after, e.path) for e in edits),
        files=tuple(dict.fromkeys(e.path for e in edits)),
    )


def _write(tree: WorkTree, talk: list[str]) -> None:
    """Write the edits, each file in one step.

    Raises:
        Declined: Two edits are of one file; a file changed meanwhile or cannot be written.
    """
    edits = tree.edits
    _check_apart(edits)
    for edit in edits:
        tree.write(edit)
        lines = changed_lines(edit.before, edit.after)
        talk.append(f"Wrote {show.one_line(edit.path)}: {lines} line{'s' if lines != 1 else ''} changed.")


def _check_apart(edits: Sequence[Edit]) -> None:
    paths = [edit.path for edit in edits]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise Declined(
            Problem(
                "which-service",
                f"The bot would open two pull requests that both change {code(twice)}; nothing was written.",
                "Write one after the other: `--service NAME`.",
            )
        )


@contextmanager
def _log(*, debug: bool) -> Iterator[None]:
    """Keep the engine's log off the screen, or on standard error where it is wanted."""
    import logging  # noqa: PLC0415 - for two numbers

    before = structlog.get_config() if structlog.is_configured() else None
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        if before is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**before)
