"""Issues, pull requests, comments, reviews and reactions as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bot.sandbox.model import Pull
from bot.sandbox.shapes.common import (
    account_shape,
    app_shape,
    association,
    in_hooks,
    label_shape,
    repository_shape,
    stamp,
)

if TYPE_CHECKING:
    from bot.sandbox.base import Urls
    from bot.sandbox.model import Account, Comment, Issue, Reaction, Repository, Review
    from bot.sandbox.pulls import Pulls
    from bot.sandbox.teams import Team

Json = dict[str, Any]
_DEPENDENCIES = ("blocked_by", "total_blocked_by", "blocking", "total_blocking")
REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def reaction_shape(reaction: Reaction, urls: Urls) -> Json:
    """Give a reaction."""
    return {
        "id": reaction.id,
        "node_id": f"REA_{reaction.id}",
        "user": account_shape(reaction.user, urls),
        "content": reaction.content,
        "created_at": stamp(reaction.created_at),
    }


def _rollup(url: str, reactions: list[Reaction]) -> Json:
    counts = Counter(reaction.content for reaction in reactions)
    return {"url": url, "total_count": len(reactions), **{name: counts[name] for name in REACTIONS}}


def comment_shape(repository: Repository, comment: Comment, urls: Urls) -> Json:
    """Give a comment as ``issue-comment``."""
    api = f"{urls.api}/repos/{repository.full_name}"
    issue = repository.issues[comment.number]
    kind = "pull" if isinstance(issue, Pull) else "issues"
    url = f"{api}/issues/comments/{comment.id}"
    return {
        "url": url,
        "html_url": f"{urls.web}/{repository.full_name}/{kind}/{comment.number}#issuecomment-{comment.id}",
        "issue_url": f"{api}/issues/{comment.number}",
        "id": comment.id,
        "node_id": f"IC_{comment.id}",
        "user": account_shape(comment.author, urls),
        "created_at": stamp(comment.created_at),
        "updated_at": stamp(comment.updated_at),
        "author_association": association(repository, comment.author),
        "body": comment.body,
        "reactions": _rollup(f"{url}/reactions", comment.reactions),
        "performed_via_github_app": None if comment.app is None else app_shape(comment.app, urls),
    }


def issue_shape(repository: Repository, issue: Issue, urls: Urls, *, hook: bool = False) -> Json:
    """Give an issue, or a pull request as one."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    url = f"{api}/issues/{issue.number}"
    kind = "pull" if isinstance(issue, Pull) else "issues"
    shape: Json = {
        "url": url,
        "repository_url": api,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{page}/{kind}/{issue.number}",
        "id": issue.id,
        "node_id": f"I_{issue.id}",
        "number": issue.number,
        "title": issue.title,
        "user": account_shape(issue.author, urls),
        "labels": [label_shape(repository, label, urls) for label in issue.labels],
        "state": issue.state,
        "state_reason": "completed" if issue.state == "closed" else None,
        "locked": issue.locked,
        "active_lock_reason": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(issue.comments),
        "created_at": stamp(issue.created_at),
        "updated_at": stamp(issue.updated_at),
        "closed_at": stamp(issue.closed_at),
        "author_association": association(repository, issue.author),
        "body": issue.body,
        "reactions": _rollup(f"{url}/reactions", []),
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": None if issue.app is None else app_shape(issue.app, urls),
    }
    if isinstance(issue, Pull):
        shape["draft"] = issue.draft
        shape["pull_request"] = {
            "url": f"{api}/pulls/{issue.number}",
            "html_url": f"{page}/pull/{issue.number}",
            "diff_url": f"{page}/pull/{issue.number}.diff",
            "patch_url": f"{page}/pull/{issue.number}.patch",
            "merged_at": stamp(issue.merged_at),
        }
    if not hook:
        shape["closed_by"] = None if issue.closed_by is None else account_shape(issue.closed_by, urls)
        shape |= {
            "type": None,
            "pinned_comment": None,
            "sub_issues_summary": {"total": 0, "completed": 0, "percent_completed": 0},
            "issue_dependencies_summary": dict.fromkeys(_DEPENDENCIES, 0),
        }
    return shape


def _side(
    world: Pulls,
    owner: Account,
    at: tuple[str, str],
    repository: Repository | None,
    urls: Urls,
    *,
    hook: bool,
) -> Json:
    branch, sha = at
    shown = None if repository is None else repository_shape(world, repository, urls)
    if shown is not None and hook:  # the API shows them of no pull request that was ever recorded
        shown = in_hooks(shown) | {
            "allow_squash_merge": True,
            "allow_merge_commit": True,
            "allow_rebase_merge": True,
            "allow_auto_merge": False,
            "delete_branch_on_merge": False,
            "allow_update_branch": False,
            "use_squash_pr_title_as_default": False,
            "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
            "squash_merge_commit_message": "COMMIT_MESSAGES",
            "merge_commit_title": "MERGE_MESSAGE",
            "merge_commit_message": "PR_TITLE",
        }
    return {
        "label": f"{owner.login}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": account_shape(owner, urls),
        "repo": shown,
    }


def pull_shape(
    world: Pulls,
    repository: Repository,
    pull: Pull,
    urls: Urls,
    *,
    hook: bool = False,
    short: bool = False,
) -> Json:
    """Give a pull request: ``pull-request``, or with ``short`` as lists and reviews show it."""
    name, number = repository.full_name, pull.number
    api, page = f"{urls.api}/repos/{name}", f"{urls.web}/{name}/pull/{number}"
    url, issue = f"{api}/pulls/{number}", f"{api}/issues/{number}"
    links = {
        "self": url,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{api}/statuses/{pull.head_sha}",
    }
    facts = world.facts(name, number) if hook else world.shown_facts(name, number)
    shape: Json = {
        "url": url,
        "id": pull.id,
        "node_id": f"PR_{pull.id}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "number": number,
        "state": pull.state,
        "locked": pull.locked,
        "title": pull.title,
        "user": account_shape(pull.author, urls),
        "body": pull.body,
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": stamp(pull.closed_at),
        "merged_at": stamp(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha or facts.test_merge,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [account_shape(who, urls) for who in pull.asked],
        "requested_teams": [
            team_shape(team, urls, whole=short or hook, hook=hook) for team in pull.asked_teams
        ],
        "labels": [label_shape(repository, label, urls) for label in pull.labels],
        "milestone": None,
        "draft": pull.draft,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "head": _side(
            world, pull.head_owner, (pull.head_ref, pull.head_sha), pull.head_repository, urls, hook=hook
        ),
        "base": _side(world, repository.owner, (pull.base_ref, pull.base_sha), repository, urls, hook=hook),
        "_links": {key: {"href": value} for key, value in links.items()},
        "author_association": association(repository, pull.author),
        "auto_merge": _auto_merge(pull, urls),
        "active_lock_reason": None,
    }
    if short:
        return shape
    state = {True: "clean", False: "dirty", None: "unknown"}[facts.mergeable]
    return shape | {
        "merged": pull.merged,
        "mergeable": facts.mergeable,
        "rebaseable": facts.mergeable,
        "mergeable_state": "draft" if pull.draft and facts.mergeable else state,
        "merged_by": None if pull.merged_by is None else account_shape(pull.merged_by, urls),
        "comments": len(pull.comments),
        "review_comments": 0,
        "maintainer_can_modify": pull.maintainer_can_modify,
        "commits": facts.commits,
        "additions": sum(file.additions for file in facts.files),
        "deletions": sum(file.deletions for file in facts.files),
        "changed_files": len(facts.files),
    }


def _auto_merge(pull: Pull, urls: Urls) -> Json | None:
    armed = pull.auto_merge
    if armed is None:
        return None
    return {
        "enabled_by": account_shape(armed.who, urls),
        "merge_method": armed.method,
        "commit_title": armed.title or f"{pull.title} (#{pull.number})",
        "commit_message": armed.message or "",
    }


def team_shape(team: Team, urls: Urls, *, whole: bool = True, hook: bool = False) -> Json:
    """Give a team, ``whole`` as lists and webhooks show it."""
    url = f"{urls.api}/organizations/{team.owner.id}/team/{team.id}"
    return {
        "id": team.id,
        "node_id": f"T_{team.id}",
        "url": url,
        "html_url": f"{urls.web}/orgs/{team.owner.login}/teams/{team.slug}",
        "name": team.slug,
        "slug": team.slug,
        "description": "",
        "privacy": "closed",
        "permission": "push",
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        **({"parent": None} if whole else {}),
        **({} if hook else {"type": "organization", "organization_id": team.owner.id}),
        **({} if hook else {"notification_setting": "notifications_enabled"}),
    }


def review_shape(
    repository: Repository, pull: Pull, review: Review, urls: Urls, *, hook: bool = False
) -> Json:
    """Give a review; webhooks write its state in small letters."""
    url = f"{urls.api}/repos/{repository.full_name}/pulls/{pull.number}"
    page = f"{urls.web}/{repository.full_name}/pull/{pull.number}#pullrequestreview-{review.id}"
    return {
        "id": review.id,
        "node_id": f"PRR_{review.id}",
        "user": account_shape(review.author, urls),
        "body": review.body or (None if hook else ""),
        "state": review.state.lower() if hook else review.state,
        "html_url": page,
        "pull_request_url": url,
        "_links": {"html": {"href": page}, "pull_request": {"href": url}},
        "submitted_at": stamp(review.submitted_at),
        "commit_id": review.sha,
        "author_association": association(repository, review.author),
        **({"updated_at": stamp(review.submitted_at)} if hook else {}),
    }
