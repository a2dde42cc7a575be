"""Endpoints: how they are checked, chosen between, and protected."""

from __future__ import annotations

import msgspec


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Endpoints: how they are checked, chosen between, and protected."""
