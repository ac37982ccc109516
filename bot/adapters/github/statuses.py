"""A repository seen with a token whose rights nobody can look up: what is refused is done another way.

Check runs belong to Apps and need ``checks: write``. Where they are refused, the same judgement is told
as a commit status, which has a state and one line; where that is refused too, the command still counts.
Source: GitHub's OpenAPI, ``checks/create`` and ``repos/create-commit-status``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.adapters.github.values import understood
from bot.adapters.github.writing import GitHubRepository
from bot.ports import Missing, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.ports import Check, CheckConclusion

LONGEST_DESCRIPTION = 140  # characters
AS_STATUSES = "checks-as-statuses"
NO_CHECKS = "no-checks"

# A status knows no neutral: what forbids nothing is good, as for a required check run.
_STATES: dict[CheckConclusion | None, str] = {
    None: "pending",
    "success": "success",
    "neutral": "success",
    "failure": "failure",
    "action_required": "failure",
    "cancelled": "error",
}

log = logging.getLogger(__name__)


class TokenRepository(GitHubRepository):
    """``bot.ports.Repository`` with a token that was handed over. Not to be shared between threads.

    ``caveats`` collects what was done another way: ``checks-as-statuses``, ``no-checks``.
    """

    def __init__(
        self, *args: Any, evidence_url: str, starts_workflows: bool, caveats: set[str], **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        self._evidence_url = evidence_url
        self._starts_workflows = starts_workflows
        self._caveats = caveats

    @property
    def starts_workflows(self) -> bool:
        """Whether workflows start on what this token pushes and opens."""
        return self._starts_workflows

    def set_checks(
        self, sha: str, checks: Sequence[Check], *, fresh: bool = False, again: bool = False
    ) -> None:
        """Set checks, else statuses, else say that neither may be written. Raises ``Missing``."""
        if not self._caveats & {AS_STATUSES, NO_CHECKS}:
            try:
                super().set_checks(sha, checks, fresh=fresh, again=again)
            except Refused as refusal:
                log.info("checks are refused: %s", refusal)
            else:
                return
        if NO_CHECKS in self._caveats:
            return
        try:
            self._set_statuses(sha, checks)
        except (Refused, Missing) as refusal:  # 404 is what a token without the permission may see
            log.warning("neither checks nor statuses may be written: %s", refusal)
            self._caveats.add(NO_CHECKS)
        else:
            self._caveats.add(AS_STATUSES)

    def _set_statuses(self, sha: str, checks: Sequence[Check]) -> None:
        listed = self._client.pages(f"{self._path}/commits/{quote(sha, safe='')}/statuses")
        with understood("statuses"):
            there: dict[str, tuple[str, str]] = {}
            for one in listed:  # newest first
                there.setdefault(one["context"], (one["state"], one["description"] or ""))
        for check in checks:
            title = check.title
            if len(title) > LONGEST_DESCRIPTION:
                title = title[: LONGEST_DESCRIPTION - 1] + "…"
            state = _STATES[check.conclusion]
            if there.get(check.name) == (state, title):
                continue
            body = {"state": state, "context": check.name, "description": title}
            if self._evidence_url:
                body["target_url"] = self._evidence_url
            self._client.send("POST", f"{self._path}/statuses/{quote(sha, safe='')}", body=body)
