"""Prometheus' Alertmanager, API v2: each alert by itself, which groups and routes them as it is configured.

It ends by itself what is not said again within its resolve_timeout; so each alert carries an end that lies a day ahead,
and the notice that it is over brings it forward.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from console.alerts.channels.http import check, post

__all__ = ["check", "send"]

PATH = "/api/v2/alerts"
ENDS_AFTER = timedelta(days=1)


def send(address: str, secret: str, notice: dict[str, Any]) -> None:
    """secret: a bearer token, "" for none. Raises NotSent."""
    body = json.dumps([_alert(each, notice) for each in notice["alerts"]]).encode()
    base = address.rstrip("/").removesuffix(PATH)
    post(base + PATH, body, {"Authorization": f"Bearer {secret}"} if secret else {})


def _alert(said: dict[str, Any], notice: dict[str, Any]) -> dict[str, Any]:
    labels = {
        "alertname": said["rule"],
        "severity": said["severity"],
        "subject": said["subject"],
        "subject_kind": said["subject_kind"],
        "group": notice["group"],
    }
    ends_at = said["resolved_at"] or (datetime.fromisoformat(said["since"]) + ENDS_AFTER).isoformat()
    return {
        "labels": labels,
        "annotations": {"summary": said["sentence"]},
        "startsAt": said["since"],
        "endsAt": ends_at,
        "generatorURL": said["url"],
    }
