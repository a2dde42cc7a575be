"""How much hypothesis tries here: enough to meet the edges, without a clock, for machines that are busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=60)
settings.load_profile("core")
