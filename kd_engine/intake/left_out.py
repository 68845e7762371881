"""What of an archive is not used, and why: counted whole, and the first of each kind named."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from kd_engine.intake.archive import Member, Packed
from kd_engine.intake.split_names import purpose_of

_MOST_LISTED = 20  # of each kind


def _kind(member: Member) -> str:
    *folders, _ = parts = member.name.split("/")
    if parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts):
        return "hidden"
    if not member.is_picture:
        return "not pictures by their content"
    aside = any(purpose_of(part) in ("annotations", "unlabelled") for part in folders)
    return "pictures in folders that name no class" if aside else "other pictures"


def left_out(archive: Packed) -> dict[str, dict[str, Any]]:
    """What the manifest says of files that nothing was read of, once the archive was."""
    found: dict[str, list[str]] = defaultdict(list)
    for member in archive.members:
        if member.name not in archive.used:
            found[_kind(member)].append(member.name)
    kinds = sorted(found.items())
    return {
        "left_out": {kind: len(names) for kind, names in kinds},
        "left_out_files": {kind: tuple(names[:_MOST_LISTED]) for kind, names in kinds},
    }
