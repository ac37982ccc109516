"""An object of a file with its labels and owners, for the question who else sets its split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import cloudrun, owners
from bot.core.doctor.documents import at, objects, read_all

if TYPE_CHECKING:
    from bot.core.owners import Holder
    from bot.core.traffic import Split
    from bot.manifests.workload import Workload

# What only labels and owners show; a file without these words is not parsed again for them.
_TELLING = (
    b"ownerReferences",
    b"managed-by",
    b"deploy.cloud.google.com",
    b"flagger.app",
    b"argoproj.io",
    b"cloud.googleapis.com/location",
)


def holder_of(content: bytes, workload: Workload) -> Holder:
    """Give a workload as ``bot.core.owners`` wants it; ``content`` is its file."""
    telling = any(word in content for word in _TELLING)
    for one in objects(read_all(content.decode("utf-8-sig", "replace")) or ()) if telling else ():
        metadata = one.get("metadata")
        name = (one.get("kind"), at(metadata, "name"), at(metadata, "namespace"))
        if name == (workload.kind, workload.name, workload.namespace):
            return owners.holder_of(workload.api_version, workload.kind, metadata, workload.place)
    return owners.Holder(
        workload.api_version,
        workload.kind,
        workload.name,
        workload.namespace,
        annotations=workload.annotations,
        place=workload.place,
    )


def on_cloud_run(workload: Workload, holder: Holder, split: Split) -> cloudrun.Facts | None:
    """Give what Cloud Run looks at where a workload is one of its services, else ``None``."""
    if not workload.api_version.startswith("serving.knative.dev/"):
        return None
    if not cloudrun.is_cloud_run(holder.annotations, holder.labels, workload.template):
        return None
    return cloudrun.Facts(
        name=workload.name,
        namespace=workload.namespace,
        kind=workload.kind,
        targets=split.targets,
        template_name=workload.template_name,
        place=workload.place,
    )
