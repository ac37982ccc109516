"""Commits, trees, files and refs as JSON."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.sandbox.diffs import differences
from bot.sandbox.git import ABSENT
from bot.sandbox.shapes.common import account_shape, stamp
from bot.sandbox.shapes.rules import branch_protection_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.sandbox.base import Base, Urls
    from bot.sandbox.git import TreeEntry
    from bot.sandbox.model import Account, Commit, FileDiff, Repository
    from bot.sandbox.rules import Protection

Json = dict[str, Any]
_NOREPLY = re.compile(r"(\d+)\+.+@users\.noreply\.github\.com")
_CHANGES = ("added", "removed", "modified")
LARGEST_SHOWN = 1_000_000  # bytes of a file that the contents API shows inline
# A recursive listing ends at 7 MB too; GitHub does not say of what, so that is left out here.
MOST_LISTED = 100_000  # entries of a tree
_KINDS = {"120000": "symlink", "160000": "submodule", "040000": "dir"}


def who_wrote(world: Base, email: str, urls: Urls) -> Json | None:
    """Give the account of a commit's address, ``None`` when nobody has it."""
    if email == "noreply@github.com":
        return _web_flow(urls)
    found = _NOREPLY.fullmatch(email)
    if found is not None:
        for account in world.accounts():
            if account.id == int(found[1]):
                return account_shape(account, urls)
    return None


def _web_flow(urls: Urls) -> Json:
    """Give the account of what GitHub's own site commits."""
    base = f"{urls.api}/users/web-flow"
    return {
        "login": "web-flow",
        "id": 19864447,
        "node_id": "U_19864447",
        "avatar_url": f"{urls.web}/avatars/19864447",
        "gravatar_id": "",
        "url": base,
        "html_url": f"{urls.web}/web-flow",
        "followers_url": f"{base}/followers",
        "following_url": f"{base}/following{{/other_user}}",
        "gists_url": f"{base}/gists{{/gist_id}}",
        "starred_url": f"{base}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{base}/subscriptions",
        "organizations_url": f"{base}/orgs",
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events{{/privacy}}",
        "received_events_url": f"{base}/received_events",
        "type": "User",
        "user_view_type": "public",
        "site_admin": False,
    }


def _people(commit: Commit) -> Json:
    return {
        "author": {
            "name": commit.author_name,
            "email": commit.author_email,
            "date": stamp(commit.authored_at),
        },
        "committer": {
            "name": commit.committer_name,
            "email": commit.committer_email,
            "date": stamp(commit.committed_at),
        },
    }


def _verification(commit: Commit) -> Json:
    return {
        "verified": commit.verified,
        "reason": "valid" if commit.verified else "unsigned",
        "signature": commit.signature,
        "payload": commit.payload,
        "verified_at": stamp(commit.committed_at) if commit.verified else None,
    }


def commit_shape(
    world: Base,
    repository: Repository,
    commit: Commit,
    urls: Urls,
    files: Sequence[FileDiff] | None = None,
) -> Json:
    """Give a commit as ``commit``; with ``files`` also what it changes."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    shape: Json = {
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "commit": {
            **_people(commit),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
            "url": f"{api}/git/commits/{commit.sha}",
            "comment_count": 0,
            "verification": _verification(commit),
        },
        "url": f"{api}/commits/{commit.sha}",
        "html_url": f"{page}/commit/{commit.sha}",
        "comments_url": f"{api}/commits/{commit.sha}/comments",
        "author": who_wrote(world, commit.author_email, urls),
        "committer": who_wrote(world, commit.committer_email, urls),
        "parents": [
            {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{page}/commit/{sha}"}
            for sha in commit.parents
        ],
    }
    if files is not None:
        plus, minus = sum(f.additions for f in files), sum(f.deletions for f in files)
        shape["stats"] = {"total": plus + minus, "additions": plus, "deletions": minus}
        shape["files"] = [diff_shape(repository, file, commit.sha, urls) for file in files]
    return shape


def git_commit_shape(repository: Repository, commit: Commit, urls: Urls) -> Json:
    """Give a commit as ``git-commit``."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    return {
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "url": f"{api}/git/commits/{commit.sha}",
        "html_url": f"{page}/commit/{commit.sha}",
        **_people(commit),
        "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
        "message": commit.message,
        "parents": [
            {"sha": sha, "url": f"{api}/git/commits/{sha}", "html_url": f"{page}/commit/{sha}"}
            for sha in commit.parents
        ],
        "verification": _verification(commit),
    }


def diff_shape(repository: Repository, file: FileDiff, sha: str, urls: Urls) -> Json:
    """Give a changed file as ``diff-entry``."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    path = quote(file.path)
    shape: Json = {
        "sha": file.blob,
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{page}/blob/{sha}/{path}",
        "raw_url": f"{page}/raw/{sha}/{path}",
        "contents_url": f"{api}/contents/{path}?ref={sha}",
    }
    if file.patch is not None:
        shape["patch"] = file.patch
    if file.previous_path is not None:
        shape["previous_filename"] = file.previous_path
    return shape


def ref_shape(repository: Repository, branch: str, sha: str, urls: Urls) -> Json:
    """Give a branch as ``git-ref``."""
    api = f"{urls.api}/repos/{repository.full_name}"
    return {
        "ref": f"refs/heads/{branch}",
        "node_id": f"REF_{repository.id}_{branch}",
        "url": f"{api}/git/refs/heads/{quote(branch)}",
        "object": {"sha": sha, "type": "commit", "url": f"{api}/git/commits/{sha}"},
    }


def branch_shape(
    world: Base,
    repository: Repository,
    branch: str,
    commit: Commit,
    urls: Urls,
    *,
    short: bool = False,
    protection: Protection | None = None,
) -> Json:
    """Give a branch as ``branch-with-protection``, or as ``short-branch``."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    is_protected = protection is not None
    if short:
        there = {"sha": commit.sha, "url": f"{api}/commits/{commit.sha}"}
        return {"name": branch, "commit": there, "protected": is_protected}
    return {
        "name": branch,
        "commit": commit_shape(world, repository, commit, urls),
        "_links": {
            "self": f"{api}/branches/{quote(branch)}",
            "html": f"{page}/tree/{quote(branch)}",
        },
        "protected": is_protected,
        "protection": branch_protection_shape(protection),
        "protection_url": f"{api}/branches/{quote(branch)}/protection",
    }


def tree_shape(repository: Repository, sha: str, entries: Sequence[TreeEntry], urls: Urls) -> Json:
    """Give a tree as ``git-tree``; very many entries are cut, as GitHub does."""
    api = f"{urls.api}/repos/{repository.full_name}"
    listed = []
    for entry in entries[:MOST_LISTED]:
        item: Json = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
        if entry.size is not None:
            item["size"] = entry.size
        if entry.kind != "commit":
            item["url"] = f"{api}/git/{entry.kind}s/{entry.sha}"
        listed.append(item)
    return {
        "sha": sha,
        "url": f"{api}/git/trees/{sha}",
        "tree": listed,
        "truncated": len(entries) > MOST_LISTED,
    }


def content_shape(
    repository: Repository, entry: TreeEntry, ref: str, urls: Urls, content: bytes | None = None
) -> Json:
    """Give a file or folder as the contents API does; ``content`` is shown inline when given."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    path, at = quote(entry.path), quote(ref)
    kind = _KINDS.get(entry.mode, "file")
    there = f"{api}/contents/{path}?ref={at}"
    git = f"{api}/git/{'trees' if kind in {'dir', 'submodule'} else 'blobs'}/{entry.sha}"
    seen = f"{page}/{'tree' if kind in {'dir', 'submodule'} else 'blob'}/{at}/{path}"
    shape: Json = {
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": there,
        "html_url": seen,
        "git_url": git,
        "download_url": f"{page}/raw/{at}/{path}" if kind in {"file", "symlink"} else None,
        "type": kind,
        "_links": {"self": there, "git": git, "html": seen},
    }
    if content is None:
        return shape
    if kind == "symlink":
        return shape | {"target": content.decode("utf-8", "replace")}
    if len(content) > LARGEST_SHOWN:
        return shape | {"content": "", "encoding": "none"}
    text = base64.b64encode(content).decode()
    lines = "".join(text[at : at + 60] + "\n" for at in range(0, len(text), 60))
    return shape | {"content": lines, "encoding": "base64"}


def push_shape(
    world: Base,
    repository: Repository,
    branch: str,
    moved: tuple[str, str],
    urls: Urls,
    *,
    who: Account | None,
) -> Json:
    """Give the fields of a ``push`` event; at most twenty commits are listed."""
    old, new = moved
    page = f"{urls.web}/{repository.full_name}"
    commits = []
    if ABSENT not in {old, new}:
        commits = list(reversed(repository.git.log(new, f"^{old}", limit=20)))
    pusher = {"name": who.login, "email": who.email} if who else {"name": "none"}
    listed = [_pushed(world, repository, commit, urls) for commit in commits]
    head = None if new == ABSENT else _pushed(world, repository, repository.git.commit(new), urls)
    return {
        "ref": f"refs/heads/{branch}",
        "before": old,
        "after": new,
        "base_ref": None,
        "created": old == ABSENT,
        "deleted": new == ABSENT,
        "forced": ABSENT not in {old, new} and not repository.git.is_ancestor(old, new),
        "compare": f"{page}/compare/{old[:12]}...{new[:12]}",
        "commits": listed,
        "head_commit": head,
        "pusher": pusher,
        "repository": _pushed_to(repository, urls),
    }


def _pushed_to(repository: Repository, urls: Urls) -> Json:
    """Give what only pushes say of a repository, and say so: two of its times in seconds."""
    owner = repository.owner
    person = owner.kind == "User"
    return {
        "owner": account_shape(owner, urls) | {"name": owner.login, "email": owner.email if person else None},
        "created_at": int(repository.created_at.timestamp()),
        "pushed_at": int(repository.pushed_at.timestamp()),
        "stargazers": 0,
        "master_branch": repository.default_branch,
    }


def _pushed(world: Base, repository: Repository, commit: Commit, urls: Urls) -> Json:
    files = differences(repository.git, commit.parents[0] if commit.parents else None, commit.sha)
    by_status = {status: [file.path for file in files if file.status == status] for status in _CHANGES}
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": stamp(commit.committed_at),
        "url": f"{urls.web}/{repository.full_name}/commit/{commit.sha}",
        "author": _named(world, commit.author_name, commit.author_email, urls),
        "committer": _named(world, commit.committer_name, commit.committer_email, urls),
        **by_status,
    }


def _named(world: Base, name: str, email: str, urls: Urls) -> Json:
    account = who_wrote(world, email, urls)
    return {"name": name, "email": email} | ({} if account is None else {"username": account["login"]})
