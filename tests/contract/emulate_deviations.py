"""Where the emulator, version 0.12.2, is known to be another thing than GitHub: a list that is compared
in both directions with what a fixed run shows (``test_emulate_deviations``).

It fails when it should grow: the emulator deviates where it did not, or the bot asks what it never asked.
It fails when it should shrink: a newer emulator answers as GitHub does, or nobody asks any more.

"Docs" are GitHub's REST and webhook documentation, by the title of the page; "OpenAPI" and "webhook
schemas" are the pinned descriptions that the referee reads; "recordings" are those of PyGithub.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing: what a probe of that name sees, what it would see on GitHub, and who says so.

    ``effect`` says what it means for the story: how the bot takes it, or which mend goes around it.
    """

    name: str
    operation: str
    seen: str
    real: str
    source: str
    effect: str = "none: nothing that the bot asks for depends on it"


AGREED = {
    "jwt-good": "200",
    "jwt-expired": "401",
    "jwt-of-another-key": "401",
    "jwt-of-an-unknown-app": "401",
    "token-with-more-than-granted": "422",
    "token-for-a-foreign-repository": "422",
    "token-that-reads-writes": "403",
    "token-without-checks-sets-one": "403",
    "role-of-a-writer": "write",
    "role-of-a-triager": "triage",
    "outsider-pushes": "403",
    "blob-names-are-gits": "yes",
    "write-over-another-blob": "409",
    "write-over-without-a-blob": "422",
    "branch-twice": "422 Reference already exists",
    "branch-of-no-commit": "422",
    "branch-moved-back-unforced": "422",
    "pages-are-linked": "yes",
    "delivery-is-signed": "all",
    "delivery-names-the-installation": "always",
    "pull-from-head": "yes",
    "comment-of-nothing": "422",
    "check-without-conclusion": "422",
}
"""What each of the other probes sees, as on GitHub."""


_APPS = "POST /app/installations/{installation_id}/access_tokens"
_HERE = "/repos/{owner}/{repo}"
_JWT = "Docs, Generating a JSON Web Token (JWT) for a GitHub App"
_LIMITS = "Docs, Rate limits for the REST API"
_DELIVERY = "Docs, Webhook events and payloads: Delivery headers"

BEHAVIOUR: tuple[Deviation, ...] = (
    # who asks
    Deviation("jwt-for-an-hour", "GET /app", "200", "401", f"{_JWT}: exp at most 10 minutes ahead"),
    Deviation("jwt-from-the-future", "GET /app", "200", "401", f"{_JWT}: iat in the past"),
    Deviation(
        "token-without-permissions",
        _APPS,
        "none",
        "some",
        "OpenAPI, apps/create-installation-access-token: permissions are optional; recordings",
        "none: the bot always names what it needs",
    ),
    Deviation("token-nobody-gave", "GET /user", "200", "401", "Docs, Authenticating to the REST API"),
    Deviation(
        "installation-repositories",
        "GET /installation/repositories",
        "404",
        "200",
        "OpenAPI, apps/list-repos-accessible-to-installation",
        "the sweep at the start finds no repository; the chapter lost_webhook hands over `installation`",
    ),
    Deviation(
        "role-in-old-words",
        f"GET {_HERE}/collaborators/{{username}}/permission",
        "push",
        "write",
        "Docs, Get repository permissions for a user: admin, write, read, none",
        "none: the bot reads role_name",
    ),
    Deviation(
        "role-of-an-outsider",
        f"GET {_HERE}/collaborators/{{username}}/permission",
        "404",
        "200",
        "Docs, Get repository permissions for a user; recordings (read, on a public repository)",
        "who is nobody there has no role at all, and may not even ask",
    ),
    Deviation(
        "role-of-a-plain-member",
        f"GET {_HERE}/collaborators/{{username}}/permission",
        "admin",
        "read",
        "Docs, Setting base permissions for an organization: read unless changed",
    ),
    Deviation(
        "outsider-merges", f"PUT {_HERE}/pulls/{{pull_number}}/merge", "200", "403", "OpenAPI, pulls/merge"
    ),
    # files, commits, branches
    Deviation(
        "branch-has-the-address",
        f"GET {_HERE}/git/ref/{{ref}}",
        "/git/ref/",
        "/git/refs/",
        "OpenAPI, git/get-ref, example",
        "none: the bot follows no address of an answer",
    ),
    Deviation(
        "commit-of-an-app-is-signed",
        f"PUT {_HERE}/contents/{{path}}",
        "no",
        "yes",
        "Docs, About commit signature verification: Signature verification for bots",
        "none: signatures are asked for on api.github.com only",
    ),
    Deviation(
        "commit-knows-its-pulls",
        f"GET {_HERE}/commits/{{commit_sha}}/pulls",
        "404",
        "200",
        "OpenAPI, repos/list-pull-requests-associated-with-commit",
        "a rebased rollout is not found again; the story merges with merge commits",
    ),
    Deviation(
        "fork-has-the-history",
        f"POST {_HERE}/forks",
        "404",
        "200",
        "Docs, About forks",
        "pull requests of forks cannot be played",
    ),
    # limits and forms
    Deviation("answers-have-an-etag", "any GET", "no", "yes", "Docs, Best practices for using the REST API"),
    Deviation("limit-tells-what-is-used", "any", "no", "yes", f"{_LIMITS}: x-ratelimit-used"),
    Deviation(
        "errors-repeat-the-status", "any 4xx", "None", "404", "OpenAPI, basic-error; recordings of 2024"
    ),
    Deviation("graphql", "POST /graphql", "404", "200", "Docs, Forming calls with GraphQL", "none: not used"),
    Deviation(
        "times",
        "any",
        "milliseconds",
        "seconds",
        "Docs, Getting started with the REST API: timestamps are YYYY-MM-DDTHH:MM:SSZ",
        "mended: now and then a new comment is a millisecond younger than its last change, and so was edited",
    ),
    # webhooks
    Deviation(
        "delivery-has-a-guid",
        "webhooks",
        "no, and the bot's door says [400]",
        "yes, and the bot's door says [202]",
        f"{_DELIVERY}: X-GitHub-Delivery",
        "handed over with a GUID; where nothing else is missing, with body and signature as they came",
    ),
    Deviation("delivery-names-the-hook", "webhooks", "no", "yes", f"{_DELIVERY}: X-GitHub-Hook-ID"),
    Deviation(
        "delivery-has-the-user-agent", "webhooks", "node", "GitHub-Hookshot", f"{_DELIVERY}: User-Agent"
    ),
    Deviation(
        "comment-on-pull",
        "webhook issue_comment",
        "no",
        "yes",
        "Docs, Webhook events and payloads: issue_comment; OpenAPI, issue: pull_request",
        "handed over with the key, signed anew: without it this is a comment on an issue, and not for us",
    ),
    Deviation(
        "pull-number",
        "webhook pull_request",
        "no",
        "yes",
        "webhook schemas, pull_request: number is required",
        "handed over with the number, signed anew",
    ),
    Deviation(
        "push-synchronizes",
        "webhook pull_request",
        "no",
        "yes",
        "Docs, Webhook events and payloads: pull_request, synchronize",
        "a person's push is found by the next look",
    ),
    # pull requests
    Deviation(
        "pull-files",
        f"GET {_HERE}/pulls/{{pull_number}}/files",
        "0",
        "1",
        "OpenAPI, pulls/list-files",
        "mended from the emulator's comparison; without it every command ends in no-service",
    ),
    Deviation(
        "pull-head",
        f"GET {_HERE}/pulls/{{pull_number}}",
        "stays",
        "moves",
        "Docs, About pull requests; webhook schemas, pull_request synchronize",
        "mended from the emulator's branch",
    ),
    Deviation(
        "pull-commits",
        f"GET {_HERE}/pulls/{{pull_number}}/commits",
        "2 by none, none",
        "1 by mona",
        "OpenAPI, pulls/list-commits; recordings",
        "mended from the emulator's comparison; without it the bot does not know its commits",
    ),
    Deviation("pull-is-an-issue", f"GET {_HERE}/issues/{{issue_number}}", "404", "200", "Docs, REST: Issues"),
    Deviation("pull-twice", f"POST {_HERE}/pulls", "201", "422", "recordings: A pull request already exists"),
    Deviation(
        "pull-from-nowhere", f"POST {_HERE}/pulls", "201", "422", "OpenAPI, pulls/create: validation failed"
    ),
    Deviation("pull-of-nothing", f"POST {_HERE}/pulls", "201", "422", "recordings: No commits between"),
    Deviation(
        "merge-of-a-moved-head",
        f"PUT {_HERE}/pulls/{{pull_number}}/merge",
        "older",
        "newer",
        "OpenAPI, pulls/merge",
        "Peer.merge_moved puts the base branch right before the bot hears of the merge",
    ),
    Deviation(
        "merge-keeps-the-base",
        f"PUT {_HERE}/pulls/{{pull_number}}/merge",
        "404",
        "200",
        "Docs, About merge methods on GitHub",
        "nobody else changes the base branch in the story",
    ),
    Deviation(
        "merge-of-another-head",
        f"PUT {_HERE}/pulls/{{pull_number}}/merge",
        "422",
        "409",
        "OpenAPI, pulls/merge",
    ),
    Deviation(
        "merge-twice", f"PUT {_HERE}/pulls/{{pull_number}}/merge", "422", "405", "OpenAPI, pulls/merge"
    ),
    # conversation
    Deviation(
        "reaction",
        f"POST {_HERE}/issues/comments/{{comment_id}}/reactions",
        "404",
        "201",
        "OpenAPI, reactions/create-for-issue-comment",
        "every command goes on without",
    ),
    Deviation(
        "comment-list",
        f"GET {_HERE}/issues/comments",
        "404",
        "200",
        "OpenAPI, issues/list-comments-for-repo",
        "mended from the conversations; without it the sweep takes the repository for gone",
    ),
    Deviation(
        "comment-leads-to-the-pull",
        "an issue comment's html_url",
        "/issues/",
        "/pull/",
        "recordings",
        "mended where the sweep reads it: an issue's conversation is not for us",
    ),
    Deviation(
        "comment-names-its-app",
        "an issue comment's performed_via_github_app",
        "no",
        "yes",
        "OpenAPI, issue-comment",
        "none: the author is told too",
    ),
    Deviation(
        "comment-too-long",
        f"POST {_HERE}/issues/{{issue_number}}/comments",
        "201",
        "422",
        "recordings of others: body is too long (maximum is 65536 characters)",
    ),
    Deviation(
        "label-with-pull-requests-only",
        f"POST {_HERE}/issues/{{issue_number}}/labels",
        "403",
        "200",
        "Docs, Permissions required for GitHub Apps: Pull requests, write, labels of an issue",
        "no label on the bot's pull requests; everything goes on without",
    ),
    # checks
    Deviation(
        "check-names-its-app",
        f"POST {_HERE}/check-runs",
        "no",
        "yes",
        "OpenAPI, check-run; recordings",
        "the bot does not find its checks again and sets new ones; the newest of a name counts",
    ),
    Deviation(
        "check-by-app-id", f"GET {_HERE}/commits/{{ref}}/check-runs", "1", "0", "OpenAPI, checks/list-for-ref"
    ),
    Deviation(
        "check-of-no-commit", f"POST {_HERE}/check-runs", "201", "422", "issues: No commit found for SHA"
    ),
    Deviation(
        "check-of-a-person",
        f"POST {_HERE}/check-runs",
        "201",
        "403",
        "Docs, REST: Check runs, GitHub Apps only",
    ),
    Deviation(
        "check-with-51-annotations",
        f"POST {_HERE}/check-runs",
        "201",
        "422",
        "OpenAPI, checks/create: maxItems",
    ),
    Deviation(
        "check-with-a-long-summary",
        f"POST {_HERE}/check-runs",
        "201",
        "422",
        "OpenAPI, checks/create: maxLength",
    ),
    Deviation(
        "check-annotations-are-a-list",
        f"GET {_HERE}/check-runs/{{check_run_id}}/annotations",
        "no",
        "yes",
        "OpenAPI, checks/list-annotations",
    ),
)

_BOT = "addresses of the account NAME[bot] are not percent-encoded"
_OWNER = "the owner, an organisation, has other addresses than an account, and not all of an account's"
_RUN = "output has no annotations_url, check_suite more than its id"

ANSWERS: dict[tuple[str, int], str] = {
    ("GET /app", 200): "owner is null",
    ("GET /app/installations", 200): "target_id and others are missing",
    (f"GET {_HERE}/collaborators/{{username}}/permission", 200): "user has no role_name and no permissions",
    (f"GET {_HERE}/commits", 200): _BOT,
    (f"GET {_HERE}/commits/{{ref}}", 200): _BOT,
    (f"GET {_HERE}/commits/{{ref}}/check-runs", 200): _RUN,
    (f"GET {_HERE}/compare/{{basehead}}", 200): _BOT,
    (f"GET {_HERE}/issues/{{issue_number}}/comments", 200): _BOT,
    (f"GET {_HERE}/pulls", 200): _BOT,
    (f"GET {_HERE}/pulls/{{pull_number}}", 200): _OWNER,
    (f"GET {_HERE}/pulls/{{pull_number}}/commits", 200): "a commit's tree has no url",
    (f"GET {_HERE}/pulls/{{pull_number}}/reviews", 200): "reviews have created_at and updated_at",
    ("GET /users/{username}", 200): _BOT,
    (f"PATCH {_HERE}/issues/comments/{{comment_id}}", 200): _BOT,
    (f"PATCH {_HERE}/pulls/{{pull_number}}", 200): _BOT,
    (_APPS, 201): "repositories have five properties",
    (_APPS, 422): "an error without documentation_url",
    (f"POST {_HERE}/check-runs", 201): _RUN,
    (f"POST {_HERE}/git/blobs", 201): "a new blob has node_id and size",
    (f"POST {_HERE}/issues/{{issue_number}}/comments", 201): _BOT,
    (f"POST {_HERE}/pulls", 201): _BOT,
}
"""(operation, status) of answers to the bot that OpenAPI does not describe so, and what is wrong first."""

WEBHOOKS: dict[str, str] = {
    "check_run/created": "started_at and app are null",
    "issue_comment/created": "the issue has closed_by; the repository's owner lacks addresses",
    "issue_comment/edited": "changes is missing",
    "pull_request/closed": "number is missing",
    "pull_request/edited": "number and changes are missing",
    "pull_request/opened": "number is missing",
    "pull_request_review/submitted": "the review has created_at and updated_at",
}
"""Events whose payload GitHub's webhook schemas do not describe so, and what is wrong first."""

LISTED = {one.name: one for one in BEHAVIOUR}


def changes(seen: dict[str, str]) -> list[str]:
    """Say what to do with the list, one sentence for each probe that it does not fit."""
    told = AGREED | {name: one.seen for name, one in LISTED.items()}
    result = [f"{name}: no such probe; remove this entry" for name in sorted(told.keys() - seen.keys())]
    for name, value in sorted(seen.items()):
        if name not in told:
            result.append(f"{name}: sees {value!r} and is in no list; add it")
        elif value == told[name]:
            continue
        elif name in LISTED and value == LISTED[name].real:
            result.append(f"{name}: the emulator does as GitHub does now; remove this entry, and its mend")
        else:
            result.append(f"{name}: sees {value!r}, listed is {told[name]!r}; add or change an entry")
    return result


def differences(what: str, seen: dict[str, str], listed: set[str]) -> list[str]:
    """Say what to do with a list of answers or payloads; ``seen`` maps names to what is wrong, or to nothing."""
    wrong = {name for name, sentence in seen.items() if sentence}
    return [
        *(
            f"{what} {name}: deviates and is not listed; add it: {seen[name]}"
            for name in sorted(wrong - listed)
        ),
        *(f"{what} {name}: conforms; remove this entry" for name in sorted(listed & seen.keys() - wrong)),
        *(
            f"{what} {name}: is not asked any more; remove this entry"
            for name in sorted(listed - seen.keys())
        ),
    ]
