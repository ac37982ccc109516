"""``canary / plan`` judges a mesh object with all its rules, stops what moves weight by itself, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core.checks import GATE, PLAN
from tests.scenarios.moves import run_of
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4
from tests.scenarios.test_finding import GENERATED, MESH, TWO_RULES, add, with_metadata
from tests.scenarios.test_targets import GATEWAY, ISTIO

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

Edits = list[tuple[bytes, bytes]]

FIRST = [
    (b"subset: v1}, weight: 100", b"subset: v1}, weight: 0"),
    (b"subset: v2}, weight: 0", b"subset: v2}, weight: 100"),
]
ONE_RULE = ISTIO[: ISTIO.index(b"  - match")] + ISTIO[ISTIO.index(b"  - name: primary") :]
CHART = b"""\
{{- if .Values.httpRoute.enabled -}}
{{- $fullName := include "shop.fullname" . -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $fullName }}
  labels:
    {{- include "shop.labels" . | nindent 4 }}
spec:
  rules:
    {{- range .Values.httpRoute.rules }}
    - backendRefs:
        - name: {{ $fullName }}
          weight: 1
    {{- end }}
{{- end }}
"""


def edited(content: bytes, edits: Edits) -> bytes:
    for old, new in edits:
        assert old in content, old
        content = content.replace(old, new)
    return content


def changed(stage: Stage, edits: Edits, *, name: str = "other", path: str = MESH) -> int:
    """Open a pull request that edits a file of the base branch."""
    return stage.feature(edited(stage.read(path=path), edits), name=name, path=path)


def added(stage: Stage, content: bytes, edits: Edits, path: str = MESH) -> int:
    add(stage, {path: content})
    return changed(stage, edits, path=path)


def plan(stage: Stage, number: int) -> tuple[str | None, str]:
    """Give conclusion and text of the check."""
    run = run_of(stage, number, PLAN)
    return run.conclusion, str(run.output["summary"])


def begun(stage: Stage, content: bytes = TWO_RULES) -> int:
    """Bring the rule ``primary`` to 25 %; the step's pull request is open."""
    add(stage, {MESH: content})
    number = changed(stage, [(b"3s", b"5s")], name="begun")
    assert stage.say(number, "/canary 25 route=primary").code == "applied"
    stage.merge(number)
    return number


class TestValid:
    """Every rule of an object is judged: the API server takes all of it or nothing."""

    @pytest.mark.parametrize(
        ("edits", "problems"),
        [
            pytest.param([(b"subset: v1}, weight: 100", b"subset: v1}, weight: 0")], 1, id="the first rule"),
            pytest.param([(b"weight: 100   # stable", b"weight: 0   # stable")], 1, id="the last rule"),
            pytest.param([(b"weight: 100", b"weight: 0")], 2, id="all rules"),
        ],
    )
    def test_weights_that_are_all_0(self, stage: Stage, edits: Edits, problems: int) -> None:
        number = added(stage, TWO_RULES, edits)
        conclusion, text = plan(stage, number)
        assert (conclusion, text.count("total destination weight = 0")) == ("failure", problems)
        assert len(run_of(stage, number, PLAN).annotations) == problems

    def test_one_rule(self, stage: Stage) -> None:
        number = added(stage, ISTIO, [(b"weight: 100", b"weight: 0")])
        assert plan(stage, number)[0] == "failure"

    def test_a_weight_that_is_none_beside_a_sound_rule(self, stage: Stage) -> None:
        number = added(stage, TWO_RULES, [(b"subset: v1}, weight: 100", b'subset: v1}, weight: "100"')])
        conclusion, text = plan(stage, number)
        assert conclusion == "failure"
        assert "`not-a-plain-number`" in text

    def test_what_only_the_bot_cannot_edit_is_a_note(self, stage: Stage) -> None:
        number = added(stage, TWO_RULES, [(b"subset: v1}, weight: 100", b"subset: v1}, weight: &w 100")])
        conclusion, text = plan(stage, number)
        assert conclusion == "success"
        assert "**Note** · `alias-in-block`" in text

    def test_a_gateway_takes_weights_that_are_all_0(self, stage: Stage) -> None:
        number = added(stage, GATEWAY, [(b"weight: 1000", b"weight: 0")])
        conclusion, text = plan(stage, number)
        assert conclusion == "success"
        assert "answered with status 500" in text

    def test_the_evidence_shows_every_rule(self, stage: Stage) -> None:
        conclusion, text = plan(stage, added(stage, TWO_RULES, FIRST))
        assert conclusion == "success"
        assert text.count("| before | after |") == 2
        assert "| `storefront/v2` | 0 % | **100 %** |" in text
        assert "| `storefront/v2` | 0 % | 0 % |" in text


ALL_TO_NEW = [(b"weight: 75 ", b"weight: 0 "), (b"weight: 25 ", b"weight: 100 ")]
PRIMARY = b"""\
  - name: primary
    timeout: 5s
    route:
    - destination:
        host: storefront
        subset: v1
      weight: 75   # stable
    - destination:
        host: storefront
        subset: v2
      weight: 25     # canary
"""
MOVING: dict[str, Edits] = {
    "the rollout's rule": ALL_TO_NEW,
    "the next step": [(b"weight: 75 ", b"weight: 50 "), (b"weight: 25 ", b"weight: 50 ")],
    "the rule under another name": [(b"name: primary", b"name: main"), *ALL_TO_NEW],
    "the rule without its name": [(b"  - name: primary\n    timeout", b"  - timeout"), *ALL_TO_NEW],
    "the rule under another name and condition": [
        (b"name: primary\n", b"name: main\n    match: [{uri: {prefix: /}}]\n"),
        *ALL_TO_NEW,
    ],
    "the names of two rules are exchanged": [
        (b"  - match", b"  - name: primary\n    match"),
        (b"  - name: primary\n    timeout", b"  - name: main\n    timeout"),
        *ALL_TO_NEW,
    ],
    "another rule": FIRST,
    "the rule is gone": [(PRIMARY, b"")],
    "one destination has all": [
        (PRIMARY, b"  - name: main\n    route: [{destination: {host: storefront}}]\n")
    ],
    "an alias hides the number": [(b"weight: 75 ", b"weight: &all 0 "), (b"weight: 25 ", b"weight: 100 ")],
}
STILL: dict[str, Edits] = {
    "another name": [(b"name: primary", b"name: main")],
    "another condition": [(b"use-v2", b"use-v3")],
    "another timeout": [(b"5s", b"7s")],
    "another scale": [(b"weight: 75 ", b"weight: 3 "), (b"weight: 25 ", b"weight: 1 ")],
    "a rule in front": [(b"  http:\n", b"  http:\n  - route: [{destination: {host: other}}]\n")],
    "a redirect in front": [
        (b"  http:\n", b"  http:\n  - match: [{uri: {prefix: /a}}]\n    redirect: {uri: /b}\n")
    ],
    "the rule is the first one": [(PRIMARY, b""), (b"  http:\n", b"  http:\n" + PRIMARY)],
}


class TestMovesByItself:
    """While a rollout runs, a pull request without a command fails if it would move weight by itself."""

    @pytest.mark.parametrize("name", MOVING)
    def test_it_is_stopped(self, stage: Stage, name: str) -> None:
        begun(stage)
        conclusion, text = plan(stage, changed(stage, MOVING[name]))
        assert conclusion == "failure"
        assert "`moves-weight`" in text

    @pytest.mark.parametrize("name", STILL)
    def test_it_is_left_alone(self, stage: Stage, name: str) -> None:
        begun(stage)
        assert plan(stage, changed(stage, STILL[name]))[0] == "success"

    def test_the_file_has_another_name(self, stage: Stage) -> None:
        begun(stage)
        stage.branch("moved", {"mesh/new.yaml": edited(stage.read(path=MESH), ALL_TO_NEW), MESH: None})
        number = stage.run.world.open_pull(stage.repo, "moved", "main", "Move", by="mona").number
        stage.settle()
        assert plan(stage, number)[0] == "failure"

    def test_everything_is_behind_an_alias(self, stage: Stage) -> None:
        """What cannot be read any more is no excuse where a rollout is about it."""
        begun(stage, ONE_RULE)
        number = changed(stage, MOVING["an alias hides the number"])
        assert stage.check(number, PLAN) == ("failure", "A manifest cannot be read")

    def test_the_rollout_was_ended(self, stage: Stage) -> None:
        number = begun(stage)
        step = stage.step().number
        assert stage.say(number, "/canary cancel").code == "applied"
        stage.notice(step, "closed-cancelled")
        assert plan(stage, changed(stage, ALL_TO_NEW))[0] == "success"

    def test_without_a_rollout_weights_are_everybody_s(self, stage: Stage) -> None:
        assert plan(stage, added(stage, TWO_RULES, FIRST))[0] == "success"


def with_main(stage: Stage, branch: str) -> None:
    """Merge the base branch into another one, as the button of a pull request does."""
    world = stage.run.world
    repository = world.repository(stage.repo)
    git, old, new = repository.git, world.tip(stage.repo, branch), world.tip(stage.repo, "main")
    assert old is not None
    assert new is not None
    tree = git.merge_tree(old, new)
    assert tree is not None
    who = world.account("mona")
    world.push(
        repository, branch, git.write_commit(tree, [old, new], "Merge main", world.signed(who)), old, who
    )
    stage.settle()


class TestOldBranch:
    """The pull request itself has to change the weights; what the base branch did since is none of its doing."""

    @pytest.fixture
    def old(self, stage: Stage) -> int:
        """A pull request that changes a condition, from before the rollout that is at 25 % now."""
        add(stage, {MESH: TWO_RULES})
        number = stage.feature(edited(TWO_RULES, [(b"use-v2", b"use-v9")]), name="old", path=MESH)
        begun_on = changed(stage, [(b"3s", b"5s")])
        assert stage.say(begun_on, "/canary 25 route=primary").code == "applied"
        stage.merge(begun_on)
        return number

    def again(self, stage: Stage, edits: Edits) -> None:
        stage.push("old", edited(stage.read("old", path=MESH), edits), path=MESH)

    def test_a_condition(self, stage: Stage, old: int) -> None:
        self.again(stage, [(b"use-v9", b"use-v8")])
        conclusion, text = plan(stage, old)
        assert conclusion == "success"
        assert "a merge keeps the weights of `main`" in text
        assert "| `storefront/v2` | 25 % | 25 % |" in text

    def test_a_branch_opened_late(self, stage: Stage, old: int) -> None:
        stage.close(old)
        number = stage.run.world.open_pull(stage.repo, "old", "main", "Late", by="mona").number
        stage.settle()
        assert plan(stage, number)[0] == "success"

    def test_its_own_weights(self, stage: Stage, old: int) -> None:
        self.again(
            stage,
            [(b"weight: 100   # stable", b"weight: 1   # stable"), (b"weight: 0     #", b"weight: 99     #")],
        )
        assert plan(stage, old)[0] == "failure"

    def test_the_base_was_merged_into_it(self, stage: Stage, old: int) -> None:
        with_main(stage, "old")
        assert plan(stage, old)[0] == "success"
        stage.later(minutes=31)
        assert stage.say(stage.step().number, "/promote").code == "applied"
        self.again(stage, [(b"use-v9", b"use-v8")])
        assert plan(stage, old)[0] == "success"

    def test_the_base_was_merged_into_it_and_taken_back(self, stage: Stage, old: int) -> None:
        """What it began with does not count any more: it knows of the rollout since."""
        with_main(stage, "old")
        self.again(stage, [(b"weight: 75 ", b"weight: 100 "), (b"weight: 25 ", b"weight: 0 ")])
        assert plan(stage, old)[0] == "failure"

    def test_a_service(self, stage: Stage) -> None:
        old = stage.feature(
            edited(CUSTOMER, [(b"team-shop", b"team-store"), (b'"v3"', b'"v3b"')]), name="old"
        )
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.merge(number)
        stage.push("old", edited(stage.read("old"), [(b"customer-v3   #", b"customer-v3b   #")]))
        assert "moves-weight" not in plan(stage, old)[1]


OTHER_RULES: dict[str, Edits] = {
    "another rule": FIRST,
    "a part of another rule": [
        (b"subset: v1}, weight: 100", b"subset: v1}, weight: 90"),
        (b"v2}, weight: 0", b"v2}, weight: 10"),
    ],
    "a rule in front": [
        (b"  http:\n", b"  http:\n  - route: [{destination: {host: storefront, subset: v2}}]\n")
    ],
}


class TestStepBranch:
    """A person commits to a step: block untouched is kept; block changed is not merged by the bot."""

    def edit(self, stage: Stage, edits: Edits) -> int:
        step = stage.step()
        stage.push(step.head_ref, edited(stage.read(step.head_ref, path=MESH), edits), path=MESH)
        stage.later(minutes=31)
        return step.number

    @pytest.mark.parametrize("name", OTHER_RULES)
    def test_other_rules_are_not_merged_by_the_bot(self, stage: Stage, name: str) -> None:
        begun(stage)
        before = stage.read(path=MESH)
        step = self.edit(stage, OTHER_RULES[name])
        conclusion, text = plan(stage, step)
        assert conclusion == "failure"
        assert "`drifted`" in text
        assert stage.check(step, GATE) == ("failure", "Changed by hand")
        assert stage.say(step, "/promote").code != "applied"
        stage.later(hours=2)
        assert stage.read(path=MESH) == before

    def test_a_person_may_merge_it(self, stage: Stage) -> None:
        begun(stage)
        stage.merge(self.edit(stage, FIRST))
        assert stage.step().title.endswith("→ 100 %")
        assert b"subset: v2}, weight: 100" in stage.read(path=MESH)

    @pytest.mark.parametrize(
        "edits",
        [
            pytest.param([(b"use-v2", b"use-v3")], id="condition"),
            pytest.param([(b"# stable", b"# old")], id="comment"),
            pytest.param([(b"v1}, weight: 100", b"v1}, weight: 1")], id="scale"),
        ],
    )
    def test_the_block_untouched(self, stage: Stage, edits: Edits) -> None:
        begun(stage)
        step = self.edit(stage, edits)
        assert plan(stage, step)[0] == "success"
        assert stage.say(step, "/promote").code == "applied"

    def test_taken_back(self, stage: Stage) -> None:
        begun(stage)
        step = self.edit(stage, FIRST)
        self.edit(stage, [(new, old) for old, new in reversed(FIRST)])
        assert plan(stage, step)[0] == "success"
        assert stage.say(step, "/promote").code == "applied"

    def test_the_base_branch_changed_another_rule(self, stage: Stage) -> None:
        """That is none of the branch's doing, and a merge keeps it."""
        begun(stage)
        step = self.edit(stage, [(b"# stable", b"# old")])
        stage.push("main", edited(stage.read(path=MESH), FIRST), path=MESH)
        stage.later(minutes=1)
        assert stage.check(step, GATE)[0] == "success"
        assert plan(stage, step)[0] == "success"
        assert stage.say(step, "/promote").code == "applied"
        assert b"subset: v2}, weight: 100" in stage.read(path=MESH)


FLAGGER = with_metadata(ISTIO, b"labels: {app.kubernetes.io/managed-by: flagger}")
LABEL = (b"  namespace: shop\n", b"  namespace: shop\n  labels: {app.kubernetes.io/managed-by: flagger}\n")


class TestForeign:
    """Who else sets the weights is a question of rollouts."""

    def test_without_a_command(self, stage: Stage) -> None:
        number = added(stage, FLAGGER, [(b"3s", b"5s")])
        conclusion, text = plan(stage, number)
        assert conclusion == "success"
        assert "**Note** · `foreign-controller`" in text
        assert stage.say(number, "/canary 25").code == "foreign-controller"
        assert plan(stage, number)[0] == "success"

    def test_while_a_rollout_runs(self, stage: Stage) -> None:
        begun(stage, ISTIO)
        conclusion, text = plan(stage, changed(stage, [LABEL]))
        assert conclusion == "failure"
        assert "`foreign-controller`" in text

    def test_on_the_pull_request_of_a_rollout(self, stage: Stage) -> None:
        number = added(stage, ISTIO, [(b"3s", b"5s")])
        stage.say(number, "/canary 25")
        stage.push("other", edited(stage.read("other", path=MESH), [LABEL]), path=MESH)
        conclusion, text = plan(stage, number)
        assert conclusion == "failure"
        assert "`foreign-controller`" in text


NOT_OURS: dict[str, tuple[str, bytes, str]] = {
    "a chart's template": ("chart/templates/route.yaml", CHART, "helm-template"),
    "a chart's template that is plain YAML": ("chart/templates/route.yaml", ISTIO, "helm-template"),
    "template language": ("deploy/route.yaml", CHART, "template-language"),
    "a generated file": ("deploy/route.yaml", GENERATED, "generated-file"),
    "a generated file that cannot be read": ("d.yaml", GENERATED + b"  x: [\n", "generated-file"),
    "a generated file with weights of 0": (
        "deploy/route.yaml",
        GENERATED.replace(b"weight: 100", b"weight: 0"),
        "generated-file",
    ),
    "a copy of others": ("vendor/shop/route.yaml", ISTIO, "vendored-file"),
    "an alias": ("deploy/route.yaml", ISTIO.replace(b"weight: 100", b"weight: &w 100"), "alias-in-block"),
    "a path that is not plain": ("deploy/straße.yaml", ISTIO, "path-refused"),
}


class TestNotOurs:
    """A check that a branch rule requires must not block what the bot has no say in."""

    @pytest.mark.parametrize("name", NOT_OURS)
    def test_neutral_with_a_note(self, stage: Stage, name: str) -> None:
        path, content, code = NOT_OURS[name]
        add(stage, {"chart/Chart.yaml": b"name: shop\n"})
        number = stage.feature(content, name="new", path=path)
        assert stage.check(number, PLAN) == ("neutral", "Nothing here is judged")
        assert f"**Note** · `{code}`" in plan(stage, number)[1]

    @pytest.mark.parametrize(
        ("service", "conclusion"),
        [
            pytest.param(VERSION_4, "success", id="valid"),
            pytest.param(VERSION_4.replace(b"percent: 100", b"percent: 90"), "failure", id="invalid"),
        ],
    )
    @pytest.mark.parametrize("name", NOT_OURS)
    def test_a_service_beside_it_is_judged(
        self, stage: Stage, name: str, service: bytes, conclusion: str
    ) -> None:
        path, content, _ = NOT_OURS[name]
        stage.branch("both", {"chart/Chart.yaml": b"name: shop\n", path: content, PATH: service})
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        assert plan(stage, number)[0] == conclusion

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            pytest.param("deploy/route.yaml", ISTIO + b"  x: [\n", id="no YAML"),
            pytest.param("templates/route.yaml", ISTIO + b"  x: [\n", id="a folder called templates"),
        ],
    )
    def test_a_manifest_that_cannot_be_read(self, stage: Stage, path: str, content: bytes) -> None:
        number = stage.feature(content, name="new", path=path)
        assert stage.check(number, PLAN) == ("failure", "A manifest cannot be read")

    def test_only_what_is_wrong_is_remarked(self, stage: Stage) -> None:
        files = {"deploy/chart.yaml": CHART, "deploy/route.yaml": ISTIO + b"  x: [\n"}
        stage.branch("both", files)
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        assert plan(stage, number)[0] == "failure"
        assert [remark["path"] for remark in run_of(stage, number, PLAN).annotations] == ["deploy/route.yaml"]

    @pytest.mark.parametrize(
        "edits",
        [
            pytest.param([(b"  hosts: ", b"  {{- if .x }}\n  hosts: ")], id="template language"),
            pytest.param([], id="generated"),
        ],
    )
    def test_not_where_a_rollout_runs(self, stage: Stage, edits: Edits) -> None:
        begun(stage, ISTIO)
        content = b"# @generated\n" + edited(stage.read(path=MESH), [*edits, *ALL_TO_NEW])
        assert plan(stage, stage.feature(content, name="other", path=MESH))[0] == "failure"

    def test_not_where_one_begins(self, stage: Stage) -> None:
        number = added(stage, ONE_RULE, [(b"3s", b"5s")])
        assert stage.say(number, "/canary 25").code == "applied"
        stage.push(
            "other", edited(stage.read("other", path=MESH), [(b"weight: 75 ", b"weight: &w 75 ")]), path=MESH
        )
        assert stage.check(number, PLAN) == ("failure", "A manifest cannot be read")

    @pytest.mark.parametrize(
        ("path", "times"),
        [
            pytest.param("deploy/route.yaml", 0, id="a plain path"),
            pytest.param("deploy/templates/route.yaml", 1, id="a path that raises the doubt"),
        ],
    )
    def test_the_tree_is_listed_where_the_path_raises_the_doubt(
        self, stage: Stage, path: str, times: int
    ) -> None:
        number = stage.feature(ISTIO, name="new", path=path)
        asked = [r.path for r in stage.run.server.by(stage.run.app.bot.login) if stage.repo in r.path]
        assert sum("/git/trees/" in path for path in asked) == times
        assert plan(stage, number)[0] == "success"
