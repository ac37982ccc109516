"""Which files of a repository are worth reading for a service, and which of the hits was meant."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.discovery import (
    MOST_SHOWN,
    Hit,
    Search,
    candidates,
    choose,
    is_kind,
    matches,
    name_of,
    names,
    ranked,
    unambiguous,
)
from bot.core.problems import Declined, Problem
from tests.shared import shared

LIMIT = 1_000


def hit(kind: str = "Service", namespace: str = "shop", *, path: str = "a.yaml", line: int = 1) -> Hit:
    return Hit(path, kind, namespace, "checkout", line)


def kept(*paths: str) -> list[str]:
    return candidates(dict.fromkeys(paths, 10), largest=LIMIT)


class TestCandidates:
    """What a file holds is not known before it is read, so its path decides."""

    @pytest.mark.parametrize(
        "path",
        [
            "service.yaml",
            "apps/checkout/service.yml",
            "apps/checkout/ksvc.json",
            "deploy/templates/service.yaml",
            "templates/service.yaml",
            "compose-post-service.yaml",
            "package.yaml",
            "values/service.yaml",
            ".platform/service.yaml",
            "apps/my charts/a.yaml",
            "vendors/service.yaml",
            "gitops/service.yaml",
        ],
    )
    def test_worth_reading(self, path: str) -> None:
        assert kept(path) == [path]

    @pytest.mark.parametrize(
        "path",
        [
            "service.yaml.tpl",
            "README.md",
            "yaml",
            "apps/service.YAML.bak",
            ".github/workflows/ci.yaml",
            "apps/.git/a.yaml",
            "apps/.Gitlab/a.yaml",
            "web/node_modules/x/service.yaml",
            "vendor/knative.dev/service.yaml",
            "third_party/a.yaml",
            ".golangci.yml",
            "Chart.yaml",
            "overlays/prod/kustomization.yaml",
            "docker-compose.yml",
            "docker-compose.prod.yml",
            "web/package.json",
            "tsconfig.base.json",
            "pnpm-lock.yaml",
            "api/pet.schema.json",
        ],
    )
    def test_not_worth_reading(self, path: str) -> None:
        assert kept(path) == []

    def test_templates_and_values_of_a_chart_are_no_manifests(self) -> None:
        inside = [
            "templates/service.yaml",
            "crds/a.yaml",
            "values.yaml",
            "values-prod.yaml",
            "templates/x/a.yaml",
        ]
        chart = [f"charts/shop/{path}" for path in inside]
        beside = ["charts/shop/ci/service.yaml", "charts/shopping/templates/service.yaml", "templates/a.yaml"]

        assert kept("charts/shop/Chart.yaml", *chart, *beside) == beside

    def test_a_chart_at_the_root(self) -> None:
        assert kept("Chart.yaml", "templates/a.yaml", "values.yaml", "apps/a.yaml") == ["apps/a.yaml"]

    def test_a_chart_in_a_chart(self) -> None:
        assert kept("a/Chart.yaml", "a/charts/b/Chart.yaml", "a/charts/b/templates/s.yaml") == []

    def test_files_larger_than_any_that_is_edited(self) -> None:
        assert candidates({"a.yaml": LIMIT, "b.yaml": LIMIT + 1}, largest=LIMIT) == ["a.yaml"]

    def test_real_manifests_of_others(self) -> None:
        with (shared("corpus") / "SOURCES.tsv").open(encoding="utf-8") as file:
            paths = [f"{row['repo']}/{row['path']}" for row in csv.DictReader(file, delimiter="\t")]
        plain = [
            path for path in paths if path.endswith((".yaml", ".yml", ".json")) and "/vendor/" not in path
        ]

        assert len(plain) > 300
        assert kept(*plain) == list(dict.fromkeys(plain))


class TestRanked:
    """The likeliest first: of a large repository not all are read."""

    def test_from_the_likeliest_to_the_least(self) -> None:
        order = [
            "x/changed.yaml",
            "apps/checkout/service.yaml",
            "x/y/z/checkout.yaml",
            "tests/checkout.yaml",
            "apps/svc-checkout-v2.yaml",
            "misc/checkoutservice.yaml",
            "x/neighbour.yaml",
            "deploy/other.yaml",
            "misc/other.yaml",
            "misc/deep/er/other.yaml",
            "misc/data.json",
            "docs/other.yaml",
        ]

        assert ranked(order[::-1], "checkout", near=["x/changed.yaml", "gone.go"]) == order

    def test_a_change_at_the_root_has_no_neighbours(self) -> None:
        assert ranked(["zzz.yaml", "deploy/a.yaml"], "checkout", near=["main.go"]) == [
            "deploy/a.yaml",
            "zzz.yaml",
        ]

    @pytest.mark.parametrize(
        ("path", "is_named"),
        [
            ("apps/checkout/service.yaml", True),
            ("apps/checkout.yaml", True),
            ("apps/checkout-service/a.yaml", True),
            ("apps/svc_checkout.prod.yaml", True),
            ("Apps/Checkout/a.yaml", True),
            ("checkouts/a.yaml", False),
            ("apps/precheckout/a.yaml", False),
            ("apps/check/out.yaml", False),
            ("apps/a.checkout", False),
        ],
    )
    def test_a_path_names_a_service_by_whole_words(self, path: str, *, is_named: bool) -> None:
        assert names(path, "checkout") is is_named

    def test_a_name_is_no_pattern(self) -> None:
        assert not names("a/xyz/b.yaml", "x.z")
        assert names("a/x.z/b.yaml", "x.z")

    @given(
        paths=st.lists(st.text(st.sampled_from("ab/.-c"), min_size=1, max_size=12), unique=True),
        near=st.lists(st.text(st.sampled_from("ab/."), max_size=6)),
    )
    def test_an_order_of_all_that_does_not_hang_on_theirs(self, paths: list[str], near: list[str]) -> None:
        assert ranked(paths[::-1], "ab", near=near) == ranked(paths, "ab", near=near)
        assert sorted(ranked(paths, "ab", near=near)) == sorted(paths)

    @given(paths=st.lists(st.text(st.sampled_from("ab/.-"), min_size=1, max_size=12), unique=True))
    def test_who_names_the_service_comes_before_who_does_not(self, paths: list[str]) -> None:
        named = [names(path, "ab") for path in ranked(paths, "ab")]

        assert named == sorted(named, reverse=True)


class TestMatches:
    """A person types a name, and before it what tells it apart."""

    @pytest.mark.parametrize(
        "asked",
        [
            "checkout",
            "shop/checkout",
            "Service/checkout",
            "service/checkout",
            "services/checkout",
            "ksvc/checkout",
            "KSVC/shop/checkout",
            "Service/shop/checkout",
            "Service:shop/checkout",
            "service.serving.knative.dev/checkout",
            "services.v1.serving.knative.dev/shop/checkout",
        ],
    )
    def test_a_service(self, asked: str) -> None:
        assert matches(hit(), asked)
        assert name_of(asked) == "checkout"

    @pytest.mark.parametrize(
        "asked",
        [
            "",
            "/",
            "Checkout",
            "check",
            "prod/checkout",
            "SHOP/checkout",
            "/checkout",
            "vs/checkout",
            "shop/Service/checkout",
            "Service/prod/checkout",
            "Service//checkout",
            "Service/shop/checkout/",
            "a/Service/shop/checkout",
            "service.example.org/checkout",
            "Deployment/checkout",
        ],
    )
    def test_another(self, asked: str) -> None:
        assert not matches(hit(), asked)

    @pytest.mark.parametrize(
        "asked", ["/checkout", "Service//checkout", "Service:/checkout", "Service/checkout"]
    )
    def test_no_namespace(self, asked: str) -> None:
        assert matches(hit(namespace=""), asked)

    @pytest.mark.parametrize(
        ("word", "kind"),
        [
            ("vs", "VirtualService"),
            ("virtualservices", "VirtualService"),
            ("VirtualService.networking.istio.io", "VirtualService"),
            ("rt", "Route"),
            ("routes", "Route"),
            ("httproute", "HTTPRoute"),
            ("httproutes.gateway.networking.k8s.io", "HTTPRoute"),
            ("GRPCRoutes", "GRPCRoute"),
            ("configuration", "Configuration"),
        ],
    )
    def test_kinds_as_kubectl_takes_them(self, word: str, kind: str) -> None:
        assert is_kind(word, kind)

    @pytest.mark.parametrize(
        ("word", "kind"),
        [
            ("", "Route"),
            ("route", "HTTPRoute"),
            ("vs", "Service"),
            ("service", "VirtualService"),
            ("virtualservice.istio.io", "VirtualService"),
            ("service.evilserving.knative.dev", "Service"),
            ("configuration.serving.knative.dev", "Configuration"),
            ("service.", "Service"),
        ],
    )
    def test_other_kinds(self, word: str, kind: str) -> None:
        assert not is_kind(word, kind)


def declined(hits: list[Hit], asked: str, *, cut: bool = False, unread: int = 0) -> Problem:
    with pytest.raises(Declined) as caught:
        choose(hits, asked, cut=cut, unread=unread)
    (problem,) = caught.value.problems
    return problem


class TestChoose:
    """One hit is taken, several are asked about, nothing is guessed."""

    def test_the_only_one(self) -> None:
        assert choose([hit()], "checkout") == hit()
        assert choose([hit(), hit("VirtualService")], "vs/checkout") == hit("VirtualService")
        assert choose([hit(), hit(namespace="prod")], "prod/checkout") == hit(namespace="prod")

    def test_none(self) -> None:
        problem = declined([], "checkout")

        assert problem.code == "unknown-service"
        assert problem.message == "No manifest of this repository holds `checkout`."
        assert "services: {checkout: {file: PATH}}" in problem.remedy

    def test_none_of_that_namespace(self) -> None:
        problem = declined([hit(path="b.yaml", line=7)], "prod/checkout")

        assert problem.code == "unknown-service"
        assert "There is `Service/shop/checkout` in `b.yaml:7`." in problem.message

    def test_several(self) -> None:
        problem = declined([hit(), hit("VirtualService", path="vs.yaml", line=4)], "checkout")

        assert problem.code == "which-service"
        assert problem.message == (
            "2 objects of this repository are called `checkout`: "
            "`Service/shop/checkout` in `a.yaml:1`, `VirtualService/shop/checkout` in `vs.yaml:4`."
        )
        assert problem.remedy == "Name one: `Service/checkout`, `VirtualService/checkout`."

    def test_the_same_name_in_two_files(self) -> None:
        problem = declined([hit(), hit(path="prod/a.yaml")], "shop/checkout")

        assert problem.code == "which-service"
        assert "`prod/a.yaml:1`" in problem.message
        assert problem.remedy.startswith("Name its file in `.github/canary.yaml`")

    def test_the_same_name_twice_in_a_file(self) -> None:
        problem = declined([hit(), hit(line=9)], "checkout")

        assert problem.code == "ambiguous-document"
        assert "(lines 1, 9)" in problem.message

    def test_very_many_are_not_all_shown(self) -> None:
        problem = declined([hit(path=f"{n}/a.yaml") for n in range(MOST_SHOWN + 5)], "checkout")

        assert problem.message.endswith(" and 5 more.")
        assert problem.message.count("a.yaml:1") == MOST_SHOWN

    def test_a_kind_and_a_name_are_the_whole_name_without_a_namespace(self) -> None:
        hits = [hit(namespace=""), hit(namespace="prod")]

        assert choose(hits, "Service/checkout") == hits[0]
        assert choose(hits, "prod/checkout") == hits[1]
        assert declined(hits, "checkout").remedy == "Name one: `Service/checkout`, `prod/checkout`."

    def test_a_namespace_that_is_called_like_a_kind(self) -> None:
        hits = [hit("Service", "route"), hit("Route", "")]

        assert declined(hits, "route/checkout").code == "which-service"
        assert choose(hits, "Service/route/checkout") == hits[0]

    def test_one_that_may_not_be_the_only_one(self) -> None:
        problem = declined([hit(path="misc/a.yaml", line=3)], "checkout", cut=True, unread=17)

        assert problem.code == "which-service"
        assert (
            "`Service/shop/checkout` in `misc/a.yaml:3` may not be the only one. 17 files" in problem.message
        )
        assert "services: {checkout: {file: misc/a.yaml}}" in problem.remedy

    @pytest.mark.parametrize(
        ("unread", "said"), [(1, "1 file was not read"), (2, "2 files were not read"), (0, "more files than")]
    )
    def test_none_in_what_was_read(self, unread: int, said: str) -> None:
        problem = declined([], "checkout", cut=True, unread=unread)

        assert problem.code == "unknown-service"
        assert problem.message.startswith("No manifest that was read holds")
        assert said in problem.message
        assert "services: {checkout: {file: PATH}}" in problem.remedy

    def test_what_a_file_holds_stays_inert(self) -> None:
        evil = Hit("a`@mona`.yaml", "Service", "](http://x)", "checkout", 1)

        assert "`Service/](http://x)/checkout`" in declined([evil, hit()], "checkout").message
        assert "``a`@mona`.yaml:1``" in declined([evil, hit()], "checkout").message

    HITS = st.builds(
        hit,
        st.sampled_from(["Service", "Route", "VirtualService"]),
        st.sampled_from(["", "shop", "prod", "route"]),
        path=st.sampled_from(["a.yaml", "b.yaml"]),
        line=st.integers(1, 2),
    )

    @given(hits=st.lists(HITS, max_size=5, unique=True))
    def test_the_names_that_are_offered_are_understood(self, hits: list[Hit]) -> None:
        for one in hits:
            form = unambiguous(one, hits)
            if form is not None:
                assert choose(hits, form) == one

    @given(hits=st.lists(HITS, min_size=2, max_size=5, unique_by=lambda h: (h.kind, h.namespace)))
    def test_all_but_namesakes_of_kinds_have_a_name(self, hits: list[Hit]) -> None:
        without = [h for h in hits if unambiguous(h, hits) is None]

        # ``Route/checkout`` may be a Service of the namespace ``route``.
        assert all(not h.namespace for h in without)

    @given(hits=st.lists(HITS, max_size=5), asked=st.text(st.sampled_from("shoprutec/kSv:."), max_size=20))
    def test_never_anything_else_than_a_hit_or_a_reason(self, hits: list[Hit], asked: str) -> None:
        codes: set[str] = set()
        try:
            assert choose(hits, asked) in hits
        except Declined as declined:
            codes = {p.code for p in declined.problems}
        assert codes <= {"unknown-service", "which-service", "ambiguous-document"}


class TestCut:
    """What was not read is said, unless a path that names the service proves that it does not matter."""

    NAMED = hit(path="apps/checkout/service.yaml")

    @pytest.mark.parametrize(
        ("search", "is_cut"),
        [
            pytest.param(Search(()), False, id="all was read, and nothing found"),
            pytest.param(Search((hit(),)), False, id="all was read"),
            pytest.param(Search((NAMED,), ("misc/a.yaml",)), False, id="the path names the service"),
            pytest.param(Search((hit(),), ("misc/a.yaml",)), True, id="the path says nothing"),
            pytest.param(Search((), ("misc/a.yaml",)), True, id="nothing found in what was read"),
            pytest.param(Search((NAMED,), ("b/checkout/a.yaml",)), True, id="another path names it too"),
            pytest.param(Search((NAMED,), truncated=True), True, id="not even all paths are known"),
            pytest.param(
                Search((hit(namespace="prod", path="checkout.yaml"),), ("misc/a.yaml",)),
                True,
                id="the path names the service of another namespace",
            ),
        ],
    )
    def test_there_may_be_another(self, search: Search, *, is_cut: bool) -> None:
        assert search.is_cut("shop/checkout") is is_cut


def test_ids_are_those_of_workloads() -> None:
    assert hit().id == "shop/checkout"
    assert hit(namespace="").id == "/checkout"
    assert hit("VirtualService", "").id == "VirtualService:/checkout"
