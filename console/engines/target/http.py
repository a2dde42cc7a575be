"""Requests: routes, and what is done to a request on its way."""

from __future__ import annotations

import msgspec


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Requests: routes, and what is done to a request on its way."""
