"""Generated legacy manifests: every step is exactly what was asked for, and can be taken back."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.core.legacy import LATEST, Legacy, targets_of
from bot.core.traffic import Split
from bot.manifests.legacy import edit_legacy, find_legacy

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}-[0-9]{5}", fullmatch=True)
QUOTES = st.sampled_from(["", '"', "'"])


@given(
    names=st.lists(NAMES, min_size=2, max_size=2, unique=True),
    quote=QUOTES,
    flow=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n"]),
    percents=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    latest=st.booleans(),
)
def test_step_and_back(
    *, names: list[str], quote: str, flow: bool, ending: str, percents: tuple[int, int], latest: bool
) -> None:
    written = [f"{quote}{name}{quote}" for name in names]
    listed = f" [{', '.join(written)}] # both" if flow else "".join(f"\n      - {name}" for name in written)
    text = (
        "apiVersion: serving.knative.dev/v1alpha1\nkind: Service\nmetadata: {name: shop}\nspec:\n  release:\n"
        f"    revisions:{listed}\n    rolloutPercent: {percents[0]}  # share\n    configuration:\n"
        "      template: {spec: {containers: [{image: i}]}}\n"
    )
    content = text.replace("\n", ending).encode()
    (service,) = find_legacy(content, "shop.yaml").services
    wanted = Legacy("release", (names[0], LATEST if latest else names[1]), percents[1])
    after = edit_legacy(content, service, wanted)
    body = yaml.safe_load(after)["spec"]["release"]
    assert body["revisions"] == list(wanted.revisions)
    assert body["rolloutPercent"] == percents[1]
    assert Split(targets_of(wanted)).total == 100
    (again,) = find_legacy(after, "shop.yaml").services
    assert edit_legacy(after, again, service.legacy) == content
