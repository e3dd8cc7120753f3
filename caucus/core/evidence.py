"""Evidence: bytes kept under their own hash."""

from __future__ import annotations

from caucus.core.core import Core
from caucus.errors import ArtifactLimit, ArtifactTooLarge
from caucus.model.events import EvidenceAdded, RequestKey
from caucus.model.records import StoredArtifact
from caucus.rules.evidence import require_integrity
from caucus.rules.places import stored_artifact


def put_artifact(
    core: Core, request: RequestKey | None, now: float, channel: str, sha256: str, data: bytes
) -> StoredArtifact:
    limits, state = core.limits, core.state
    if len(data) > limits.max_artifact_bytes:
        raise ArtifactTooLarge(limits.max_artifact_bytes)
    room = core.channel(channel)
    require_integrity(sha256, data)
    deduplicated = sha256 in room.evidence
    if not deduplicated:
        room.evidence.require_room(len(data))
        if state.artifact_bytes + len(data) > limits.max_total_artifact_bytes:
            raise ArtifactTooLarge(limits.max_total_artifact_bytes, "backbone")
        if state.artifacts >= limits.max_artifacts:
            raise ArtifactLimit(limits.max_artifacts)
        event = EvidenceAdded(core.clock.instant(now), room.name, sha256, len(data), request)
        core.record(event, now, bytes(data))
    return stored_artifact(room.name, sha256, len(data), deduplicated=deduplicated)


def get_artifact(core: Core, channel: str, sha256: str) -> bytes | None:
    return core.durable_channel(channel).evidence.get(sha256, core.journal.durable)
