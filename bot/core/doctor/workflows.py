"""The workflows that use the Action.

Source: docs.github.com, "Workflow syntax for GitHub Actions"; ``reference/reliability.md`` 5.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.doctor.catalogue import Finding
from bot.core.doctor.documents import at, entries, objects, place, text, texts
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.core.problems import Place

_ACTION = re.compile(r"[A-Za-z0-9_.-]+/canary-bot(?:/[^@\s]*)?@(?P<ref>\S+)", re.ASCII | re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_WORKFLOW_TOKEN = re.compile(r"\$\{\{\s*(github\.token|secrets\.GITHUB_TOKEN)\s*\}\}", re.IGNORECASE)

FOLDER = ".github/workflows/"
COMMANDS = frozenset(
    {"issue_comment", "pull_request_review", "check_run", "push", "schedule", "workflow_dispatch"}
)
"""Triggers whose runs write. A run for ``pull_request`` alone only checks, and needs no right to write."""

NEEDED = {"contents": "write", "pull-requests": "write"}
_REPORTS = ("checks", "statuses")  # one of them is enough
_USED = frozenset({*NEEDED, *_REPORTS, "issues"})
_TOKENS = ("token", "github-token", "app-id", "app-private-key", "private-key")


@dataclass(frozen=True, slots=True)
class Use:
    """One step that uses the Action. ``permissions`` and ``concurrency`` are those in force for its job."""

    ref: str
    where: Place
    triggers: dict[str, Any]
    triggers_at: Place
    permissions: Any
    concurrency: Any
    own_token: bool

    @property
    def commands(self) -> bool:
        """Whether the job carries commands out."""
        return bool(COMMANDS & set(self.triggers))


def is_workflow(path: str) -> bool:
    """Say whether GitHub takes a file for a workflow; those in folders below are none."""
    return path.startswith(FOLDER) and "/" not in path.removeprefix(FOLDER)


def uses(path: str, documents: tuple[Any, ...]) -> list[Use]:
    """Give the steps of a workflow file that use the Action."""
    found = []
    for workflow in objects(documents):
        jobs = at(workflow, "jobs")
        for job in jobs.values() if isinstance(jobs, dict) else ():
            for step in entries(at(job, "steps")):
                match = _ACTION.fullmatch(text(at(step, "uses")))
                if match is not None:
                    found.append(_use(path, workflow, job, step, match["ref"]))
    return found


def _use(path: str, workflow: dict[Any, Any], job: dict[Any, Any], step: dict[Any, Any], ref: str) -> Use:
    given = [text(at(step, "with", name)) for name in _TOKENS]
    return Use(
        ref=ref,
        where=place(path, step, "uses"),
        triggers=_triggers(workflow.get("on")),
        triggers_at=place(path, workflow, "on"),
        permissions=job.get("permissions", workflow.get("permissions")),
        concurrency=job.get("concurrency", workflow.get("concurrency")),
        own_token=any(value and not _WORKFLOW_TOKEN.fullmatch(value.strip()) for value in given),
    )


def _triggers(on: Any) -> dict[str, Any]:
    if isinstance(on, dict):
        return {str(key): value for key, value in on.items()}
    return dict.fromkeys(texts(on) if isinstance(on, list) else [text(on)])


def judge(found: Iterable[Use]) -> Iterator[Finding]:
    """Give what the steps that use the Action, all together, lack."""
    steps = list(found)
    for use in steps:
        if not _COMMIT.fullmatch(use.ref):
            yield Finding("action-unpinned", f"The Action is used at {code(use.ref)}.", use.where)
        yield from _permissions(use)
        if use.commands:
            yield from _concurrency(use)
        yield from _trigger(use)
    commanded = [use for use in steps if "issue_comment" in use.triggers]
    if commanded and not any("schedule" in use.triggers for use in steps):
        yield Finding("action-no-schedule", "No workflow here goes on with bakes.", commanded[0].triggers_at)


def _permissions(use: Use) -> Iterator[Finding]:
    held = use.permissions
    if held == "write-all":
        yield Finding("action-permissions-wide", "The job has `permissions: write-all`.", use.where)
        return
    named = {str(key): str(value) for key, value in held.items()} if isinstance(held, dict) else {}
    wide = [name for name, level in named.items() if level == "write" and name not in _USED]
    if wide:
        shown = ", ".join(code(name) for name in wide)
        yield Finding("action-permissions-wide", f"The job may also write {shown}.", use.where)
    if use.own_token or not use.commands:
        return
    if held is None:
        text_ = "Neither the job nor the workflow has `permissions`; a setting of the repository decides."
        yield Finding("action-permissions-missing", text_, use.where)
        return
    missing = [f"{name}: {level}" for name, level in NEEDED.items() if named.get(name) != level]
    if not any(named.get(name) == "write" for name in _REPORTS):
        missing.append("checks: write")
    if missing:
        shown = ", ".join(f"`{one}`" for one in missing)
        yield Finding("action-permissions-missing", f"The job lacks {shown}.", use.where)


def _concurrency(use: Use) -> Iterator[Finding]:
    if use.concurrency is None:
        yield Finding("action-concurrency-missing", "Two runs may work at once.", use.where)
        return
    cancels = at(use.concurrency, "cancel-in-progress")
    if cancels is True or (isinstance(cancels, str) and cancels.strip().lower() != "false"):
        shown = code(str(cancels).lower() if cancels is True else cancels)
        yield Finding("action-cancels", f"`cancel-in-progress` is {shown}.", use.where)


def _trigger(use: Use) -> Iterator[Finding]:
    if "issue_comment" not in use.triggers:
        return
    types = at(use.triggers["issue_comment"], "types")
    named = [types] if isinstance(types, str) else texts(types)
    if not named:
        text_ = "`issue_comment` without `types` starts for comments that are edited or deleted as well."
        yield Finding("action-trigger-edited", text_, use.triggers_at)
    elif set(named) - {"created"}:
        shown = ", ".join(code(name) for name in named if name != "created")
        yield Finding("action-trigger-edited", f"`issue_comment` also starts for {shown}.", use.triggers_at)
