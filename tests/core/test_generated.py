"""Files that a program writes are not the bot's to edit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.generated import CHART, HYDRATED, is_rendered_branch, refusal
from bot.core.problems import Place

PLAIN = "apps/shop/service.yaml"
part = st.text(alphabet="abcxyz-", min_size=1, max_size=8)


class TestBranches:
    """Edits must go to the dry branch; rendered branches are refused by default."""

    @pytest.mark.parametrize(
        ("branch", "rendered"),
        [
            pytest.param("environment/production", True, id="GitOps Promoter, active"),
            pytest.param("environment/production-next", True, id="GitOps Promoter, proposed"),
            pytest.param("environments/dev", True, id="Argo CD's hydrator, syncSource"),
            pytest.param("environments/dev-next", True, id="Argo CD's hydrator, hydrateTo"),
            pytest.param("environments/eu/dev", True, id="deeper"),
            pytest.param("env/test-next", True, id="env, proposed"),
            pytest.param("hydrated", True, id="hydrated"),
            pytest.param("rendered/shop", True, id="rendered"),
            pytest.param("refs/heads/environment/dev", True, id="the ref's full name"),
            pytest.param("main", False, id="main"),
            pytest.param("env/test", False, id="a branch an environment, edited by hand"),
            pytest.param("environment", False, id="no environment named"),
            pytest.param("my/environment/dev", False, id="inside of another name"),
            pytest.param("feature/next", False, id="next"),
            pytest.param("canary/shop/7f3a/50", False, id="a branch of the bot"),
            pytest.param("rendered-docs", False, id="a longer word"),
            pytest.param("", False, id="none"),
        ],
    )
    def test_names(self, branch: str, *, rendered: bool) -> None:
        assert is_rendered_branch(branch) is rendered
        problem = refusal(PLAIN, branch)
        assert (problem.code if problem else None) == ("generated-branch" if rendered else None)
        if problem:
            assert problem.place == Place(PLAIN)
            assert "dry" in problem.remedy
            assert f"`{branch.removeprefix('refs/heads/')}`" in problem.message

    @pytest.mark.parametrize(
        ("file", "rendered"),
        [
            pytest.param(HYDRATED, True, id="at the root"),
            pytest.param(f"apps/{HYDRATED}", True, id="above"),
            pytest.param(f"apps/shop/{HYDRATED}", True, id="beside"),
            pytest.param(f"apps/other/{HYDRATED}", False, id="elsewhere"),
            pytest.param(f"apps/shop/old-{HYDRATED}", False, id="another file"),
        ],
    )
    def test_what_the_hydrator_leaves(self, file: str, *, rendered: bool) -> None:
        problem = refusal(PLAIN, "live", paths={file, PLAIN})
        assert (problem is not None) is rendered
        if problem:
            assert problem.code == "generated-branch"
            assert f"`{file}`" in problem.message


class TestFolders:
    """Chart templates are no manifests; vendor and node_modules are copies."""

    @pytest.mark.parametrize(
        ("path", "paths", "code"),
        [
            pytest.param("charts/shop/templates/ksvc.yaml", None, "helm-template", id="charts, templates"),
            pytest.param("shop/templates/ksvc.yaml", None, None, id="templates of something, nothing known"),
            pytest.param(
                "shop/templates/ksvc.yaml",
                {f"shop/{CHART}"},
                "helm-template",
                id="Chart.yaml beside templates",
            ),
            pytest.param(
                "shop/templates/a/b.yaml", {f"shop/{CHART}"}, "helm-template", id="deeper in templates"
            ),
            pytest.param("templates/ksvc.yaml", {CHART}, "helm-template", id="a chart at the root"),
            pytest.param("charts/shop/templates/ksvc.yaml", set(), None, id="no Chart.yaml there"),
            pytest.param("shop/templates/ksvc.yaml", {f"other/{CHART}"}, None, id="a chart elsewhere"),
            pytest.param("shop/crds/ksvc.yaml", {f"shop/{CHART}"}, None, id="a chart's other folder"),
            pytest.param("shop/templates.yaml", {CHART, f"shop/{CHART}"}, None, id="a file of that name"),
            pytest.param("web/node_modules/x/service.yaml", None, "vendored-file", id="node_modules"),
            pytest.param("vendor/x/service.yaml", None, "vendored-file", id="vendor"),
            pytest.param(
                "tools/vendor/x/a.yaml", {"tools/go.mod"}, "vendored-file", id="vendor of a Go module"
            ),
            pytest.param("tools/vendor/a.yaml", {"tools/composer.json"}, "vendored-file", id="vendor of PHP"),
            pytest.param("apps/vendor/service.yaml", {"go.mod"}, None, id="a service called vendor"),
            pytest.param("apps/node_modules.yaml", None, None, id="a file called so"),
            pytest.param(PLAIN, {CHART, PLAIN}, None, id="a manifest"),
        ],
    )
    def test_table(self, path: str, paths: set[str] | None, code: str | None) -> None:
        problem = refusal(path, "main", paths=paths)
        assert (problem.code if problem else None) == code
        if problem:
            assert problem.place == Place(path)
            assert problem.remedy

    def test_the_chart_is_named(self) -> None:
        problem = refusal("charts/shop/templates/ksvc.yaml", "main", paths={f"charts/shop/{CHART}"})
        assert problem
        assert "the Helm chart `shop`" in problem.message
        assert "values" in problem.remedy


class TestHeaders:
    """Files that say 'generated, do not edit' are refused with the line that says it."""

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            pytest.param("# Code generated by make. DO NOT EDIT.\na: 1\n", 1, id="Go's words"),
            pytest.param(
                "---\n# This file is auto-generated;\n# don't modify it.\na: 1\n", 2, id="over two lines"
            ),
            pytest.param(
                "# yaml\n\n# AUTOGENERATED, do not manually edit\na: 1\n", 3, id="behind other comments"
            ),
            pytest.param("%YAML 1.2\n---\n# @generated by x\na: 1\n", 3, id="@generated, behind a directive"),
            pytest.param("\ufeff# generated - do not edit\r\na: 1\r\n", 1, id="byte-order mark, CRLF"),
            pytest.param("---\n# Source: shop/templates/ksvc.yaml\na: 1\n", 2, id="helm template"),
            pytest.param(
                "a: 1\r\n---\r\n# Source: shop/templates/x/y.yaml\r\nb: 1\r\n", 3, id="second document, CRLF"
            ),
            pytest.param("# generated by kubectl create\na: 1\n", None, id="generated once"),
            pytest.param("# do not edit on Fridays\na: 1\n", None, id="do not edit"),
            pytest.param("a: 1\n# Code generated by make. DO NOT EDIT.\n", None, id="behind content"),
            pytest.param("a: '# Code generated. DO NOT EDIT.'\n", None, id="a value"),
            pytest.param("a: |\n  # Source: shop/templates/ksvc.yaml\n", None, id="inside of a text"),
            pytest.param(
                "# Source: our wiki/templates/ about it\na: 1\n", None, id="a source that is no path"
            ),
            pytest.param("# Source: docs/service.yaml\na: 1\n", None, id="a source that is no template"),
            pytest.param("# regenerated: do not edit\na: 1\n", None, id="a longer word"),
            pytest.param("", None, id="empty"),
        ],
    )
    def test_table(self, text: str, line: int | None) -> None:
        problem = refusal(PLAIN, "main", content=text.encode())
        assert (problem.place if problem else None) == (Place(PLAIN, line) if line else None)
        assert problem is None or (problem.code == "generated-file" and problem.remedy)

    def test_helm_names_the_chart(self) -> None:
        problem = refusal(PLAIN, "main", content=b"---\n# Source: shop/charts/cart/templates/a.yaml\n")
        assert problem
        assert "the chart `shop/charts/cart`" in problem.message
        assert "values" in problem.remedy

    def test_the_branch_comes_first(self) -> None:
        problem = refusal("vendor/a.yaml", "environment/dev", content=b"# @generated\n")
        assert problem
        assert problem.code == "generated-branch"


class TestAnything:
    """Whatever the names and bytes are, there is an answer."""

    @given(path=st.text(max_size=40), branch=st.text(max_size=40), content=st.binary(max_size=80))
    def test_never_raises(self, path: str, branch: str, content: bytes) -> None:
        problem = refusal(path, branch, paths=set(), content=content)
        assert problem is None or (problem.place and problem.place.path == path)

    @given(st.lists(part, min_size=1, max_size=6), st.data())
    def test_a_hydrated_folder_holds_all_below(self, parts: list[str], data: st.DataObject) -> None:
        depth = data.draw(st.integers(0, len(parts) - 1))
        marker = "/".join([*parts[:depth], HYDRATED])
        problem = refusal("/".join(parts), "main", paths={marker})
        assert problem
        assert problem.code == "generated-branch"

    @given(st.lists(part, min_size=1, max_size=6))
    def test_ordinary_folders_are_free(self, parts: list[str]) -> None:
        assert refusal("/".join(parts), "main") is None
        assert refusal("/".join(parts), "main", paths={CHART, "go.mod"}) is None

    def test_a_hostile_header_is_read_quickly(self) -> None:
        assert refusal(PLAIN, "main", content=b"# Source: " + b"/templates/ " * 100_000) is None
        assert refusal(PLAIN, "main", content=b"# generated do not \n" * 100_000) is None
