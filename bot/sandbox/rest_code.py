"""Files, branches, commits and git's own objects over HTTP."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.base import FORBIDDEN
from bot.sandbox.diffs import differences
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.git import GitError, TreeEntry
from bot.sandbox.people import Grant
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from bot.sandbox.model import Pull, Repository

table = Table()
MODES = {"100644": "blob", "100755": "blob", "040000": "tree", "160000": "commit", "120000": "blob"}
HEADS = "refs/heads/"
WORKFLOWS = re.compile(r"\.github/workflows/", re.IGNORECASE)

# contents ----------------------------------------------------------------------------------------------


@table.add("GET", "R/contents")
@table.add("GET", "R/contents/{path:path}")
def get_contents(call: Call) -> Reply:
    """Get a file, folder, link or submodule; a link to a file in the repository shows that file."""
    repository = call.repository("contents")
    ref, path = call.query.get("ref") or repository.default_branch, call.path.get("path", "")
    sha = repository.git.resolve(ref)
    if sha is None:
        raise ApiError(404, f"No commit found for the ref {ref}")
    entry = repository.git.entry(sha, path)
    if entry is None:
        raise not_found()
    if entry.kind == "tree":
        return _folder(call, repository, entry, ref)
    if entry.mode == "120000":
        entry = _followed(repository, sha, entry)
    if entry.kind == "commit":
        shape = shapes.content_shape(repository, entry, ref, call.urls)
        return Reply(shape | {"submodule_git_url": ""})
    content = repository.git.blob(entry.sha)
    if "raw" in call.accept and entry.mode != "120000":
        return Reply(raw=content, media="application/vnd.github.raw+json; charset=utf-8")
    return Reply(shapes.content_shape(repository, entry, ref, call.urls, content))


def _folder(call: Call, repository: Repository, folder: TreeEntry, ref: str) -> Reply:
    prefix = f"{folder.path}/" if folder.path else ""
    shown = []
    for item in repository.git.tree(folder.sha):
        inside = TreeEntry(item.mode, item.kind, item.sha, item.size, prefix + item.path)
        shape = shapes.content_shape(repository, inside, ref, call.urls)
        # Listed as a file for the sake of old programs, says GitHub.
        shown.append(shape | {"type": "file"} if shape["type"] == "submodule" else shape)
    return Reply(shown)


def _followed(repository: Repository, sha: str, link: TreeEntry) -> TreeEntry:
    target = repository.git.blob(link.sha).decode("utf-8", "replace")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target))
    if target.startswith("/") or path.startswith(".."):
        return link
    found = repository.git.entry(sha, path)
    if found is None or found.mode not in {"100644", "100755"}:
        return link
    return TreeEntry(found.mode, found.kind, found.sha, found.size, link.path)


@table.add("PUT", "R/contents/{path:path}")
@table.add("DELETE", "R/contents/{path:path}")
def put_contents(call: Call) -> Reply:
    """Create, update or (without ``content``: ``DELETE``) delete a file."""
    repository = call.repository("contents", level="write")
    path, body = call.path["path"], call.body
    _check_workflow(call, [path])
    message = call.needed("Commit", "message")
    deleting = "content" not in body
    content = None if deleting else _decoded(call)
    blob = call.text("sha")
    commit, entry, existed = call.world.put_file(
        call.name,
        path,
        content,
        message,
        branch=call.text("branch"),
        blob=blob,
        by=call.login,
        author=_person(body.get("author")),
        committer=_person(body.get("committer")),
    )
    shown = shapes.git_commit_shape(repository, repository.git.commit(commit), call.urls)
    branch = call.text("branch") or repository.default_branch
    file = None
    if entry is not None:
        file = shapes.content_shape(repository, entry, branch, call.urls)
    return Reply({"content": file, "commit": shown}, 200 if existed else 201)


def _decoded(call: Call) -> bytes:
    try:
        return base64.b64decode("".join(call.needed("Commit", "content").split()), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(422, "content is not valid Base64") from None


def _person(value: Any) -> tuple[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value.get("name") or not value.get("email"):
        raise ApiError(422, 'Invalid request.\n\n"email", "name" weren\'t supplied.')
    return str(value["name"]), str(value["email"])


def _check_workflow(call: Call, paths: list[str]) -> None:
    """A token without the permission ``workflows`` changes no workflow."""
    if not isinstance(call.caller, Grant) or call.caller.permissions.get("workflows") == "write":
        return
    if any(WORKFLOWS.match(path) for path in paths):
        raise ApiError(
            403, FORBIDDEN, headers={"X-Accepted-GitHub-Permissions": "contents=write; workflows=write"}
        )


# refs ----------------------------------------------------------------------------------------------------


@table.add("GET", "R/git/ref/heads/{branch:path}")
def get_ref(call: Call) -> Reply:
    """Get a branch as a reference."""
    repository = call.repository("contents")
    sha = call.world.tip(call.name, call.path["branch"])
    if sha is None:
        raise not_found()
    return Reply(shapes.ref_shape(repository, call.path["branch"], sha, call.urls))


@table.add("GET", "R/git/matching-refs/heads/{prefix:path}")
def list_matching_refs(call: Call) -> Reply:
    """List the branches that begin with a prefix."""
    repository = call.repository("contents")
    prefix = call.path["prefix"]
    found = [item for item in call.world.branches(call.name).items() if item[0].startswith(prefix)]
    return call.page(found, lambda item: shapes.ref_shape(repository, item[0], item[1], call.urls))


@table.add("POST", "R/git/refs")
def create_ref(call: Call) -> Reply:
    """Create a branch."""
    repository = call.repository("contents", level="write")
    ref, sha = call.needed("Reference", "ref"), call.needed("Reference", "sha")
    if not ref.startswith(HEADS):
        raise ApiError(422, f"{ref} is not a valid ref name.")
    if repository.git.kind(sha) != "commit":
        raise ApiError(422, "Object does not exist")
    branch = ref.removeprefix(HEADS)
    call.world.create_branch(call.name, branch, at=sha, by=call.login)
    return Reply(shapes.ref_shape(repository, branch, sha, call.urls), 201)


@table.add("PATCH", "R/git/refs/heads/{branch:path}")
def update_ref(call: Call) -> Reply:
    """Move a branch."""
    repository = call.repository("contents", level="write")
    sha, branch = call.needed("Reference", "sha"), call.path["branch"]
    force = call.body.get("force") is True
    call.world.move_branch(call.name, branch, sha, force=force, by=call.login)
    return Reply(shapes.ref_shape(repository, branch, sha, call.urls))


@table.add("DELETE", "R/git/refs/heads/{branch:path}")
def delete_ref(call: Call) -> Reply:
    """Delete a branch."""
    call.repository("contents", level="write")
    call.world.delete_branch(call.name, call.path["branch"], by=call.login)
    return Reply(status=204)


@table.add("GET", "R/branches")
def list_branches(call: Call) -> Reply:
    """List branches."""
    repository = call.repository("contents")
    git = repository.git

    def show(item: tuple[str, str]) -> Any:
        return shapes.branch_shape(
            call.world,
            repository,
            item[0],
            git.commit(item[1]),
            call.urls,
            short=True,
            protection=call.world.protection(call.name, item[0]),
        )

    found = list(call.world.branches(call.name).items())
    if only := call.query.get("protected"):
        wanted = only == "true"
        found = [item for item in found if (call.world.protection(call.name, item[0]) is not None) == wanted]
    return call.page(found, show)


@table.add("GET", "R/branches/{branch:path}")
def get_branch(call: Call) -> Reply:
    """Get a branch with its last commit."""
    repository = call.repository("contents")
    sha = call.world.tip(call.name, call.path["branch"])
    if sha is None:
        raise ApiError(404, "Branch not found")
    branch, commit = call.path["branch"], repository.git.commit(sha)
    protection = call.world.protection(call.name, branch)
    return Reply(
        shapes.branch_shape(call.world, repository, branch, commit, call.urls, protection=protection)
    )


# git's objects -----------------------------------------------------------------------------------------------


@table.add("GET", "R/git/trees/{sha:path}")
def get_tree(call: Call) -> Reply:
    """Get a tree by its sha, or that of a commit or branch; any ``recursive`` lists what is below."""
    repository = call.repository("contents")
    sha = call.path["sha"]
    if repository.git.kind(sha) != "tree":
        commit = repository.git.resolve(sha)
        if commit is None:
            raise not_found()
        sha = repository.git.commit(commit).tree
    entries = repository.git.tree(sha, recursive="recursive" in call.query)
    return Reply(shapes.tree_shape(repository, sha, entries, call.urls))


@table.add("POST", "R/git/trees")
def create_tree(call: Call) -> Reply:
    """Create a tree from another with changes; a null ``sha`` deletes a path."""
    repository = call.repository("contents", level="write")
    _must_write(call)
    git, base, items = repository.git, call.text("base_tree"), call.body.get("tree")
    if not isinstance(items, list) or not items:
        raise ApiError(422, "Invalid tree info")
    if base is not None and git.kind(base) not in {"tree", "commit"}:
        raise ApiError(404, "Not Found")
    changes: list[tuple[str, str, str | None]] = []
    for item in items:
        path, mode, sha = item.get("path"), item.get("mode", "100644"), item.get("sha")
        if not isinstance(path, str) or not path or mode not in MODES:
            raise ApiError(422, "Must supply a valid tree.mode")
        if "content" in item:
            sha = git.write_blob(str(item["content"]).encode("utf-8", "surrogatepass"))
        elif "sha" not in item:
            raise ApiError(422, "Must supply either tree.sha or tree.content")
        elif sha is not None and mode != "160000" and git.kind(sha) != MODES[mode]:
            raise ApiError(422, f"tree.sha {sha} is not a valid {MODES[mode]}")
        changes.append((path, mode, sha))
    _check_workflow(call, [path for path, _, _ in changes])
    try:
        tree = git.write_tree(base, changes)
    except GitError:
        raise ApiError(422, "GitRPC::BadObjectState") from None
    return Reply(shapes.tree_shape(repository, tree, git.tree(tree), call.urls), 201)


def _must_write(call: Call) -> None:
    call.world.require(call.world.repository(call.name), call.world.account(call.login), Role.WRITE)


@table.add("GET", "R/git/blobs/{sha}")
def get_blob(call: Call) -> Reply:
    """Get a blob."""
    repository = call.repository("contents")
    sha = call.path["sha"]
    if repository.git.kind(sha) != "blob":
        raise not_found()
    content = repository.git.blob(sha)
    if "raw" in call.accept:
        return Reply(raw=content, media="application/vnd.github.raw+json; charset=utf-8")
    return Reply(
        {
            "sha": sha,
            "node_id": f"B_{sha}",
            "size": len(content),
            "url": f"{call.urls.api}/repos/{repository.full_name}/git/blobs/{sha}",
            "content": base64.encodebytes(content).decode(),
            "encoding": "base64",
        }
    )


@table.add("POST", "R/git/blobs")
def create_blob(call: Call) -> Reply:
    """Create a blob."""
    repository = call.repository("contents", level="write")
    _must_write(call)
    text = call.needed("Blob", "content")
    content = _decoded(call) if call.text("encoding") == "base64" else text.encode("utf-8", "surrogatepass")
    sha = repository.git.write_blob(content)
    url = f"{call.urls.api}/repos/{repository.full_name}/git/blobs/{sha}"
    return Reply({"sha": sha, "url": url}, 201)


@table.add("GET", "R/git/commits/{sha}")
def get_git_commit(call: Call) -> Reply:
    """Get a commit as git has it."""
    repository = call.repository("contents")
    if repository.git.kind(call.path["sha"]) != "commit":
        raise not_found()
    return Reply(shapes.git_commit_shape(repository, repository.git.commit(call.path["sha"]), call.urls))


@table.add("POST", "R/git/commits")
def create_commit(call: Call) -> Reply:
    """Create a commit; one of an App that names nobody is signed."""
    repository = call.repository("contents", level="write")
    _must_write(call)
    git, body = repository.git, call.body
    message, tree = call.needed("Commit", "message"), call.needed("Commit", "tree")
    parents = body.get("parents") or []
    if git.kind(tree) != "tree":
        raise ApiError(422, "Tree SHA does not exist")
    if any(not isinstance(parent, str) or git.kind(parent) != "commit" for parent in parents):
        raise ApiError(422, "Parent SHA does not exist or is not a commit object")
    who = call.world.account(call.login)
    made = call.world.authored(who, _person(body.get("author")), _person(body.get("committer")))
    if not isinstance(call.caller, Grant) and made.sign:
        made = call.world.signed(who, web=False)
    sha = git.write_commit(tree, parents, message, made)
    return Reply(shapes.git_commit_shape(repository, git.commit(sha), call.urls), 201)


# history --------------------------------------------------------------------------------------------------------


@table.add("GET", "R/commits")
def list_commits(call: Call) -> Reply:
    """List the history of a branch or sha, optionally of one path and from a time on."""
    repository = call.repository("contents")
    ref, path = call.query.get("sha") or repository.default_branch, call.query.get("path") or None
    found = call.world.log(call.name, ref, path=path, limit=1000)
    if since := call.time("since"):
        found = [commit for commit in found if commit.committed_at >= since]
    if until := call.time("until"):
        found = [commit for commit in found if commit.committed_at <= until]
    return call.page(found, lambda commit: shapes.commit_shape(call.world, repository, commit, call.urls))


@table.add("GET", "R/commits/{sha:path}/pulls")
def list_pulls_of_commit(call: Call) -> Reply:
    """List the merged pull request that brought a commit, else the open ones that hold it."""
    repository = call.repository("pull_requests", "contents")
    sha = call.world.resolve(call.name, call.path["sha"])

    def holds(pull: Pull) -> bool:
        if pull.merge_commit_sha == sha:
            return True
        return any(commit.sha == sha for commit in call.world.commits_of(call.name, pull.number))

    found = [
        pull for pull in call.world.pulls(call.name) if (pull.merged or pull.state == "open") and holds(pull)
    ]
    found = [pull for pull in found if pull.merged] or found
    return call.page(
        found, lambda pull: shapes.pull_shape(call.world, repository, pull, call.urls, short=True)
    )


@table.add("GET", "R/commits/{sha:path}")
def get_commit(call: Call) -> Reply:
    """Get a commit with what it changes against its first parent."""
    repository = call.repository("contents")
    sha = repository.git.resolve(call.path["sha"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.path['sha']}")
    commit = repository.git.commit(sha)
    files = differences(repository.git, commit.parents[0] if commit.parents else None, sha)
    return Reply(shapes.commit_shape(call.world, repository, commit, call.urls, files))


@table.add("GET", "R/compare/{basehead:path}")
def compare(call: Call) -> Reply:
    """Compare two commits from where they parted."""
    repository = call.repository("contents")
    left, _, right = call.path["basehead"].partition("...")
    base, head = (_side(call, repository, name) for name in (left, right))
    git = repository.git
    parted = git.merge_base(base, head)
    if parted is None:
        raise ApiError(404, "No common ancestor between the two commits.")
    ahead, behind = git.log(head, f"^{base}"), git.log(base, f"^{head}")
    status = "identical" if base == head else "ahead" if not behind else "diverged" if ahead else "behind"
    name, page = f"{call.urls.api}/repos/{repository.full_name}", f"{call.urls.web}/{repository.full_name}"
    seen = f"{page}/compare/{left}...{right}"

    def show(sha: str) -> Any:
        return shapes.commit_shape(call.world, repository, git.commit(sha), call.urls)

    files = differences(git, parted, head)
    return Reply(
        {
            "url": f"{name}/compare/{left}...{right}",
            "html_url": seen,
            "permalink_url": f"{page}/compare/{base[:7]}...{head[:7]}",
            "diff_url": f"{seen}.diff",
            "patch_url": f"{seen}.patch",
            "base_commit": show(base),
            "merge_base_commit": show(parted),
            "status": status,
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [show(commit.sha) for commit in reversed(ahead)],
            "files": [shapes.diff_shape(repository, file, head, call.urls) for file in files],
        }
    )


def _side(call: Call, repository: Repository, name: str) -> str:
    """Find a side of a comparison: a branch or sha, also ``owner:branch`` of a fork."""
    owner, colon, branch = name.rpartition(":")
    if colon and owner.casefold() != repository.owner.login.casefold():
        found = call.world.repository(f"{owner}/{repository.name}").git.resolve(branch)
    else:
        found = repository.git.resolve(branch)
    if found is None:
        raise not_found()
    return found
