"""Channels: how a notice reaches people. One file a kind; what a channel must know is sealed in the database."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from console.alerts.channels import alertmanager, apprise_urls, webhook
from console.alerts.channels.http import NotSent
from console.alerts.models import Channel
from console.sealing import unseal

__all__ = ["KINDS", "NotSent", "place_of", "read", "sealed_place", "send"]

#: Kind to what checks an address (raises ValueError) and what sends.
KINDS = {"apprise": apprise_urls, "webhook": webhook, "alertmanager": alertmanager}


def send(channel: Channel, notice: dict[str, Any]) -> None:
    """Hand a notice to the channel. Raises NotSent, or Unsealable."""
    address, secret = read(channel)
    KINDS[channel.kind].send(address, secret, notice)


def read(channel: Channel) -> tuple[str, str]:
    """The address and the secret. Raises Unsealable."""
    kept = json.loads(unseal(channel.sealed, sealed_place(channel.name)))
    return kept["address"], kept["secret"]


def sealed_place(name: str) -> str:
    """What a channel's address is sealed for."""
    return f"channel {name}"


def place_of(kind: str, address: str) -> str:
    """What may be shown of an address: an Apprise URL holds tokens in any of its parts, so only its scheme."""
    parts = urlsplit(address)
    if kind == Channel.Kind.APPRISE:
        return f"{parts.scheme}://…"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
