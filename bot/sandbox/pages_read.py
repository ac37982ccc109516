"""The pages that show something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from bot.sandbox.errors import not_found
from bot.sandbox.markdown import render
from bot.sandbox.pages_edit import as_text
from bot.sandbox.pages_http import USER_COOKIE, Door, Refusal, Visit, painted
from bot.sandbox.pages_traffic import traffic_of
from bot.sandbox.pages_view import Person
from bot.sandbox.pages_world import Views

if TYPE_CHECKING:
    from bot.sandbox.model import Repository
    from bot.sandbox.world import World

MOST_PATHS = 500  # files listed on a repository's page
NOT_FOUND = 404
_COUNT_WORDS = {"success": "successful", "failure": "failing", "pending": "pending", "neutral": "neutral"}


class Pages:
    """The pages that show something, a method for each.

    Args:
        world: Shown; its methods may block, so they run in threads.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.views = Views(world)
        self.door = Door()

    def problem(self, visit: Visit, no: Refusal) -> Response:
        """Give the page of a refusal."""
        back = f"/{visit.repo}/pulls" if "name" in visit.path and no.status != NOT_FOUND else "/"
        return self._page(visit, "problem.html", status=no.status, title=no.title, text=no.text, back=back)

    def _page(
        self,
        visit: Visit,
        template: str,
        *,
        repository: Repository | None = None,
        status: int = 200,
        watch: str = "",
        version: str = "",
        tab: str = "",
        alert: str = "",
        **values: object,
    ) -> Response:
        """Give a page with all that its frame needs."""
        repo = repository.full_name if repository else ""
        now = self.world.clock.now()
        return self.door.page(
            visit,
            template,
            status=status,
            now=now,
            me=self.me(visit, repo),
            people=self.views.people(repo),
            repo=self.views.repo(repository) if repository else None,
            watch=watch,
            version=f"{version}.{now:%H%M}" if watch else "",
            tab=tab,
            alert=alert,
            **values,
        )

    def me(self, visit: Visit, repo: str = "") -> Person:
        """Give the person whom the visitor chose to be, or the first who may write."""
        people = self.views.people(repo)
        chosen = visit.cookies.get(USER_COOKIE, "").casefold()
        found = [one for one in people if one.login.casefold() == chosen]
        ready = [one for one in people if one.may("write")]
        return next(iter([*found, *ready, *people]), Person("nobody"))

    def repository_of(self, visit: Visit) -> Repository:
        """Find the repository of the path. Raises ``ApiError`` 404, also where the person may not look."""
        repository = self.world.repository(visit.repo)
        if repository.private and not self.me(visit, repository.full_name).may("read"):
            raise not_found()
        return repository

    # pages ---------------------------------------------------------------------------------

    def static(self, visit: Visit) -> Response:
        """Give the style sheet, the script or the picture."""
        return self.door.static(visit.path["file"])

    def version(self, visit: Visit) -> Response:
        """Give the text that tells a page when to look again."""
        now = self.world.clock.now()
        if "number" in visit.path:
            version = self.views.pull_version(self.repository_of(visit).full_name, visit.number)
        elif "name" in visit.path:
            version = self.views.repo_version(self.repository_of(visit).full_name)
        else:
            version = self.views.world_version()
        return JSONResponse({"version": f"{version}.{now:%H%M}"}, headers={"Cache-Control": "no-store"})

    def home(self, visit: Visit) -> Response:
        """Show the repositories, all or an owner's."""
        repos = [self.views.repo(repository) for repository in self.world.repositories()]
        owner = self.world.account(visit.path["owner"]).login if "owner" in visit.path else ""
        shown = [repo for repo in repos if owner in {"", repo.owner}]
        version = self.views.world_version()
        return self._page(visit, "home.html", repos=shown, owner=owner, watch="/-/version", version=version)

    def repository(self, visit: Visit) -> Response:
        """Show the files, the branches and the traffic of a branch."""
        repository = self.repository_of(visit)
        repo = repository.full_name
        ref = visit.query.get("ref") or repository.default_branch
        paths = self.world.files(repo, ref)
        latest = self.world.log(repo, ref, limit=1)
        readme = next((path for path in paths if path.lower() in {"readme.md", "readme"}), "")
        text = as_text(self.world.read(repo, ref, readme)) if readme else None
        branches = sorted(self.world.branches(repo), key=lambda one: (one != repository.default_branch, one))
        return self._page(
            visit,
            "repository.html",
            repository=repository,
            tab="code",
            ref=ref,
            branches=branches,
            paths=paths[:MOST_PATHS],
            paths_left=max(0, len(paths) - MOST_PATHS),
            latest=self.views.commit(repo, latest[0]) if latest else None,
            traffic=self.views.traffic(repo, ref, paths),
            readme=render(text, repository=repo, breaks=False) if text else "",
            readme_path=readme,
            watch=f"/{repo}/version",
            version=self.views.repo_version(repo),
        )

    def history(self, visit: Visit) -> Response:
        """Show the commits of a branch."""
        repository = self.repository_of(visit)
        repo, ref = repository.full_name, visit.path["ref"]
        commits = [self.views.commit(repo, one) for one in self.world.log(repo, ref)]
        return self._page(
            visit,
            "history.html",
            repository=repository,
            tab="code",
            ref=ref,
            commits=commits,
            watch=f"/{repo}/version",
            version=self.views.repo_version(repo),
        )

    def commit(self, visit: Visit) -> Response:
        """Show one commit."""
        repository = self.repository_of(visit)
        repo = repository.full_name
        found = self.world.log(repo, visit.path["sha"], limit=1)
        if not found:
            raise not_found()
        return self._page(
            visit,
            "commit.html",
            repository=repository,
            tab="code",
            commit=self.views.commit(repo, found[0]),
            files=self.views.changes_of(repository, found[0]),
        )

    def blob(self, visit: Visit) -> Response:
        """Show a file, with the form to change it."""
        repository = self.repository_of(visit)
        ref, path = self._ref_and_path(repository.full_name, visit.path["rest"])
        return self.blob_page(visit, repository, ref, path)

    def _ref_and_path(self, repo: str, rest: str) -> tuple[str, str]:
        """Part ``feature/x/service.yaml``: a branch may hold slashes, the longest that is one wins."""
        parts = rest.split("/")
        branches = self.world.branches(repo)
        for size in range(len(parts) - 1, 0, -1):
            if (ref := "/".join(parts[:size])) in branches:
                return ref, "/".join(parts[size:])
        return parts[0], "/".join(parts[1:])

    def blob_page(
        self,
        visit: Visit,
        repository: Repository,
        ref: str,
        path: str,
        *,
        status: int = 200,
        alert: str = "",
    ) -> Response:
        """Give the page of a file; what was typed into its form stays."""
        repo = repository.full_name
        content = self.world.read(repo, ref, path)
        text = as_text(content)
        lines = (
            [line.removesuffix("\r") for line in (text or "").removesuffix("\n").split("\n")] if text else []
        )
        typed = visit.form.get("content")
        form = {
            "title": visit.form.get("title", ""),
            "branch": visit.form.get("branch") or self._free_branch(repository, self.me(visit, repo)),
            "description": visit.form.get("description", ""),
        }
        return self._page(
            visit,
            "blob.html",
            repository=repository,
            tab="code",
            status=status,
            alert=alert,
            ref=ref,
            path=path,
            size=len(content),
            lines=[painted(path, line) for line in lines],
            crlf=b"\r\n" in content,
            content=typed if typed is not None else (text or ""),
            fingerprint=self.world.entry(repo, ref, path).sha,
            on_branch=ref in self.world.branches(repo),
            traffic=traffic_of(path, content),
            form=form,
        )

    def _free_branch(self, repository: Repository, me: Person) -> str:
        branches = self.world.branches(repository.full_name)
        number = 1
        while f"{me.login}-patch-{number}" in branches:
            number += 1
        return f"{me.login}-patch-{number}"

    def pulls(self, visit: Visit) -> Response:
        """Show the pull requests, open or closed."""
        repository = self.repository_of(visit)
        repo = repository.full_name
        state = "closed" if visit.query.get("state") == "closed" else "open"
        return self._page(
            visit,
            "pulls.html",
            repository=repository,
            tab="pulls",
            state=state,
            pulls=[self.views.pull(repo, one) for one in self.world.pulls(repo, state=state)],
            watch=f"/{repo}/version",
            version=self.views.repo_version(repo),
        )

    def pull(self, visit: Visit) -> Response:
        """Show one of the four sides of a pull request."""
        view = visit.path.get("view", "conversation")
        if view not in {"conversation", "commits", "checks", "files"}:
            raise not_found()
        return self.pull_page(visit, view)

    def pull_page(
        self, visit: Visit, view: str = "conversation", *, status: int = 200, alert: str = ""
    ) -> Response:
        """Give one side of a pull request; after a refusal what was typed stays."""
        repository = self.repository_of(visit)
        repo = repository.full_name
        home = f"/{repo}/pull/{visit.number}"
        # The version comes first: what changes while the page is made is then seen as news.
        version = self.views.pull_version(repo, visit.number)
        page = self.views.page(repo, visit.number)
        me, pull = self.me(visit, repo), page.pull
        counts: dict[str, int] = {}
        for check in pull.checks:
            word = _COUNT_WORDS.get(check.conclusion, check.word.lower())
            counts[word] = counts.get(word, 0) + 1
        record = self.world.pull(repo, visit.number)
        branch_is_there = record.head_ref in self.world.branches(repo) and not pull.fork
        return self._page(
            visit,
            f"{view}.html",
            repository=repository,
            tab="pulls",
            status=status,
            alert=alert,
            view=view,
            home=home,
            pull=pull,
            page=page,
            check_counts=sorted(counts.items()),
            may_close=me.may("triage") or me.login == pull.author.login,
            may_delete_branch=branch_is_there
            and me.may("write")
            and record.head_ref != repository.default_branch,
            draft=visit.form.get("body", "") if alert else "",
            watch=f"{home}/version",
            version=version,
        )
