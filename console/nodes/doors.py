"""Where nodes come in, by the settings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from console.engines.envoy.doors import Door, DoorRefused
from console.place import Place


def doors() -> list[Door]:
    """The Unix socket of this machine, and a port on a network where one is set. Raises DoorRefused."""
    found = [Door(f"unix:{Place(settings.STEELYARD_DATA).xds_socket}")]
    listen = settings.STEELYARD_XDS_LISTEN
    if listen:
        if not (settings.STEELYARD_XDS_CERTIFICATE and settings.STEELYARD_XDS_KEY):
            raise DoorRefused(
                f"STEELYARD_XDS_LISTEN={listen} needs STEELYARD_XDS_CERTIFICATE and STEELYARD_XDS_KEY:"
                " nodes are served on a network over TLS only"
            )
        clients = settings.STEELYARD_XDS_CLIENTS
        found.append(
            Door(
                listen,
                Path(settings.STEELYARD_XDS_CERTIFICATE),
                Path(settings.STEELYARD_XDS_KEY),
                Path(clients) if clients else None,
            )
        )
    return found
