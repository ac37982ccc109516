"""The tag-only step at 0 %: where the candidate is to be seen, and who lets traffic to it."""

from __future__ import annotations

from tests.scenarios.stage import VERSION_4, Stage
from tests.scenarios.test_targets import ISTIO


def configure(stage: Stage, text: str) -> None:
    content = f"version: 1\n{text}".encode()
    stage.run.world.commit(stage.repo, "main", {".github/canary.yaml": content}, "Rules", by="ada")


def test_the_url_with_a_domain(stage: Stage) -> None:
    configure(stage, "domain: example.com\nservices:\n  customer: {domain: shop.example.com}\n")
    number = stage.feature()
    wanted = "https://candidate-customer.shop.example.com"
    assert wanted in stage.say(number, "/canary plan 0").text
    assert wanted in stage.say(number, "/canary 0").text
    assert stage.split("v4") == {"customer-v3": 100}
    stage.merge(number)
    assert wanted in (stage.step().body or "")


def test_the_form_of_the_url_without_one(stage: Stage) -> None:
    number = stage.feature()
    assert "`https://candidate-customer.DOMAIN`" in stage.say(number, "/canary 0").text


def test_a_tag_that_the_file_gives_the_candidate(stage: Stage) -> None:
    configure(stage, "domain: example.com\n")
    own = b"  - tag: green\n    revisionName: customer-v4\n    percent: 0\n"
    number = stage.feature(VERSION_4 + own)
    stage.say(number, "/canary 0")
    assert "https://green-customer.example.com" in stage.say(number, "/canary plan 0").text


def test_after_the_merge_too(stage: Stage) -> None:
    configure(stage, "domain: example.com\n")
    number = stage.feature()
    stage.merge(number)
    wanted = "https://candidate-customer.example.com"
    assert wanted in stage.say(number, "/canary 0").text
    assert wanted in (stage.step().body or "")
    stage.merge(stage.step().number)
    assert stage.step().title == "customer: 0 % → 5 %"
    assert wanted in (stage.step().body or "")


def test_with_a_share_nothing_is_said_of_it(stage: Stage) -> None:
    configure(stage, "domain: example.com\n")
    number = stage.feature()
    assert "https://candidate" not in stage.say(number, "/canary 25").text
    stage.merge(number)
    assert "https://candidate" not in (stage.step().body or "")


def test_from_0_percent_a_person_promotes(stage: Stage) -> None:
    configure(stage, "rules: blue-green\nauto: true\n")
    number = stage.feature()
    stage.say(number, "/canary 0")
    stage.merge(number)
    step = stage.step()
    assert step.title == "customer: 0 % → 100 %"
    stage.later(days=3)
    assert step.state == "open"
    assert stage.check(step.number, "canary / gate")[0] == "success"
    stage.say(step.number, "/promote")
    assert stage.split() == {"customer-v4": 100}
    stage.notice(number, "done-")


def test_a_route_has_no_tags(stage: Stage) -> None:
    stage.run.world.commit(stage.repo, "main", {"mesh/storefront.yaml": ISTIO}, "Mesh", by="ada")
    number = stage.feature(
        ISTIO.replace(b"metadata:\n", b"metadata:\n  labels: {a: b}\n", 1), path="mesh/storefront.yaml"
    )
    assert "https://" not in stage.say(number, "/canary 0").text.replace("https://github", "")
