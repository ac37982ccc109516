"""Cloud Run: whether a manifest is its own, what it refuses that Knative takes, and where it differs.

Only rules with a source are here; what Knative refuses too is in ``bot.core.admission`` and
``bot.core.validate``. A *problem* is what Cloud Run answers with an error. A *caution* is what it does otherwise
than Knative, or an error whose conditions are not known well enough to refuse a file for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.core.doctor.documents import at
from bot.core.problems import Place, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.core.traffic import Target

LONGEST_TAG_AND_SERVICE = 46
LONGEST_NEW_NAME = 49
SHORTEST_TAG = 3

_ANNOTATION = "run.googleapis.com/"
_LOCATION = "cloud.googleapis.com/location"
# ``Project.projectId`` of the Resource Manager API; old projects have their organisation's domain before it.
_PROJECT_ID = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]", re.ASCII)
_PROJECT_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Facts:
    """What Cloud Run looks at.

    ``targets`` are those that the file would hold. ``template_name`` is ``spec.template.metadata.name``.
    """

    name: str
    namespace: str | None = None
    kind: str = "Service"
    targets: tuple[Target, ...] = ()
    template_name: str | None = None
    place: Place = field(default_factory=Place)


def is_cloud_run(annotations: Mapping[str, str], labels: Mapping[str, str], template: Any = None) -> bool:
    """Whether a Knative Service is meant for Cloud Run, by what only Cloud Run reads.

    That are annotations of ``run.googleapis.com``, on the service or its template, and the label or annotation
    ``cloud.googleapis.com/location``. Source: Cloud Run, "YAML reference" (v1 ``Service``).

    Args:
        annotations: The service's.
        labels: The service's.
        template: ``spec.template`` as plain values, whatever they are.
    """
    inner = at(template, "metadata", "annotations")
    keys = [*annotations, *(str(key) for key in (inner if isinstance(inner, dict) else ()))]
    return _LOCATION in labels or any(key.startswith(_ANNOTATION) or key == _LOCATION for key in keys)


def problems(facts: Facts) -> tuple[Problem, ...]:
    """Give what Cloud Run would refuse: ``cloud-run-refuses``, ``name-too-long``."""
    return (*_kind(facts), *_namespace(facts), *_tags_too_long(facts))


def cautions(facts: Facts) -> tuple[Problem, ...]:
    """Give where Cloud Run does not do what Knative does (``cloud-run-differs``); nothing of it forbids an edit."""
    return tuple(
        Problem("cloud-run-differs", message, remedy, facts.place) for message, remedy in _differences(facts)
    )


def where_a_tag_answers(tag: str, service: str) -> str:
    """Say at which address a tag can be reached, in Markdown; the rest of it is not known to the repository.

    Source: Cloud Run, "Rollbacks, gradual rollouts, and traffic migration" (tags: ``TAG---SERVICE-HASH``).
    """
    return (
        f"Cloud Run answers for the tag at {code(f'https://{tag}---{service}-')} and what follows the service's name "
        "in its own address; `gcloud run services describe` shows it."
    )


def _kind(facts: Facts) -> Iterator[Problem]:
    """Refuse a Route. Source: Cloud Run Admin API v1, ``namespaces.routes`` has ``get`` and ``list`` only."""
    if facts.kind != "Service":
        yield Problem(
            "cloud-run-refuses",
            f"Cloud Run makes the {code(facts.kind)} of a service itself, and lets nobody write one.",
            "Write the split into `spec.traffic` of the Service.",
            facts.place,
        )


def _namespace(facts: Facts) -> Iterator[Problem]:
    """Refuse a namespace that no project can have.

    Sources: Cloud Run Admin API v1, ``ObjectMeta.namespace`` ("must be project ID or number"); ``gcloud run
    services replace``, which refuses any other.
    """
    namespace = facts.namespace
    if namespace and not (_PROJECT_ID.fullmatch(namespace) or _PROJECT_NUMBER.fullmatch(namespace)):
        yield Problem(
            "cloud-run-refuses",
            f"The namespace {code(namespace)} can be no project; Cloud Run wants the project's id or number there.",
            "Remove `metadata.namespace`, or write the project's id or its number in quotes.",
            facts.place,
        )


def _tags_too_long(facts: Facts) -> Iterator[Problem]:
    """Refuse a tag that is too long beside the service's name.

    Source: the API's own text in firebase/firebase-tools#6137, "Combined traffic tag and service name cannot
    exceed 46 characters"; nothing between the two is counted.
    """
    for i, target in enumerate(facts.targets):
        length = len(target.tag or "") + len(facts.name)
        if target.tag and length > LONGEST_TAG_AND_SERVICE:
            room = LONGEST_TAG_AND_SERVICE - len(facts.name)
            yield Problem(
                "name-too-long",
                f"Target {i + 1}: the tag {code(target.tag)} and the service's name {code(facts.name)} have {length} "
                f"characters together; Cloud Run takes {LONGEST_TAG_AND_SERVICE}.",
                f"Choose a tag of at most {room} characters."
                if room >= SHORTEST_TAG
                else "Leave the tag out: beside this name there is room for none.",
                facts.place,
            )


def _differences(facts: Facts) -> Iterator[tuple[str, str]]:
    # Cloud Run, "Deploying container images": "Service names must be 49 characters or less"; the v2 API refuses
    # longer ones (pulumi/pulumi-gcp#3166), the v1 API, which takes manifests, refused from 64 on (#2162).
    if len(facts.name) > LONGEST_NEW_NAME:
        yield (
            f"The service's name has {len(facts.name)} characters; Cloud Run documents at most {LONGEST_NEW_NAME}.",
            "A service that exists keeps its name; give a new one a shorter name.",
        )
    # PolicyEngine/policyengine-sim-api#656: a tag of two characters was refused. Seen there only.
    for target in facts.targets:
        if target.tag and len(target.tag) < SHORTEST_TAG:
            yield (
                f"The tag {code(target.tag)} is short; Cloud Run refused tags of less than {SHORTEST_TAG} characters.",
                "Choose a longer tag.",
            )
    # gcloud run services replace compares with the project at hand; no file shows which one that is.
    if facts.namespace == "default":
        yield (
            "The namespace is `default`; Cloud Run wants the project's id or number there.",
            "Remove `metadata.namespace`, unless the project is called so.",
        )
    # firebase/firebase-tools#10148, pipe-cd/pipecd#2480.
    if facts.template_name:
        yield (
            f'Cloud Run may answer 409 ("Revision named … with different configuration already exists") when '
            f"{code(facts.template_name)} is applied again with a template that differs in anything.",
            "Apply exactly the committed file, with `gcloud run services replace`.",
        )
    # Cloud Run, "Rollbacks, gradual rollouts, and traffic migration", lifecycle of traffic splits.
    weighted = [target for target in facts.targets if target.effective_percent]
    if len(weighted) == 1 and not weighted[0].floats:
        yield (
            f"All traffic stays with {code(weighted[0].shown)}: later deployments get none, until traffic is sent to "
            "the latest revision again.",
            "Deploy with this manifest and `/canary`; or write `latestRevision: true` to let deployments take traffic.",
        )
