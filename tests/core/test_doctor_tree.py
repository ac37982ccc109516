"""What a working tree lacks: each finding there, and gone when the remedy was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from bot.core.doctor import tree as trees
from bot.core.doctor.catalogue import TREE, Severity
from bot.core.problems import Place, Problem
from bot.core.rules import CONFIG_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.doctor.catalogue import Finding

CUSTOMER = trees.Service("customer", Place("apps/customer.yaml", 2))
SERVICE = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: customer}\n"
FLUX = "kustomize.toolkit.fluxcd.io/"


def tree(
    texts: Mapping[str, str] | None = None,
    *,
    config: str | None = None,
    services: tuple[trees.Service, ...] = (CUSTOMER,),
    unreadable: tuple[Problem, ...] = (),
    left_out: tuple[tuple[str, str], ...] = (),
    rule_sets: Mapping[str, str | None] | None = None,
) -> trees.Tree:
    paths = frozenset({"apps/customer.yaml", *(texts or {})})
    known = ("standard", "fast")
    return trees.Tree(config, services, texts or {}, paths, known, unreadable, left_out, rule_sets or {})


def annotated(**annotations: str) -> trees.Tree:
    held = {key.replace("_", "/"): value for key, value in annotations.items()}
    return tree(services=(trees.Service("customer", CUSTOMER.place, held),))


def shown(findings: tuple[Finding, ...]) -> list[str]:
    """Give code and place of each finding."""
    return [f"{f.code} {f.place}".strip() for f in findings]


def application(rule: str, *, options: str = "", kind: str = "Service") -> dict[str, str]:
    group = "serving.knative.dev" if kind in {"Service", "Route"} else "networking.istio.io"
    return {
        "argo/app.yaml": f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: shop}}
spec:
  syncPolicy: {{syncOptions: [{options}]}}
  ignoreDifferences:
    - group: apps
      kind: Deployment
      jsonPointers: [/spec/replicas]
    - group: {group}
      kind: {kind}
      {rule}
"""
    }


def config_map(key: str, text: str) -> dict[str, str]:
    body = "\n".join(f"    {line}" for line in text.splitlines())
    return {
        "argo/cm.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: argocd-cm}}\ndata:\n  {key}: |\n{body}\n"
    }


# The code and its place, or nothing when all is well.
CASES = [
    pytest.param(tree(), "", id="a tree that lacks nothing"),
    pytest.param(tree(services=()), "no-services", id="nothing to roll out"),
    # configuration
    pytest.param(tree(config="version: 1\n"), "", id="a configuration"),
    pytest.param(
        tree(config="version: 1\nrule: fast\n"),
        f"config-invalid {CONFIG_PATH}:2:1",
        id="an unknown key, with its line",
    ),
    pytest.param(
        tree(config="version: 1\nrules: a/b.yaml\n", rule_sets={"a/b.yaml": None}),
        f"config-invalid {CONFIG_PATH}",
        id="a rule set that is not there",
    ),
    pytest.param(
        tree(
            config="version: 1\nrules: a/b.yaml\n",
            rule_sets={"a/b.yaml": "id: b\nsummary: B.\nwhy: C.\nsteps:\n- {weight: 99}\n"},
        ),
        "config-invalid a/b.yaml:4:1",
        id="a broken rule set, with its line",
    ),
    pytest.param(
        tree(config="version: 1\nservices: {customer: {file: apps/customer.yaml}}\n"),
        "",
        id="a service that is here",
    ),
    pytest.param(
        tree(config="version: 1\nservices: {costumer: {}}\n"),
        f"config-service-unknown {CONFIG_PATH}",
        id="a misspelled service",
    ),
    pytest.param(
        tree(config="version: 1\nservices: {customer: {file: customer.yaml}}\n"),
        f"config-service-unknown {CONFIG_PATH}",
        id="a file that is not there",
    ),
    pytest.param(
        tree(unreadable=(Problem("template-language", "It holds `{{`.", place=Place("chart/a.yaml", 4)),)),
        "manifest-unreadable chart/a.yaml:4",
        id="a template",
    ),
    # Argo CD
    pytest.param(
        tree(application("jsonPointers: [/spec/traffic]")),
        "argocd-ignores-weights argo/app.yaml:10:7",
        id="a pointer to the traffic block",
    ),
    pytest.param(tree(application("jsonPointers: [/spec/template]")), "", id="a pointer to the template"),
    pytest.param(
        tree(application("jqPathExpressions: ['.spec.http[].route[].weight']", kind="VirtualService")),
        "argocd-ignores-weights argo/app.yaml:10:7",
        id="the weights of Istio",
    ),
    pytest.param(
        tree(application("jqPathExpressions: ['.. | .percent?']")),
        "argocd-rule-unclear argo/app.yaml:10:7",
        id="an expression that cannot be read",
    ),
    pytest.param(
        tree(application("managedFieldsManagers: [flagger]")),
        "argocd-rule-unclear argo/app.yaml:10:7",
        id="fields of a manager",
    ),
    pytest.param(
        tree(application("managedFieldsManagers: [kube-controller-manager]")),
        "",
        id="fields of a manager that knows no weights",
    ),
    pytest.param(
        tree(
            application("{name: other, jsonPointers: [/spec/traffic]}".strip("{}").replace(", ", "\n      "))
        ),
        "",
        id="a rule for a service of another repository",
    ),
    pytest.param(
        tree(application("name: cust*\n      jsonPointers: [/spec/traffic]")),
        "argocd-ignores-weights argo/app.yaml:10:7",
        id="a rule whose name is a pattern",
    ),
    pytest.param(
        tree(
            {
                "set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n  template:\n    spec:\n"
                "      ignoreDifferences: [{group: '*', kind: '*', jsonPointers: [/spec]}]\n"
            }
        ),
        "argocd-ignores-weights set.yaml:6:27",
        id="an ApplicationSet",
    ),
    pytest.param(
        tree(
            {
                "set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n"
                "  templatePatch: |\n    spec: {ignoreDifferences: []}\n"
            }
        ),
        "argocd-rule-unclear set.yaml:4:3",
        id="a patch of an ApplicationSet",
    ),
    pytest.param(
        tree(
            config_map(
                "resource.customizations.ignoreDifferences.serving.knative.dev_Service",
                "jsonPointers:\n- /spec/traffic",
            )
        ),
        "argocd-ignores-weights argo/cm.yaml:5:3",
        id="all of Argo CD",
    ),
    pytest.param(
        tree(config_map("resource.customizations.ignoreDifferences.all", "jsonPointers: [/spec/replicas]")),
        "",
        id="all kinds, another field",
    ),
    pytest.param(
        tree(config_map("resource.customizations.ignoreDifferences.all", "jsonPointers: [/spec]")),
        "argocd-ignores-weights argo/cm.yaml:5:3",
        id="all kinds",
    ),
    pytest.param(
        tree(
            config_map(
                "resource.customizations",
                "networking.istio.io/VirtualService:\n  ignoreDifferences: |\n    jsonPointers: [/spec/http]",
            )
        ),
        "argocd-ignores-weights argo/cm.yaml:5:3",
        id="the old form of that",
    ),
    pytest.param(
        tree(
            {
                "values.yaml": "configs:\n  cm:\n"
                "    resource.customizations.ignoreDifferences.gateway.networking.k8s.io_HTTPRoute: |\n"
                "      jqPathExpressions: ['.spec.rules[].backendRefs[].weight']\n"
            }
        ),
        "argocd-ignores-weights values.yaml:3:5",
        id="the Helm chart's values",
    ),
    pytest.param(
        tree(
            {
                "op.yaml": "apiVersion: argoproj.io/v1beta1\nkind: ArgoCD\nspec:\n  resourceIgnoreDifferences:\n"
                "    resourceIdentifiers:\n      - group: serving.knative.dev\n        kind: Service\n"
                "        customization: {jsonPointers: [/spec/traffic]}\n"
            }
        ),
        "argocd-ignores-weights op.yaml:6:9",
        id="the operator's resource",
    ),
    pytest.param(
        annotated(**{"argocd.argoproj.io_hook": "Skip"}),
        "argocd-skips-manifest apps/customer.yaml:2",
        id="skipped by Argo CD",
    ),
    # Flux and Kustomize
    pytest.param(
        annotated(**{"kustomize.toolkit.fluxcd.io_reconcile": "disabled"}),
        "flux-skips-manifest apps/customer.yaml:2",
        id="Flux, disabled",
    ),
    pytest.param(
        annotated(**{"kustomize.toolkit.fluxcd.io_ssa": "IfNotPresent"}),
        "flux-skips-manifest apps/customer.yaml:2",
        id="Flux, only when it is missing",
    ),
    pytest.param(annotated(**{"kustomize.toolkit.fluxcd.io_ssa": "Merge"}), "", id="Flux, merged"),
    pytest.param(
        tree(
            {
                "prod/kustomization.yaml": "resources: [../apps]\npatches:\n  - path: split.yaml\n",
                "prod/split.yaml": SERVICE + "spec: {traffic: [{latestRevision: true, percent: 100}]}\n",
            }
        ),
        "overlay-sets-traffic prod/kustomization.yaml:3:5",
        id="a patch file that sets traffic",
    ),
    pytest.param(
        tree(
            {
                "prod/kustomization.yaml": "resources: [../apps]\npatches:\n  - path: split.yaml\n",
                "prod/split.yaml": SERVICE + "spec: {template: {}}\n",
            }
        ),
        "",
        id="a patch file that sets something else",
    ),
    pytest.param(
        tree(
            {
                "prod/kustomization.yaml": "patches:\n  - target: {kind: Service, name: customer}\n"
                "    patch: |\n      - {op: replace, path: /spec/traffic/0/percent, value: 10}\n"
            }
        ),
        "overlay-sets-traffic prod/kustomization.yaml:2:5",
        id="a JSON patch",
    ),
    pytest.param(
        tree(
            {
                "prod/kustomization.yaml": "patches:\n  - target: {kind: Deployment}\n"
                "    patch: |\n      - {op: replace, path: /spec/traffic, value: 10}\n"
            }
        ),
        "",
        id="a JSON patch of another kind",
    ),
    pytest.param(
        tree(
            {
                "flux/apps.yaml": f"apiVersion: {FLUX}v1\nkind: Kustomization\nspec:\n  patches:\n    - patch: |\n"
                + "".join(f"        {line}\n" for line in (SERVICE + "spec: {traffic: []}").splitlines())
            }
        ),
        "overlay-sets-traffic flux/apps.yaml:5:7",
        id="a patch of Flux",
    ),
    # what cannot be read
    pytest.param(
        tree({"chart/app.yaml": "{{ if }}\n  ignoreDifferences: [\n"}),
        "could-not-look chart/app.yaml",
        id="a template with ignore rules",
    ),
    pytest.param(tree({"chart/app.yaml": "{{ if }}\n  argoproj.io: [\n"}), "", id="a template without"),
    pytest.param(tree(left_out=(("big.yaml", "too big."),)), "could-not-look big.yaml", id="left out"),
]


@pytest.mark.parametrize(("given", "found"), CASES)
def test_table(given: trees.Tree, found: str) -> None:
    assert shown(trees.judge(given)) == ([found] if found else [])


def test_every_kind_has_its_example() -> None:
    codes = {str(case.values[1]).partition(" ")[0] for case in CASES}

    assert codes >= {kind for kind in TREE if not kind.startswith("action-")}


EVIL = "x`@mona <b>[a](https://a.example)\u202e"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(tree(application(f"managedFieldsManagers: [{EVIL.strip()!r}]")), id="a manager"),
        pytest.param(tree(application(f"jqPathExpressions: ['.. | .percent | {EVIL}']")), id="an expression"),
        pytest.param(tree(config=f"version: 1\nservices: {{'{EVIL}': {{}}}}\n"), id="a service"),
        pytest.param(tree(left_out=((EVIL, "too big."),)), id="a path"),
    ],
)
def test_foreign_text_stands_in_code_only(given: trees.Tree) -> None:
    (finding,) = trees.judge(given)
    inline = MarkdownIt().parseInline(f"{finding.message} {finding.shown_where}")[0].children or []

    assert finding.remedy
    assert any("@mona" in token.content for token in inline if token.type == "code_inline")
    assert not any("@mona" in token.content for token in inline if token.type != "code_inline")
    assert "\u202e" not in finding.message


def test_respecting_syncs_are_told_apart() -> None:
    plain = trees.judge(tree(application("jsonPointers: [/spec/traffic]")))
    respected = trees.judge(
        tree(application("jsonPointers: [/spec/traffic]", options="RespectIgnoreDifferences=true"))
    )

    assert "Automated sync does not start" in plain[0].message
    assert "no sync writes them" in respected[0].message
    assert {f.severity for f in plain + respected} == {Severity.ERROR}


def test_without_services_a_rule_for_any_name_counts() -> None:
    texts = application("name: other\n      jsonPointers: [/spec/traffic]")

    assert "argocd-ignores-weights" in [f.code for f in trees.judge(tree(texts, services=()))]


def test_several_problems_of_the_configuration_are_told_together() -> None:
    found = trees.judge(tree(config="version: 2\nrules: fats\nservices: 4\n"))

    assert [f.place.line for f in found] == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("kind: [Application\n", id="no YAML"),
        pytest.param("apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: 4\n", id="no spec"),
        pytest.param(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {ignoreDifferences: {a: 1}}\n",
            id="no list",
        ),
        pytest.param(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {ignoreDifferences: [4, null]}\n",
            id="no rule",
        ),
        pytest.param("data: {resource.customizations: '['}\n", id="no YAML inside"),
        pytest.param("data: {resource.customizations: '4'}\n", id="no mapping inside"),
        pytest.param("patches: 4\n", id="no patches"),
        pytest.param("patches: [4, {path: 3}, {patch: '['}]\n", id="no patch"),
        pytest.param("? [a]\n: b\n", id="a key that is a list"),
        pytest.param("4\n---\n- a\n---\nnull\n", id="other documents"),
        pytest.param("kind: List\nitems: 4\n", id="no items"),
        pytest.param("on: 4\njobs: 4\n", id="no jobs"),
        pytest.param("on: []\njobs: {a: 4, b: {steps: [4, {uses: 3}]}}\n", id="no steps"),
        pytest.param("a: &a [*a]\n", id="an anchor in itself"),
        pytest.param("[" * 200, id="too deep"),
        pytest.param("a: 2024-99-99\n", id="a date that is none"),
    ],
)
@pytest.mark.parametrize("path", ["argo/app.yaml", "prod/kustomization.yaml", ".github/workflows/a.yml"])
def test_any_shape_has_an_answer(text: str, path: str) -> None:
    assert {f.code for f in trees.judge(tree({path: text}))} <= {"could-not-look"}


def test_the_configuration_in_use() -> None:
    config = trees.config_of(tree(config="version: 1\nrules: fast\n"))

    assert config is not None
    assert config.rules == "fast"
    assert trees.config_of(tree(config="version: 9\n")) is None
    assert trees.config_of(tree()) is not None
