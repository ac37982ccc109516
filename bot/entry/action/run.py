"""One run with work: a token, a repository, the bot, until nothing is due.

The engine is the repository itself: what is missing is read from GitHub, so a run that was cancelled at
any moment, or was replaced while it waited, is made good by the next one.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytimeparse2

from bot.adapters.clock import SystemClock
from bot.adapters.gates.hosts import Outside
from bot.adapters.gates.judges import Judges
from bot.adapters.github.token import WORKFLOWS, TokenForge
from bot.adapters.rulebook import built_in
from bot.core.problems import OutsideFailure
from bot.core.subject import Subject
from bot.core.text import printable
from bot.entry import logs
from bot.entry.action import files, summary
from bot.entry.action.agenda import Agenda, work_off
from bot.entry.action.command import AGE, ENDPOINTS, TOKEN, unusable
from bot.entry.action.event import INSTALLATION, Judge, Look
from bot.ports import Moved, Refused
from bot.service import Bot, Historian
from bot.service.bot import LEFT_BEHIND, MAX_COMMAND_AGE, OLDEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bot.entry.action.event import GoOn
    from bot.ports import Check, Clock
    from bot.service.journal import Entry

log = logging.getLogger(__name__)

GITHUB = "https://api.github.com"
FAILED, CANCELLED = 1, 130
LONGEST_AGE = 40  # characters


def run(
    environ: Mapping[str, str],
    wanted: Look | Judge | GoOn,
    *,
    slug: str = WORKFLOWS,
    clock: Clock | None = None,
    sleep: Callable[[float], None] = time.sleep,
    on_request: Callable[[str, str, int], None] = lambda _method, _path, _status: None,
) -> int:
    """Do what an event asks for, and what else is due; give the exit status.

    Args:
        environ: The runner's variables and the Action's inputs.
        wanted: What the event asks for.
        slug: The App that the token belongs to.
        clock: The machine's, unless a rehearsal brings its own.
        sleep: Waits for some seconds.
        on_request: Hears of each request to GitHub.
    """
    clock = clock or SystemClock()
    try:
        forge = _forge(environ, slug, clock, sleep, on_request)
        age = _max_age(environ)
        outside = _outside(environ)
    except ValueError as reason:
        return unusable(environ, str(reason))
    try:
        with _cancellable(), files.no_commands(sys.stdout), redirect_stderr(sys.stdout):
            # From here on foreign text may be printed, if only in a log line.
            tokens = [endpoint.token for endpoint in outside.endpoints if endpoint.token]
            logs.configure("WARNING", secrets=[environ.get(TOKEN, ""), *tokens])
            entries: list[Entry] = []
            agenda = Agenda(clock)
            bot = Bot(
                forge,
                clock,
                built_in(),
                agenda,
                Historian(),
                max_command_age=age,
                journal=entries.append,
                gates=Judges(outside),
            )
            try:
                if isinstance(wanted, Judge):
                    tell = partial(
                        _report_check, environ, bot.judge(wanted.subject, wanted.sha), wanted.number
                    )
                else:
                    done = _go(environ, bot, wanted, forge, agenda=agenda, entries=entries, sleep=sleep)
                    tell = partial(_report_run, environ, done, forge.stranger)
            except Moved:
                newer = (
                    "The pull request has a newer commit than this run is about; that one's run judges it."
                )
                tell = partial(unusable, environ, newer)
            except (OutsideFailure, Refused) as failure:
                tell = partial(
                    unusable, environ, f"GitHub did not answer as needed: {files.harmless(str(failure))}"
                )
            except Exception as error:
                # Its text may hold anybody's, so the trace stays where the runner takes no commands.
                log.exception("run-failed")
                tell = partial(unusable, environ, f"This is a bug of the bot ({type(error).__name__}).")
    except KeyboardInterrupt:
        print("Cancelled; the next run goes on from here.")  # noqa: T201 - the job's log
        return CANCELLED
    return tell()


def _go(
    environ: Mapping[str, str],
    bot: Bot,
    wanted: Look | GoOn,
    forge: TokenForge,
    *,
    agenda: Agenda,
    entries: list[Entry],
    sleep: Callable[[float], None],
) -> summary.Run:
    start = bot.clock.now()
    look = wanted if isinstance(wanted, Look) else None
    for subject, why in look.subjects if look is not None else ():
        agenda(subject, at=start, why=why)
    # A comment's run also looks for what other runs left behind, and at the bot's own pull requests; a
    # scheduled one at everybody's as well, whose checks nobody else would set.
    what = LEFT_BEHIND if look is not None else "repository"
    agenda(Subject(INSTALLATION, wanted.repository, what), at=start, why="sweep")
    failed = work_off(agenda, bot.look, sleep)
    server = environ.get("GITHUB_SERVER_URL", "").rstrip("/") or "https://github.com"
    done = summary.Run(
        web_url=f"{server}/{wanted.repository}",
        comment=look.comment if look is not None else "",
        comment_is_too_old=look is not None and _is_history(look.said_at, start),
        started_at=start,
        entries=tuple(entries),
        failed=failed,
        later=agenda.later,
    )
    caveats = sorted(forge.caveats) + (["no-workflows"] if done.wrote and not forge.starts_workflows else [])
    return replace(done, caveats=tuple(caveats))


def _is_history(said_at: str, now: datetime) -> bool:
    """Whether the event's comment is one of long ago: a job that somebody runs again."""
    try:
        return bool(said_at) and now - datetime.fromisoformat(said_at) > OLDEST
    except (ValueError, TypeError):  # no time, or one without a zone
        return False


def _report_run(environ: Mapping[str, str], done: summary.Run, stranger: str) -> int:
    if stranger:
        return unusable(environ, stranger)
    files.write_outputs(environ, summary.outputs(done))
    files.write_summary(environ, summary.markdown(done))
    print(summary.headline(done))  # noqa: T201 - the job's log
    for caveat in done.caveats:
        print(files.annotation("notice", summary.CAVEATS[caveat].replace("`", ""), title="canary"))  # noqa: T201
    for reason in summary.undone(done):
        # GitHub's own words may repeat somebody's.
        print(files.annotation("error", files.harmless(reason), title="canary"))  # noqa: T201
    return 0 if done.is_good else FAILED


def _report_check(environ: Mapping[str, str], check: Check | None, number: int) -> int:
    values = summary.of_check(check, number)
    files.write_outputs(environ, values)
    files.write_summary(environ, summary.check_markdown(check))
    print(values["summary"])  # noqa: T201 - the job's log
    for remark in check.annotations if check is not None else ():
        level = "error" if remark.level == "failure" else remark.level
        line = files.annotation(
            level,
            printable(remark.message, longest=1000),
            title=printable(remark.title),
            path=printable(remark.path),
            line=remark.start_line,
            end_line=remark.end_line,
            column=remark.column or 0,
        )
        print(line)  # noqa: T201
    return FAILED if check is not None and check.conclusion == "failure" else 0


def _forge(
    environ: Mapping[str, str],
    slug: str,
    clock: Clock,
    sleep: Callable[[float], None],
    on_request: Callable[[str, str, int], None],
) -> TokenForge:
    base_url = environ.get("GITHUB_API_URL", "") or GITHUB
    server = environ.get("GITHUB_SERVER_URL", "").rstrip("/")
    repository, job = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_RUN_ID", "")
    is_job = server and job.isascii() and job.isdecimal()
    return TokenForge(
        environ.get(TOKEN, ""),
        repository,
        slug=slug,
        base_url=base_url,
        web_url=server or None,
        clock=clock,
        on_request=on_request,
        # As for the service: github.com signs what an App commits by its API.
        signed_commits_only=urlsplit(base_url).hostname == "api.github.com",
        evidence_url=f"{server}/{repository}/actions/runs/{job}" if is_job else "",
        sleep=sleep,
    )


def _max_age(environ: Mapping[str, str]) -> timedelta:
    text = environ.get(AGE, "")
    if not text:
        return MAX_COMMAND_AGE
    is_short = text.isascii() and len(text) <= LONGEST_AGE
    seconds = (int(text) if text.isdecimal() else pytimeparse2.parse(text)) if is_short else None
    if not isinstance(seconds, int | float) or not 0 < seconds <= OLDEST.total_seconds():
        raise ValueError(f"{AGE} is a duration of 72 hours at most, like 3600, 90m or 2h.")
    return timedelta(seconds=seconds)


def _outside(environ: Mapping[str, str]) -> Outside:
    text = environ.get(ENDPOINTS, "")
    if not text.strip():
        return Outside()
    from bot.entry.endpoints import EndpointsUnusable, read_endpoints  # noqa: PLC0415 - few have endpoints

    try:
        return read_endpoints(text)
    except EndpointsUnusable as faults:
        raise ValueError(f"The input endpoints is wrong: {files.harmless(str(faults))}.") from None


@contextmanager
def _cancellable() -> Iterator[None]:
    """Have a cancelled job end as an interrupted one: SIGINT comes first, SIGTERM some seconds later."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(*_: object) -> None:
        raise KeyboardInterrupt

    # Both by name: a process that something in the background has started ignores SIGINT otherwise.
    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
