"""The tokens that programs get without asking for them: a workflow's, and an App's handed to it.

A workflow's ``GITHUB_TOKEN`` is an installation token of the App "GitHub Actions" for one repository.
Source: GitHub's "GITHUB_TOKEN" and "Triggering a workflow from a workflow": what is done with it
starts no workflows, it may change none, and it opens pull requests only where the repository allows it.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.model import Account, App
from bot.sandbox.people import Grant, People

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Installation, MergeMethod, Repository

WORKFLOW_LIFE = timedelta(hours=24)  # longest; on GitHub the end of the job ends it earlier
ACTIONS_APP_ID = 15368
ACTIONS_USER_ID = 41898282
ACTIONS_SLUG = "github-actions"
ACTIONS_LOGIN = f"{ACTIONS_SLUG}[bot]"
WORKFLOW_PERMISSIONS = frozenset(
    {
        *("actions", "attestations", "checks", "contents", "deployments", "discussions", "id_token"),
        *("issues", "models", "packages", "pages", "pull_requests", "security_events", "statuses"),
    }
)
_OF_JOBS = frozenset({"attestations", "id_token", "models"})  # no App shows these: GitHub's webhook schemas
NOT_PERMITTED = "GitHub Actions is not permitted to create or approve pull requests."

WorkflowEvent = Literal["push", "pull_request"]


class Tokens(People):
    """Tokens of workflows, and what is done with them."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._pushers: dict[tuple[int, str], Account | None] = {}
        self._started: dict[tuple[int, str, WorkflowEvent], bool] = {}

    @locked
    def account(self, login: str) -> Account:
        """Find an account; that of GitHub Actions is there from the first question on."""
        if login.casefold() == ACTIONS_LOGIN and login.casefold() not in self._accounts:
            self.actions_app()
        return super().account(login)

    @locked
    def actions_app(self) -> App:
        """Give the App "GitHub Actions", with its ids on github.com. Nobody has its key."""
        if ACTIONS_APP_ID in self.apps:
            return self.apps[ACTIONS_APP_ID]
        now = self.now()
        bot = Account(ACTIONS_USER_ID, ACTIONS_LOGIN, "GitHub Actions", "Bot", now, ACTIONS_APP_ID)
        owner = self._accounts.get("github") or self._add_account("github", "GitHub", "Organization")
        self._accounts[ACTIONS_LOGIN] = bot
        app = App(
            id=ACTIONS_APP_ID,
            slug=ACTIONS_SLUG,
            name="GitHub Actions",
            owner=owner,
            bot=bot,
            private_key_pem="",
            public_key_pem="",
            webhook_secret="",
            permissions={
                "metadata": "read",
                **dict.fromkeys(sorted(WORKFLOW_PERMISSIONS - _OF_JOBS), "write"),
            },
            events=(),
            created_at=now,
            hook_id=self.next_id(),
            client_id="Iv1.05c79e9ad1f6bdfa",
        )
        self.apps[ACTIONS_APP_ID] = app
        return app

    @locked
    def workflow_token(
        self, repo: str, permissions: Mapping[str, str], *, life: timedelta = WORKFLOW_LIFE
    ) -> str:
        """Give a ``GITHUB_TOKEN`` for one repository.

        Args:
            repo: ``owner/name``.
            permissions: As a workflow's ``permissions``: names with ``-`` or ``_``, and ``read``,
                ``write`` or ``none``. What is not named is ``none``; ``metadata`` is always read.
            life: How long it lives.

        Raises:
            ValueError: A permission or level that a workflow does not have.
        """
        repository, held = self.repository(repo), {"metadata": "read"}
        for name, level in permissions.items():
            known = name.replace("-", "_")
            if known not in WORKFLOW_PERMISSIONS or level not in {"read", "write", "none"}:
                raise ValueError(f"no permission of a workflow: {name}: {level}")
            if level != "none":
                held[known] = level
        number = self.install(self.actions_app(), repository.full_name)
        return self._hand_out(self.installations[number], repository, held, life)

    def _hand_out(
        self, installation: Installation, repository: Repository, held: Mapping[str, str], life: timedelta
    ) -> str:
        token = f"ghs_{installation.app.id}_{secrets.token_hex(24)}"
        self._grants[token] = Grant(token, installation, frozenset({repository.id}), held, self.now() + life)
        return token

    @locked
    def installation_token(self, app: App, repo: str, permissions: Mapping[str, str] | None = None) -> str:
        """Give an App's token for one repository, as a workflow's step that mints one has it.

        Raises:
            ApiError: 404 where the App is not installed, 422 for more than it was given.
        """
        repository = self.repository(repo)
        installation = self.installation_of(app, repository)
        if installation is None:
            raise not_found()
        return self.issue_token(installation, None, [repository.id], permissions).token

    # what starts workflows -----------------------------------------------------------------------

    def note_event(self, repository: Repository, sha: str, event: WorkflowEvent, who: Account | None) -> None:
        """Remember whether an event would start workflows: not when a workflow's token caused it."""
        key = (repository.id, sha, event)
        if event == "push":
            self._pushers[repository.id, sha] = who
        starts = who is None or who.app_id != ACTIONS_APP_ID
        self._started[key] = self._started.get(key, False) or starts

    def pusher_of(self, repository: Repository, sha: str) -> Account | None:
        """Give who last pushed a commit, ``None`` when that is not known."""
        return self._pushers.get((repository.id, sha))

    @locked
    def starts_workflows(self, repo: str, sha: str, event: WorkflowEvent | None = None) -> bool:
        """Tell whether workflows started for a commit.

        They do when it was pushed, or its pull request opened, updated or reopened, by anybody but a
        workflow with its own token. Which workflows the repository has is not looked at.

        Args:
            repo: ``owner/name``, for ``pull_request`` that of the pull request.
            sha: The commit.
            event: Only workflows of this event; of either when left out.
        """
        number = self.repository(repo).id
        events: tuple[WorkflowEvent, ...] = ("push", "pull_request") if event is None else (event,)
        return any(self._started.get((number, sha, one), False) for one in events)

    def check_workflow_pull(self, repository: Repository, who: Account) -> None:
        """Refuse a workflow that proposes or approves where that is off. Raises ``ApiError`` 403."""
        if who.app_id == ACTIONS_APP_ID and not repository.workflows_open_pulls:
            raise ApiError(403, NOT_PERMITTED)

    @locked
    def configure(
        self,
        repo: str,
        *,
        allow_auto_merge: bool | None = None,
        delete_branch_on_merge: bool | None = None,
        workflows_open_pulls: bool | None = None,
        merge_methods: tuple[MergeMethod, ...] | None = None,
    ) -> None:
        """Change settings of a repository; what is left out stays.

        Args:
            repo: ``owner/name``.
            allow_auto_merge: Pull requests may be set to merge by themselves.
            delete_branch_on_merge: A merge deletes the head branch.
            workflows_open_pulls: "Allow GitHub Actions to create and approve pull requests".
            merge_methods: How pull requests may be merged.
        """
        repository = self.repository(repo)
        if allow_auto_merge is not None:
            repository.allow_auto_merge = allow_auto_merge
        if delete_branch_on_merge is not None:
            repository.delete_branch_on_merge = delete_branch_on_merge
        if workflows_open_pulls is not None:
            repository.workflows_open_pulls = workflows_open_pulls
        if merge_methods is not None:
            repository.merge_methods = merge_methods
