"""What the platform would say of a Service or Route in a file, with other targets in its traffic block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import admission
from bot.core.problems import Place
from bot.core.traffic import defaulted
from bot.core.validate import problems_of

if TYPE_CHECKING:
    from bot.core.problems import Problem
    from bot.core.traffic import Target
    from bot.manifests.knative import Manifest


def server_refusal(manifest: Manifest, targets: tuple[Target, ...]) -> str | None:
    """Give the API server's text against the object with these targets, or ``None`` where it accepts.

    It looks at traffic, names and annotations; a ``slot`` says which entry of the file a target is.
    """
    return admission.refusal(_facts(manifest, targets))


def server_violations(manifest: Manifest, targets: tuple[Target, ...]) -> tuple[admission.Violation, ...]:
    """Give the same as values, each with the fields that it is about."""
    return admission.violations(_facts(manifest, targets))


def _facts(manifest: Manifest, targets: tuple[Target, ...]) -> admission.Facts:
    # Only a Service's empty block has a default.
    whole = targets if manifest.kind == "Route" else defaulted(targets).targets
    metadata = manifest.template.get("metadata") if isinstance(manifest.template, dict) else None
    generated = metadata.get("generateName") if isinstance(metadata, dict) else None
    return admission.Facts(
        name=manifest.name,
        targets=whole,
        annotations=manifest.annotations,
        template_name=manifest.template_name or "",
        template_generate_name=generated if isinstance(generated, str) else "",
        urls=frozenset(i for i, target in enumerate(whole) if target.slot in manifest.urls),
        kind=manifest.kind,
    )


def later_problems(manifest: Manifest, targets: tuple[Target, ...]) -> tuple[Problem, ...]:
    """Give what only shows when the Route is made, for targets that the server accepts: host names too long."""
    return problems_of(
        defaulted(targets),
        service=manifest.name,
        template_name=manifest.template_name,
        place=Place(manifest.path, manifest.traffic_lines[0] if manifest.traffic_lines else manifest.line),
    )
