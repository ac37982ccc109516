"""A service anywhere in a repository: real HTTP, real git, counted requests, each as GitHub documents it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bot.adapters.worktree import WorkTree
from bot.core.discovery import MOST_READ, Hit
from bot.core.problems import Declined
from bot.service.finding import Index, find_in_repository, find_one, search
from tests.adapters.stage import SHOP, staged
from tests.contract.lane import tally, verdict
from tests.contract.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.ports import Repository
    from tests.adapters.stage import Stage


def service(name: str, namespace: str = "shop", *, image: str = "a:1") -> bytes:
    return f"""\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
spec:
  template:
    spec:
      containers: [{{image: {image}}}]
""".encode()


def virtual_service(name: str) -> bytes:
    return f"""\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}]
  http:
  - route:
    - {{destination: {{host: {name}, subset: v1}}, weight: 90}}
    - {{destination: {{host: {name}, subset: v2}}, weight: 10}}
""".encode()


def config_map(number: int) -> bytes:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{number}}}\n".encode()


FOUND = "deploy/one.yaml"
FEW = {
    FOUND: service("checkout"),
    "deploy/two.yaml": service("cart"),
    "deploy/mesh.yml": virtual_service("cart"),
    "deploy/settings.yaml": config_map(0),
    "src/main.go": b"package main\n",
    "web/package.json": b"{}\n",
    "chart/Chart.yaml": b"name: chart\n",
    "chart/templates/service.yaml": service("checkout"),
    "vendor/a/service.yaml": service("checkout"),
}
MANY = {f"misc/{number:03}.yaml": config_map(number) for number in range(2 * MOST_READ)}


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """As elsewhere, and the referee hears all of it."""
    recorder = Recorder()
    with recorder.listening(), staged(tmp_path) as ready:
        yield ready
    assert verdict(recorder, tally(request.config)) == []


def commit(stage: Stage, files: dict[str, bytes]) -> str:
    return stage.world.commit(SHOP, "main", files, "More", by="mona")


def asked(stage: Stage) -> list[str]:
    """What was sent since the last time: the kinds of requests."""
    lines = [line.split("/")[2] if "/git/" in line else line for line in stage.heard]
    stage.heard.clear()
    return lines


class TestRequests:
    """One for the list of files, one for each candidate, and none for what is known."""

    def test_the_first_look_and_the_second(self, stage: Stage) -> None:
        tip = commit(stage, FEW)
        stage.warm()
        asked(stage)

        hits, cut = find_in_repository(stage.repository, tip, "checkout")
        assert hits == (Hit(FOUND, "Service", "shop", "checkout", 1),)
        assert not cut
        assert asked(stage) == ["trees", *["blobs"] * 5]  # apps/checkout/service.yaml is the stage's own

        assert find_in_repository(stage.repository, tip, "shop/checkout") == (hits, False)
        assert find_one(stage.repository, tip, "ksvc/cart").path == "deploy/two.yaml"
        assert asked(stage) == []

    def test_what_is_read_next_is_known(self, stage: Stage) -> None:
        tip = commit(stage, FEW)
        find_one(stage.repository, tip, "checkout")
        with stage.costs():
            file = stage.repository.file(FOUND, tip)
        assert file is not None
        assert file.content == FEW[FOUND]

    def test_another_commit_costs_what_it_changed(self, stage: Stage) -> None:
        find_one(stage.repository, commit(stage, FEW), "checkout")
        tip = commit(stage, {FOUND: service("checkout", image="a:2")})
        stage.warm()
        asked(stage)

        assert find_one(stage.repository, tip, "checkout").path == FOUND
        assert asked(stage) == ["trees", "blobs"]

    def test_a_file_that_is_named_is_all_that_is_read(self, stage: Stage) -> None:
        tip = commit(stage, FEW)
        with stage.costs(f"GET /contents/{FOUND}"):
            for _ in range(2):
                assert find_one(stage.repository, tip, "checkout", file=FOUND).line == 1
        with stage.costs("GET /contents/none.yaml"), pytest.raises(Declined, match="unknown-service"):
            find_one(stage.repository, tip, "checkout", file="none.yaml")

    def test_one_content_at_many_paths(self, stage: Stage) -> None:
        tip = commit(stage, {f"clusters/{n}/checkout.yaml": service("checkout") for n in range(4)})
        stage.warm()
        asked(stage)

        found = search(stage.repository, tip, "checkout")
        assert [hit.path for hit in found.hits] == [f"clusters/{n}/checkout.yaml" for n in range(4)]
        assert asked(stage) == ["trees", *["blobs"] * 2]

    @pytest.mark.parametrize("typed", ["", "shop/"])
    def test_nobody_is_looked_for(self, typed: str, stage: Stage) -> None:
        with stage.costs(), pytest.raises(Declined, match="unknown-service"):
            find_one(stage.repository, stage.tip(), typed)


class TestLarge:
    """Of very many files the likely ones are read, and what was left out is said."""

    def test_a_path_that_names_the_service_is_enough(self, stage: Stage) -> None:
        tip = commit(stage, MANY | {"teams/a/checkout/ksvc.yaml": service("checkout")})
        stage.warm()
        asked(stage)

        assert find_one(stage.repository, tip, "checkout").path == "teams/a/checkout/ksvc.yaml"
        assert asked(stage) == ["trees", *["blobs"] * 2]

    def test_a_search_that_was_cut_says_so_and_goes_on_next_time(self, stage: Stage) -> None:
        tip = commit(stage, MANY | {"zzz.yaml": service("checkout")})
        index = Index()
        stage.warm()
        asked(stage)

        with pytest.raises(Declined) as caught:
            find_one(stage.repository, tip, "cart", index=index)
        (problem,) = caught.value.problems
        left = len(MANY) + 2 - MOST_READ
        assert problem.code == "unknown-service"
        assert f"{left} files were not read" in problem.message
        assert "services: {cart: {file: PATH}}" in problem.remedy
        assert asked(stage) == ["trees", *["blobs"] * MOST_READ]

        assert search(stage.repository, tip, "cart", index=index).unread
        assert asked(stage) == ["blobs"] * MOST_READ
        found = search(stage.repository, tip, "checkout", index=index)
        assert asked(stage) == ["blobs"] * (left - MOST_READ)
        assert (len(found.hits), found.unread, found.is_cut("checkout")) == (1, (), False)

    def test_one_hit_among_unread_files_is_asked_about(self, stage: Stage) -> None:
        tip = commit(stage, MANY | {"k8s/a.yaml": service("checkout")})

        with pytest.raises(Declined) as caught:
            find_one(stage.repository, tip, "checkout")
        (problem,) = caught.value.problems
        assert problem.code == "which-service"
        assert "services: {checkout: {file: k8s/a.yaml}}" in problem.remedy

    def test_what_the_pull_request_changes_is_read_first(self, stage: Stage) -> None:
        tip = commit(stage, MANY | {"zzz/a.yaml": service("checkout")})
        repository = stage.repository

        assert search(repository, tip, "checkout", most=2).hits == ()
        for near in ("zzz/a.yaml", "zzz/main.go"):
            assert [h.path for h in search(repository, tip, "checkout", near=[near], most=2).hits] == [
                "zzz/a.yaml"
            ]

    def test_no_more_is_read_than_can_be_parsed_in_a_while(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.service.finding.MOST_BYTES", 1_000)
        large = b"# " + b"x" * 2_000 + b"\n"
        tip = commit(
            stage, {"deploy/a.yaml": large, "deploy/b.yaml": large + b"#", "zzz.yaml": service("cart")}
        )
        index = Index()

        first = search(stage.repository, tip, "cart", index=index, near=["deploy/a.yaml"])
        assert {"deploy/b.yaml", "zzz.yaml"} <= set(first.unread)
        assert first.is_cut("cart")
        search(stage.repository, tip, "cart", index=index)
        assert [hit.path for hit in search(stage.repository, tip, "cart", index=index).hits] == ["zzz.yaml"]


class Folder:
    """A plain folder as a repository."""

    def __init__(self, root: Path, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        now = datetime(2026, 3, 1, tzinfo=UTC)
        tree = WorkTree(root, git=None, base=None, files=(), text="", now=now)
        self.repository: Repository = tree
        self.sha = tree.pull(0).head_sha

    def one(self, typed: str) -> Hit:
        return find_one(self.repository, self.sha, typed)

    def problems(self, typed: str) -> list[str]:
        with pytest.raises(Declined) as caught:
            self.one(typed)
        return [problem.code for problem in caught.value.problems]


class TestWhich:
    """By kind, namespace and name; several hits are asked about."""

    def test_kinds_and_namespaces(self, tmp_path: Path) -> None:
        files = {
            "a.yaml": service("checkout") + b"---\n" + virtual_service("checkout"),
            "b.yaml": service("checkout", "prod"),
        }
        folder = Folder(tmp_path, files)

        assert folder.problems("checkout") == ["which-service"]
        assert folder.problems("ksvc/checkout") == ["which-service"]
        assert folder.one("prod/checkout") == Hit("b.yaml", "Service", "prod", "checkout", 1)
        assert folder.one("vs/checkout").qualified == "VirtualService/checkout"
        assert folder.problems("prod/cart") == ["unknown-service"]

    def test_the_same_service_in_two_folders(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, {f"{env}/a.yaml": service("checkout") for env in ("staging", "prod")})

        assert folder.problems("Service/shop/checkout") == ["which-service"]

    def test_what_cannot_be_read_and_mentions_the_name_is_told(self, tmp_path: Path) -> None:
        broken = service("checkout").replace(b"containers: [{", b"containers: [{{{ .Values.x }}")
        folder = Folder(tmp_path, {"a.yaml": broken, "b.yaml": service("cart")})

        assert folder.problems("checkout")[0] == "unknown-service"
        assert len(folder.problems("checkout")) == 2
        assert folder.one("cart").path == "b.yaml"

    def test_a_file_that_goes_away_meanwhile_was_not_read(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, {"a.yaml": service("checkout"), "b.yaml": service("cart")})
        folder.repository.tree(folder.sha)
        (tmp_path / "a.yaml").unlink()

        assert search(folder.repository, folder.sha, "checkout").unread == ("a.yaml",)

    def test_a_path_that_the_bot_does_not_edit_holds_nothing(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, {"ä.yaml": service("checkout"), "b.yaml": service("checkout")})

        assert folder.one("checkout").path == "b.yaml"


def test_the_index_lets_go_of_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.service.finding.MOST_KNOWN", 2)
    folder, index = Folder(tmp_path, {f"{n}.yaml": config_map(n) for n in range(3)}), Index()
    search(folder.repository, folder.sha, "checkout", index=index)
    files = {f.path: f for f in folder.repository.tree(folder.sha).files}

    assert [index.get(folder.repository, files[f"{n}.yaml"], "x") is None for n in range(3)] == [
        True,
        False,
        False,
    ]


def test_an_index_never_answers_for_another_name(tmp_path: Path) -> None:
    folder, index = Folder(tmp_path, {"a.yaml": service("checkout") + b"---\n" + service("cart")}), Index()

    for name in ("checkout", "cart", "checkout"):
        assert find_one(folder.repository, folder.sha, name, index=index).name == name
