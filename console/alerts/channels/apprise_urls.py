"""Apprise: one URL names the service and carries its token (slack:, mailto:, tgram:, ntfy: and many more)."""

from __future__ import annotations

from typing import Any

import apprise

from console.alerts.channels.http import NotSent

#: Schemes of Apprise that reach into this machine or run something on it, and are no way to people.
REFUSED = {"file", "syslog", "dbus", "gnome", "kde", "qt", "glib", "windows", "macosx", "smpp"}


def check(address: str) -> None:
    """Raises ValueError unless Apprise knows the service and the URL is complete for it."""
    scheme = address.partition(":")[0].lower()
    if scheme in REFUSED or apprise.Apprise.instantiate(address) is None:
        raise ValueError("not a URL that Apprise takes for a service over the network")


def send(address: str, secret: str, notice: dict[str, Any]) -> None:
    """Raises NotSent. Apprise tells its log why, which may hold the token; here is said only that it did not."""
    sender = apprise.Apprise()
    if not sender.add(address):
        raise NotSent("Apprise does not take this URL any more")
    kind = apprise.NotifyType.SUCCESS if notice["state"] == "resolved" else (
        apprise.NotifyType.FAILURE if notice["severity"] == "critical" else apprise.NotifyType.WARNING
    )  # fmt: skip
    lines = [each["sentence"] for each in notice["alerts"][:10]]
    if notice["count"] > len(lines):
        lines.append(f"… and {notice['count'] - len(lines)} more")
    body = "\n".join([*lines, notice["url"]])
    if not sender.notify(title=notice["title"][:200], body=body, notify_type=kind):
        raise NotSent("the service did not take it")
