"""Connections that come in: TLS, protocols, limits."""

from __future__ import annotations

import msgspec


class Front(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Connections that come in: TLS, protocols, limits."""
