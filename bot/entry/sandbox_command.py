"""``canary sandbox [PATH]``: the stand-in for GitHub with the bot attached, to rehearse on by hand.

With a path it holds a copy of that repository, which itself is only read; without one it holds the
demo's repository with a pull request that waits for ``/canary 25``.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING

from bot.entry.demo import shop
from bot.entry.demo.needs import missing
from bot.entry.demo.waiting import quiet_logs, serve_on
from bot.entry.rehearsal import rehearsal
from bot.entry.show import one_line, talk
from bot.manifests.workload import find
from bot.sandbox.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from bot.entry.rehearsal import Rehearsal
    from bot.sandbox.model import Repository

DONE, UNUSABLE = 0, 2
OWNER = "local"
SUFFIXES = (".yaml", ".yml", ".json")
COMMITTED = "refs/sandbox/head"  # where the copy keeps what the original's HEAD was
_BASES = ("main", "master", "trunk", "develop")


def run(path: Path | None, port: int) -> int:
    """Serve until Ctrl-C and give the exit status: 2 where the path or the machine is not fit for it.

    Args:
        path: A git repository, or a folder in one; never written to.
        port: Of the page; 0 for any that is free.
    """
    problem = missing()
    if problem is not None:
        return _unusable(problem)
    with ExitStack() as stack:
        stack.enter_context(quiet_logs())
        try:
            rehearsed = stack.enter_context(rehearsal(port=port, sweep=True))
        except OSError as error:
            return _unusable(f"the page cannot be served: {error}")
        try:
            name, number = _own(rehearsed) if path is None else _copied(rehearsed, path)
        except ValueError as error:
            return _unusable(one_line(str(error)))
        serve_on(rehearsed, name, number, _welcome(rehearsed, path, name, number))
    return DONE


def _unusable(reason: str) -> int:
    talk(f"canary sandbox: {reason}")
    return UNUSABLE


def _welcome(run: Rehearsal, path: Path | None, repo: str, number: int | None) -> str:
    what = "A shop to rehearse in" if path is None else f"A copy of {one_line(str(path))}, which is only read"
    if number is None:
        return f"{what}. Edit a manifest under Code, propose the change, and comment /canary 25 on it."
    if _has_service(run, repo, number):
        return f"{what}. Pull request #{number} waits for a comment: /canary 25"
    return f"{what}. Pull request #{number} is the work under way; it changes no Knative Service."


def _has_service(run: Rehearsal, repo: str, number: int) -> bool:
    head = run.world.pull(repo, number).head_sha
    paths = [file.path for file in run.world.diff(repo, number) if file.status != "removed"]
    return any(
        find(run.world.read(repo, head, path), path).workloads for path in paths if path.endswith(SUFFIXES)
    )


def _own(run: Rehearsal) -> tuple[str, int]:
    shop.build(run)
    content = shop.new_customer(run.world.read(shop.REPO, "main", shop.CUSTOMER))
    title, body = "Customer 4.0.0", "A new image, and a new name for the revision."
    number = shop.propose(run, "customer-4", shop.CUSTOMER, content, title=title, body=body, by="ana")
    return shop.REPO, number


def _copied(run: Rehearsal, path: Path) -> tuple[str, int | None]:
    """Copy a repository, install the bot, and open a pull request of the work that is under way there.

    Work that is not committed, or a branch that is not the base branch, is what somebody wants to
    rehearse; so it becomes a pull request.

    Raises:
        ValueError: ``path`` is no git repository, or has no commit.
    """
    world = run.world
    for login in shop.PEOPLE:
        world.add_user(login)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(".git"))[:100]
    repository = world.import_repository(f"{OWNER}/{name.strip('.') or 'repository'}", path, by="kim")
    for login, role in shop.PEOPLE.items():
        world.set_role(repository.full_name, login, role)
    run.install(repository.full_name)
    return repository.full_name, _work(run, repository)


def _work(run: Rehearsal, repository: Repository) -> int | None:
    """Open a pull request of the work under way; ``None`` where there is none."""
    world, name, current = run.world, repository.full_name, repository.default_branch
    branches = world.branches(name)
    base = next((branch for branch in (*_BASES, current) if branch in branches), current)
    title = f"Rehearse {current}"
    if current == base:
        committed = repository.git.ref(COMMITTED)
        if committed in {None, branches[current]}:
            return None
        current = next(n for i in count() if (n := f"not-committed{i or ''}") not in branches)
        world.create_branch(name, current, at=branches[base])
        world.move_branch(name, base, str(committed), force=True, by="kim")
        title = "Work that is not committed yet"
    repository.default_branch = base
    repository.git.run("symbolic-ref", "HEAD", f"refs/heads/{base}")
    try:
        return world.open_pull(name, current, base, title, by="ana").number
    except ApiError:
        return None  # nothing on the branch that the base has not
