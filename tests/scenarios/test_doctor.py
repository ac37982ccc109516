"""``canary doctor`` over HTTP: each finding while it is there, and gone when its remedy was done."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.github.client import Client
from bot.core.checks import NAMES
from bot.entry import cli
from bot.entry.app_manifest import PERMISSIONS
from bot.sandbox.rules import pull_request, required_checks
from tests.scenarios.stage import CUSTOMER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.sandbox.rules import Rule
    from tests.scenarios.stage import Stage

STEPS = "refs/heads/canary/**/*"
REVIEWS = pull_request(1, dismiss_stale=True, last_push=True)


@dataclass
class Doctor:
    """Types ``canary doctor --repo`` as the App or with a person's token, and reads the findings."""

    stage: Stage
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    status: int = 0

    def __call__(self, *, token: str = "", knows_app: bool = True, repo: str = "") -> list[Any]:
        app = self.stage.run.app
        for name in [n for n in os.environ if n.startswith(("CANARY_", "GITHUB_", "GH_"))]:
            self.monkeypatch.delenv(name)
        environment = {"CANARY_GITHUB_API_URL": self.stage.run.server.base_url}
        if knows_app:
            environment["CANARY_APP_ID"] = str(app.id)
        if token:
            environment["GITHUB_TOKEN"] = token
        else:
            environment["CANARY_PRIVATE_KEY"] = app.private_key_pem
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)
        self.capsys.readouterr()
        self.status = cli.main(["doctor", str(self.folder), "--repo", repo or self.stage.repo, "--json"])
        return list(json.loads(self.capsys.readouterr().out))

    def codes(self, *, token: str = "", knows_app: bool = True) -> list[str]:
        """Give the codes that are no notes about what was not seen."""
        found = self(token=token, knows_app=knows_app)
        assert self.status == int(any(f["severity"] == "error" for f in found))
        return [f["code"] for f in found if f["code"] != "could-not-look"]

    def unseen(self, *, token: str = "", knows_app: bool = True) -> list[str]:
        found = self(token=token, knows_app=knows_app)
        return [f["message"] for f in found if f["code"] == "could-not-look"]

    # what can be remedied -------------------------------------------------------------------------

    def base(self, *rules: Rule | str, bypass: tuple[int, ...] = ()) -> int:
        world = self.stage.run.world
        return world.add_ruleset(self.stage.repo, "base", rules=rules, bypass=bypass).id

    def steps(self, *rules: str, bypass: tuple[int, ...] | None = None) -> int:
        who = (self.app_id,) if bypass is None else bypass
        world = self.stage.run.world
        return world.add_ruleset(self.stage.repo, "steps", include=(STEPS,), rules=rules, bypass=who).id

    def remove(self, ruleset: int) -> None:
        self.stage.run.world.remove_ruleset(self.stage.repo, ruleset)

    def checks(self, *names: str, source: int | None = None) -> Rule:
        return required_checks(*(names or NAMES), source=source)

    @property
    def app_id(self) -> int:
        return self.stage.run.app.id

    @property
    def admin(self) -> str:
        return self.stage.run.world.token("ada")


@pytest.fixture
def doctor(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Doctor]:
    """A repository with one pull request, which has the bot's checks, and a working tree of it."""
    (tmp_path / "customer.yaml").write_bytes(CUSTOMER)
    # What the App's manifest asks for; the sandbox's own default has no "issues".
    held = stage.run.app.permissions
    before = dict(held)
    held.update(PERMISSIONS)
    stage.feature()
    yield Doctor(stage, tmp_path, monkeypatch, capsys)
    held.clear()
    held.update(before)


@pytest.fixture
def sound(doctor: Doctor) -> Doctor:
    """The same, with everything that the doctor asks for."""
    doctor.base(REVIEWS, doctor.checks(source=doctor.app_id))
    doctor.steps("creation", "update")
    return doctor


class TestSound:
    """A repository that lacks nothing: only what the credentials do not show is left."""

    def test_as_the_app(self, sound: Doctor) -> None:
        assert sound.codes() == []
        assert sound.unseen() == [
            "Could not look at who else may bypass ruleset `steps`: "
            "needs an administrator's token and `CANARY_APP_ID`."
        ]

    def test_as_an_administrator(self, sound: Doctor) -> None:
        assert sound.codes(token=sound.admin) == []
        (unseen,) = sound.unseen(token=sound.admin)
        assert "the App's permissions, events and installation" in unseen

    def test_as_somebody_who_may_write(self, sound: Doctor) -> None:
        token = sound.stage.run.world.token("mona")

        assert sound.codes(token=token) == []
        assert len(sound.unseen(token=token)) == 4

    def test_without_knowing_the_app(self, sound: Doctor) -> None:
        assert sound.codes(token=sound.admin, knows_app=False) == []
        assert any("whether the App may work" in u for u in sound.unseen(token=sound.admin, knows_app=False))

    def test_only_reads(self, sound: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
        heard: list[tuple[str, str]] = []
        send = Client.send

        def listening(client: Client, method: str, path: str, **more: Any) -> Any:
            heard.append((method, path))
            return send(client, method, path, **more)

        monkeypatch.setattr(Client, "send", listening)
        sound.codes()

        writes = [path for method, path in heard if method != "GET"]
        assert len(heard) <= 20
        assert len(writes) == 1
        assert writes[0].endswith("/access_tokens")


class TestBare:
    """A repository without any rule."""

    def test_everything_is_told(self, doctor: Doctor) -> None:
        assert doctor.codes() == [
            *["check-not-required"] * 2,
            "pull-request-not-required",
            "step-branches-open",
            "four-eyes-not-required",
        ]
        assert doctor.status == 0


class TestChecks:
    """Required checks: of our App, and only what somebody reports."""

    def test_any_source(self, doctor: Doctor) -> None:
        doctor.steps("creation", "update")
        loose = doctor.base(REVIEWS, doctor.checks())
        assert doctor.codes() == ["check-source-open"] * 3

        doctor.remove(loose)
        doctor.base(REVIEWS, doctor.checks(source=doctor.app_id))
        assert doctor.codes() == []

    def test_another_source(self, sound: Doctor) -> None:
        other = sound.base(sound.checks("canary / plan", source=999))
        assert sound.codes() == ["check-source-other"]

        sound.remove(other)
        assert sound.codes() == []

    def test_a_name_that_nothing_reports(self, sound: Doctor) -> None:
        # The App may not read statuses, so the administrator looks.
        typed = sound.base(sound.checks("canary/plan"))
        (found,) = [f for f in sound(token=sound.admin) if f["code"] == "check-never-reports"]
        assert found["where"] == "ruleset base"
        assert "Did you mean `canary / plan`?" in found["remedy"]
        assert sound.status == 1

        sound.remove(typed)
        assert sound.codes(token=sound.admin) == []

    def test_the_app_cannot_tell_a_status_from_nothing(self, sound: Doctor) -> None:
        sound.base(sound.checks("canary/plan"))

        assert sound.codes() == []
        (unseen,) = [message for message in sound.unseen() if "statuses: read" in message]
        assert unseen.endswith("Did you mean `canary / plan`? Names must agree to the letter.")

    def test_a_status_reports(self, sound: Doctor) -> None:
        sound.base(sound.checks("ci / unit"))
        assert sound.codes(token=sound.admin) == ["check-never-reports"]

        world, repo = sound.stage.run.world, sound.stage.repo
        head = world.pull(repo, sound.stage.numbers()[0]).head_sha
        world.create_status(repo, head, {"context": "ci / unit", "state": "success"}, by="mona")
        assert sound.codes(token=sound.admin) == []

    def test_classic_protection_counts(self, doctor: Doctor) -> None:
        doctor.steps("creation", "update")
        doctor.stage.run.world.protect(
            doctor.stage.repo,
            "main",
            checks=NAMES,
            approvals=1,
            pulls_only=True,
            sources=dict.fromkeys(NAMES, doctor.app_id),
            dismiss_stale=True,
            last_push=True,
        )

        assert doctor.codes(token=doctor.admin) == []
        assert doctor.codes() == []
        assert any("classic branch protection" in message for message in doctor.unseen())


class TestRules:
    """The rules of the base branch and of the steps' branches."""

    @pytest.mark.parametrize(
        ("rule", "code"),
        [
            pytest.param(pull_request(0), "approvals-not-required", id="no approval"),
            pytest.param(pull_request(1, last_push=True), "stale-approvals-kept", id="stale approvals"),
            pytest.param(pull_request(1, dismiss_stale=True), "last-push-unapproved", id="last push"),
        ],
    )
    def test_reviews(self, rule: Rule, code: str, doctor: Doctor) -> None:
        doctor.steps("creation", "update")
        lax = doctor.base(rule, doctor.checks(source=doctor.app_id))
        assert doctor.codes() == [code]

        doctor.remove(lax)
        doctor.base(REVIEWS, doctor.checks(source=doctor.app_id))
        assert doctor.codes() == []

    def test_the_bot_may_bypass(self, doctor: Doctor) -> None:
        doctor.steps("creation", "update")
        rules = (REVIEWS, doctor.checks(source=doctor.app_id))
        open_ = doctor.base(*rules, bypass=(doctor.app_id,))
        assert doctor.codes() == ["bot-may-bypass"]
        assert doctor.codes(token=doctor.admin) == ["bot-may-bypass"]

        doctor.remove(open_)
        doctor.base(*rules)
        assert doctor.codes() == []
        assert doctor.codes(token=doctor.admin) == []

    def test_steps_without_a_rule(self, doctor: Doctor) -> None:
        doctor.base(REVIEWS, doctor.checks(source=doctor.app_id))
        half = doctor.steps("update")
        assert doctor.codes() == ["step-branches-open"]

        doctor.remove(half)
        doctor.steps("creation", "update")
        assert doctor.codes() == []

    def test_steps_that_keep_the_bot_out(self, doctor: Doctor) -> None:
        doctor.base(REVIEWS, doctor.checks(source=doctor.app_id))
        closed = doctor.steps("creation", "update", bypass=())
        assert doctor.codes() == ["step-branches-closed"]
        assert doctor.codes(token=doctor.admin) == ["step-branches-closed"]

        doctor.remove(closed)
        doctor.steps("creation", "update")
        assert doctor.codes() == []

    def test_steps_that_let_others_in(self, sound: Doctor) -> None:
        shared = sound.steps("update", bypass=(sound.app_id, 999))
        assert sound.codes(token=sound.admin) == ["step-branches-shared"]

        sound.remove(shared)
        assert sound.codes(token=sound.admin) == []


class TestAutoMerge:
    """Rules that merge by themselves want GitHub's auto-merge."""

    def test_off_and_on(self, sound: Doctor) -> None:
        (sound.folder / ".github").mkdir()
        (sound.folder / ".github" / "canary.yaml").write_text("version: 1\nrules: fast\n")
        assert sound.codes() == ["auto-merge-off"]

        sound.stage.run.world.configure(sound.stage.repo, allow_auto_merge=True)
        assert sound.codes() == []


class TestApp:
    """The App has what it needs, and no more; it is installed and awake."""

    @pytest.mark.parametrize(
        ("change", "codes"),
        [
            pytest.param(
                lambda held: held.update(workflows="write"), ["app-permission-dangerous"], id="workflows"
            ),
            pytest.param(lambda held: held.update(packages="read"), ["app-permission-wide"], id="packages"),
            pytest.param(lambda held: held.pop("issues"), ["app-permission-missing"], id="issues"),
            pytest.param(lambda held: held.update(checks="read"), ["app-permission-missing"], id="checks"),
        ],
    )
    def test_permissions(
        self, change: Callable[[dict[str, str]], object], codes: list[str], sound: Doctor
    ) -> None:
        held = sound.stage.run.app.permissions
        before = dict(held)
        change(held)
        try:
            assert sound.codes() == codes
        finally:
            held.clear()
            held.update(before)
        assert sound.codes() == []

    def test_suspended(self, sound: Doctor) -> None:
        world = sound.stage.run.world
        installation = world.installation_of(sound.stage.run.app, world.repository(sound.stage.repo))
        assert installation is not None
        world.suspend(installation.id)
        try:
            assert sound.codes() == ["app-suspended"]
        finally:
            world.suspend(installation.id, suspended=False)
        assert sound.codes() == []

    def test_not_installed(self, sound: Doctor) -> None:
        sound.stage.run.world.uninstall(sound.stage.run.app, sound.stage.repo)
        assert sound.codes() == ["app-not-installed"]

        sound.stage.run.install(sound.stage.repo)
        assert sound.codes() == []

    def test_a_repository_that_is_not_there(self, sound: Doctor) -> None:
        (found,) = sound(token=sound.admin, repo="acme/none")
        assert found["code"] == "repository-unreadable"
        assert sound.status == 1

    def test_a_token_that_is_none(self, sound: Doctor) -> None:
        (found,) = sound(token="ghp_wrong")
        assert found["code"] == "repository-unreadable"
        assert "ghp_wrong" not in json.dumps(found)
