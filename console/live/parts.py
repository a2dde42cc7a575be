"""A host's single disks and cards: what of them is believed, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.wire import LONGEST_PART, MOST_PARTS, Flow, Mount, Parts

#: Bytes, or bytes a second: no disk and no card has more.
LARGEST = 1e18
#: A file system that is used so far is called full: what writes there fails soon.
FULL = 0.95


@dataclass(frozen=True, slots=True)
class PartFault:
    """Why parts are not believed. field: dotted path of the value at fault."""

    code: str
    field: str
    reason: str


def fault_of(parts: Parts) -> PartFault | None:
    """What is wrong with them; None where nothing is. O(parts), of which there are few or it is wrong."""
    for kind in ("mounts", "disks", "cards"):
        told: Sequence[Mount | Flow] = getattr(parts, kind)
        if len(told) > MOST_PARTS:
            return PartFault("too_many", f"parts.{kind}", f"{len(told)} are more than {MOST_PARTS}.")
        for number, each in enumerate(told):
            if fault := _fault(each, f"parts.{kind}.{number}"):
                return fault
    return None


def _fault(part: Mount | Flow, field: str) -> PartFault | None:
    name, *amounts = (
        (part.path, part.used, part.size)
        if isinstance(part, Mount)
        else (part.name, part.inwards, part.outwards)
    )
    if not (0 < len(name) <= LONGEST_PART and name.isprintable()):
        return PartFault("invalid_name", field, f"a name is 1 to {LONGEST_PART} printable characters.")
    for amount in amounts:
        if not math.isfinite(amount):
            return PartFault("not_finite", field, f"{amount!r} is no amount.")
        if not 0.0 <= amount <= LARGEST:
            return PartFault("impossible", field, f"{amount!r} is not from 0 to {LARGEST:g}.")
    if isinstance(part, Mount) and not 0.0 < part.size >= part.used:
        return PartFault("impossible", field, f"{part.used!r} of {part.size!r} bytes cannot be used.")
    return None


def is_full(mount: Mount) -> bool:
    return mount.used >= FULL * mount.size


def document_of(parts: Parts, age_s: float) -> dict[str, Any]:
    """The host's parts as REST and the host's page have them."""
    return {
        "age_s": round(age_s, 3),
        "mounts": [
            {
                "path": each.path,
                "used_bytes": each.used,
                "size_bytes": each.size,
                "used_share": each.used / each.size,
                "full": is_full(each),
            }
            for each in parts.mounts
        ],
        "disks": [
            {"name": each.name, "read_per_s": each.inwards, "written_per_s": each.outwards}
            for each in parts.disks
        ],
        "cards": [
            {"name": each.name, "in_per_s": each.inwards, "out_per_s": each.outwards} for each in parts.cards
        ],
    }
