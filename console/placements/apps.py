"""Placements, and with them what others add to the core's rules."""

from __future__ import annotations

from django.apps import AppConfig

from console import extensions


class PlacementsConfig(AppConfig):
    name = "console.placements"

    def ready(self) -> None:
        extensions.load()
