"""A job of a workflow is a check run of the same App as the job's own token: it is not the bot's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.adapters.github.token import TokenForge
from bot.ports import Check

if TYPE_CHECKING:
    from tests.adapters.stage import Stage

JOB = "91cca09c-58a7-5c39-b0ab-7c8a6d4d3b1e"
PLAN = Check("canary / plan", "success", "The manifests are valid", "Words", external_id="plan-ok")


def test_a_job_of_the_same_name_is_left_alone(stage: Stage) -> None:
    world, repo = stage.world, stage.repository.name
    sha = stage.tip()
    token = world.workflow_token(repo, {"contents": "read", "checks": "write"})
    app = next(app for app in world.apps.values() if app.slug == "github-actions")
    job = {"name": PLAN.name, "head_sha": sha, "external_id": JOB, "conclusion": "success"}
    made = world.create_check(repo, app, job)
    forge = TokenForge(token, repo, base_url=stage.server.base_url, clock=world.clock)
    for _ in range(2):
        forge.repository(0, repo).set_checks(sha, [PLAN])
    runs = [run for run in world.all_checks(repo, sha) if run.app is app]
    assert [run.external_id for run in runs] == [JOB, "plan-ok"]
    assert made.output == {}
    assert forge.caveats == set()
