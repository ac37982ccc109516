"""The GitHub App's manifest: what it is called, where it listens, and how little it may do.

Source: GitHub, "Registering a GitHub App from a manifest"; "Permissions required for GitHub
Apps"; "Webhook events and payloads".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

PERMISSIONS: dict[str, str] = {
    "metadata": "read",  # mandatory; the roles of commenters
    "contents": "write",  # manifest and configuration; branches, commits, merges
    "pull_requests": "write",  # step pull requests, their comments and labels
    "checks": "write",  # canary / plan, canary / gate, canary / approvals
    # Only to receive ``issue_comment``: GitHub gives that event to Apps that may read issues.
    # Comments and labels of pull requests are covered by ``pull_requests``.
    "issues": "read",
    # Only to receive ``merge_group``, and to see what is in a queue.
    "merge_queues": "read",
}
"""What the App asks for. Never ``workflows``, ``administration``, ``actions`` or ``secrets``."""

EVENTS: tuple[str, ...] = (
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "check_run",
    "merge_group",  # needs ``merge_queues``
)
"""What the App subscribes to.

``installation`` and ``installation_repositories`` come by themselves, and so does ``check_suite`` with
``rerequested``, as the same and ``requested_action`` of ``check_run``: to every App that may write checks.
"""


def manifest(base_url: str, name: str, webhook_url: str) -> dict[str, Any]:
    """Give the manifest that GitHub's page for new Apps takes.

    Args:
        base_url: The App's home page, shown to people.
        name: The App's name, at most 34 characters (GitHub's limit), unique on GitHub.
        webhook_url: Where the service listens, with its path ``/webhook``.

    Raises:
        ValueError: An address is not http(s), or the name is empty or too long.
    """
    for url in (base_url, webhook_url):
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is not an address like https://bot.example.org/webhook")
    if not 0 < len(name) <= 34:  # noqa: PLR2004 - GitHub's limit
        raise ValueError("a GitHub App's name has 1 to 34 characters")
    return {
        "name": name,
        "url": base_url,
        "description": "Moves canary percentages by pull request: comment /canary 25.",
        "public": False,
        "hook_attributes": {"url": webhook_url, "active": True},
        "request_oauth_on_install": False,
        "setup_on_update": False,
        "default_permissions": dict(PERMISSIONS),
        "default_events": list(EVENTS),
    }
