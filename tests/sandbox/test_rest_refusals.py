"""What the API says no to, with GitHub's statuses and words; one world, asked only what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.peer import SHOP, Peer, b64, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

R = f"/repos/{SHOP}"
NOWHERE = "1" * 40


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Pull request 1 is open, 2 is merged, 3 is an issue, 4 conflicts, 5 is a draft."""
    with serving(tmp_path_factory.mktemp("world")) as peer:
        world = peer.world
        peer.feature("one")
        peer.feature("two", b"two\n")
        world.merge(SHOP, 2, by="mona")
        world.open_issue(SHOP, "Plain", by="mona")
        peer.feature("four", b"four\n")
        world.commit(SHOP, "four", {"new.txt": b"1\n"}, "More", by="mona")
        world.commit(SHOP, "main", {"a.txt": b"main\n"}, "Main moves on", by="mona")
        world.create_branch(SHOP, "five", by="mona")
        world.commit(SHOP, "five", {"five.txt": b"5\n"}, "Five", by="mona")
        world.open_pull(SHOP, "five", "main", "Draft", by="mona", draft=True)
        world.comment(SHOP, 1, "A comment of mona", by="mona")
        yield peer


CONTENT = b64(b"x\n")
PULL = {"title": "T", "base": "main"}
REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("unknown repository", "GET /repos/acme/none", None, 404, "Not Found"),
    ("unknown operation", "GET ./nothing/here", None, 404, "Not Found"),
    ("number that is none", "GET ./pulls/first", None, 404, "Not Found"),
    ("unknown user", "GET /users/nobody", None, 404, "Not Found"),
    ("role of an unknown user", "GET ./collaborators/nobody/permission", None, 404, "Not Found"),
    ("body that is no JSON", "POST ./issues/1/comments", b"{", 400, "Problems parsing JSON"),
    ("body that is no object", "POST ./issues/1/comments", [1], 400, "Body should be a JSON object"),
    # files
    ("file that is not there", "GET ./contents/none.txt", None, 404, "Not Found"),
    (
        "file at an unknown ref",
        "GET ./contents/a.txt?ref=none",
        None,
        404,
        "No commit found for the ref none",
    ),
    (
        "new file into no branch",
        "PUT ./contents/n.txt",
        {"message": "m", "content": CONTENT, "branch": "no"},
        404,
        "Branch no not found",
    ),
    (
        "update without a sha",
        "PUT ./contents/a.txt",
        {"message": "m", "content": CONTENT},
        422,
        '"sha" wasn\'t supplied',
    ),
    (
        "update of another blob",
        "PUT ./contents/a.txt",
        {"message": "m", "content": CONTENT, "sha": NOWHERE},
        409,
        f"a.txt does not match {NOWHERE}",
    ),
    (
        "content that is no Base64",
        "PUT ./contents/n.txt",
        {"message": "m", "content": "é"},
        422,
        "content is not valid Base64",
    ),
    (
        "path with dots",
        "PUT ./contents/a/%2E%2E/b.txt",
        {"message": "m", "content": CONTENT},
        422,
        "path contains a malformed path component",
    ),
    (
        "path into git",
        "PUT ./contents/x/.git/config",
        {"message": "m", "content": CONTENT},
        422,
        "path contains a malformed path component",
    ),
    (
        "file in a folder's place",
        "PUT ./contents/deep",
        {"message": "m", "content": CONTENT},
        422,
        "path contains a directory",
    ),
    (
        "workflow without the permission",
        "PUT ./contents/.github/workflows/x.yml",
        {"message": "m", "content": CONTENT},
        403,
        "Resource not accessible by integration",
    ),
    # branches
    ("branch that is not there", "GET ./git/ref/heads/none", None, 404, "Not Found"),
    ("branch page that is not there", "GET ./branches/none", None, 404, "Branch not found"),
    (
        "branch that is there",
        "POST ./git/refs",
        {"ref": "refs/heads/one", "sha": "TIP"},
        422,
        "Reference already exists",
    ),
    (
        "branch at nothing",
        "POST ./git/refs",
        {"ref": "refs/heads/n", "sha": NOWHERE},
        422,
        "Object does not exist",
    ),
    (
        "branch with a bad name",
        "POST ./git/refs",
        {"ref": "refs/heads/a..b", "sha": "TIP"},
        422,
        "is not a valid ref name",
    ),
    (
        "branch moved sideways",
        "PATCH ./git/refs/heads/one",
        {"sha": "TIP"},
        422,
        "Update is not a fast forward",
    ),
    (
        "branch moved that is not there",
        "PATCH ./git/refs/heads/none",
        {"sha": "TIP"},
        422,
        "Reference does not exist",
    ),
    (
        "branch deleted that is not there",
        "DELETE ./git/refs/heads/none",
        None,
        422,
        "Reference does not exist",
    ),
    ("default branch deleted", "DELETE ./git/refs/heads/main", None, 422, "Cannot delete the default branch"),
    # git's objects
    ("tree of nothing", "POST ./git/trees", {"tree": []}, 422, "Invalid tree info"),
    (
        "tree on nothing",
        "POST ./git/trees",
        {"base_tree": NOWHERE, "tree": [{"path": "x", "content": "y"}]},
        404,
        "Not Found",
    ),
    (
        "tree with a missing blob",
        "POST ./git/trees",
        {"tree": [{"path": "x", "mode": "100644", "sha": NOWHERE}]},
        422,
        "is not a valid blob",
    ),
    (
        "commit of no tree",
        "POST ./git/commits",
        {"message": "m", "tree": NOWHERE},
        422,
        "Tree SHA does not exist",
    ),
    ("unknown commit", f"GET ./commits/{NOWHERE}", None, 422, f"No commit found for SHA: {NOWHERE}"),
    ("comparison with nothing", "GET ./compare/main...none", None, 404, "Not Found"),
    # pull requests
    (
        "second pull request of a branch",
        "POST ./pulls",
        PULL | {"head": "one"},
        422,
        "A pull request already exists for acme:one.",
    ),
    (
        "nothing between the branches",
        "POST ./pulls",
        PULL | {"head": "two"},
        422,
        "No commits between main and two",
    ),
    (
        "head that is not there",
        "POST ./pulls",
        PULL | {"head": "none"},
        422,
        "'field': 'head', 'code': 'invalid'",
    ),
    (
        "head of an unknown fork",
        "POST ./pulls",
        PULL | {"head": "eve:x"},
        422,
        "'field': 'head', 'code': 'invalid'",
    ),
    (
        "base that is not there",
        "POST ./pulls",
        {"title": "T", "head": "one", "base": "none"},
        422,
        "'field': 'base', 'code': 'invalid'",
    ),
    (
        "pull request without a title",
        "POST ./pulls",
        {"head": "one", "base": "main"},
        422,
        "'field': 'title', 'code': 'missing_field'",
    ),
    ("unknown pull request", "GET ./pulls/99", None, 404, "Not Found"),
    ("issue as a pull request", "GET ./pulls/3", None, 404, "Not Found"),
    ("merged one opened again", "PATCH ./pulls/2", {"state": "open"}, 422, "state cannot be changed"),
    ("body of a pull request too long", "PATCH ./pulls/1", {"body": "x" * 65_537}, 422, "maximum is 65536"),
    (
        "merge of a head that moved",
        "PUT ./pulls/1/merge",
        {"sha": NOWHERE},
        409,
        "Head branch was modified. Review and try the merge again.",
    ),
    ("merge of a merged one", "PUT ./pulls/2/merge", {}, 405, "Pull Request is not mergeable"),
    ("merge of a conflict", "PUT ./pulls/4/merge", {}, 405, "Pull Request is not mergeable"),
    (
        "rebase of a conflict",
        "PUT ./pulls/4/merge",
        {"merge_method": "rebase"},
        405,
        "Pull Request is not mergeable",
    ),
    ("merge of a draft", "PUT ./pulls/5/merge", {}, 405, "Pull Request is still a draft"),
    ("merge by an unknown method", "PUT ./pulls/1/merge", {"merge_method": "octopus"}, 422, "merge_method"),
    ("review of an unknown kind", "POST ./pulls/1/reviews", {"event": "LIKE"}, 422, "Unprocessable Entity"),
    # conversation
    ("comment without text", "POST ./issues/1/comments", {"body": " \n"}, 422, "missing_field"),
    (
        "comment that is too long",
        "POST ./issues/1/comments",
        {"body": "x" * 65_537},
        422,
        "Body is too long (maximum is 65536 characters)",
    ),
    ("comment on nothing", "POST ./issues/99/comments", {"body": "x"}, 404, "Not Found"),
    ("unknown comment", "GET ./issues/comments/99", None, 404, "Not Found"),
    (
        "somebody's comment edited by the App",
        "PATCH ./issues/comments/MONAS",
        {"body": "x"},
        403,
        "Resource not accessible by integration",
    ),
    (
        "unknown reaction",
        "POST ./issues/comments/MONAS/reactions",
        {"content": "wow"},
        422,
        "'field': 'content', 'code': 'invalid'",
    ),
    ("label that is not there", "DELETE ./issues/1/labels/none", None, 404, "Label does not exist"),
    # checks
    (
        "check on no commit",
        "POST ./check-runs",
        {"name": "n", "head_sha": NOWHERE},
        422,
        f"No commit found for SHA: {NOWHERE}",
    ),
    (
        "check without a name",
        "POST ./check-runs",
        {"head_sha": "TIP"},
        422,
        "'field': 'name', 'code': 'missing_field'",
    ),
    (
        "check completed without an end",
        "POST ./check-runs",
        {"name": "n", "head_sha": "TIP", "status": "completed"},
        422,
        "'field': 'conclusion', 'code': 'missing_field'",
    ),
    (
        "check with too long a summary",
        "POST ./check-runs",
        {"name": "n", "head_sha": "TIP", "output": {"title": "t", "summary": "x" * 65_536}},
        422,
        "Only 65535 characters are allowed",
    ),
    (
        "check with too many annotations",
        "POST ./check-runs",
        {"name": "n", "head_sha": "TIP", "output": {"title": "t", "summary": "s", "annotations": [{}] * 51}},
        422,
        "annotations",
    ),
    ("unknown check", "GET ./check-runs/99", None, 404, "Not Found"),
]


@pytest.mark.parametrize("case", [pytest.param(case[1:], id=case[0]) for case in REFUSED])
def test_refusal(asked: Peer, case: tuple[str, Any, int, str]) -> None:
    request, body, status, message = case
    method, _, path = request.partition(" ")
    path = path.replace("./", f"{R}/", 1) if path.startswith(".") else path
    world = asked.world
    tip = world.tip(SHOP, "main")
    comment = world.pull(SHOP, 1).comments[0].id
    if isinstance(body, dict):
        body = {key: tip if value == "TIP" else value for key, value in body.items()}
    more: dict[str, Any] = (
        {} if body is None else {"content": body} if isinstance(body, bytes) else {"json": body}
    )
    before = (world.branches(SHOP), len(world.repository(SHOP).issues), len(world.pull(SHOP, 1).comments))

    answer = asked.ask(method, path.replace("MONAS", str(comment)), asked.token(), **more)

    said = answer.json()
    assert (answer.status_code, said["status"]) == (status, str(status)), answer.text
    assert message in f"{said['message']} {said.get('errors', '')}"
    assert said["documentation_url"].startswith("https://docs.github.com/")
    after = (world.branches(SHOP), len(world.repository(SHOP).issues), len(world.pull(SHOP, 1).comments))
    assert after == before


def test_errors_name_resource_field_and_code(asked: Peer) -> None:
    answer = asked.ask("POST", f"{R}/pulls", asked.token(), json=PULL | {"head": "none"})
    assert answer.json()["errors"] == [{"resource": "PullRequest", "field": "head", "code": "invalid"}]


def test_what_a_person_may_not(asked: Peer) -> None:
    """A reader of a public repository sees everything and writes nothing but comments."""
    eve = asked.world.token("eve")
    tip = asked.world.tip(SHOP, "main")
    answers = {
        "merge": asked.ask("PUT", f"{R}/pulls/1/merge", eve, json={}),
        "branch": asked.ask("POST", f"{R}/git/refs", eve, json={"ref": "refs/heads/e", "sha": tip}),
        "file": asked.ask("PUT", f"{R}/contents/e.txt", eve, json={"message": "m", "content": CONTENT}),
        "close": asked.ask("PATCH", f"{R}/pulls/1", eve, json={"state": "closed"}),
        "label": asked.ask("POST", f"{R}/issues/1/labels", eve, json={"labels": ["x"]}),
        "check": asked.ask("POST", f"{R}/check-runs", eve, json={"name": "n", "head_sha": tip}),
        "roles": asked.ask("GET", f"{R}/collaborators/mona/permission", eve),
        "title": asked.ask("PATCH", f"{R}/pulls/1", eve, json={"title": "Mine"}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 403)


def test_nobody_reads_what_is_public_and_writes_nothing(asked: Peer) -> None:
    assert asked.ask("GET", f"{R}/pulls/1").status_code == 200
    answer = asked.ask("POST", f"{R}/issues/1/comments", json={"body": "hi"})
    assert (answer.status_code, answer.json()["message"]) == (401, "Requires authentication")


def test_a_foreign_name_for_this_machine_opens_nothing(asked: Peer) -> None:
    """DNS rebinding: a page of somebody else must not command the sandbox under a name of its own."""
    assert asked.client.get("/", headers={"Host": "attacker.invalid"}).status_code == 400
    assert asked.client.get(R, headers={"Host": "attacker.invalid"}).status_code == 400
