"""Prometheus' Alertmanager, API v2: each alert by itself, which groups and routes them as it is configured.

It ends by itself what is not said again before its end. So each alert carries an end ENDS_AFTER ahead of the moment
at which it is sent, what still fires is said again every REPEAT_AFTER (notices.repeat), and the notice that it is
over brings the end forward.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from console.alerts.channels.http import check, post

__all__ = ["check", "send"]

PATH = "/api/v2/alerts"
ENDS_AFTER = timedelta(hours=4)
REPEAT_AFTER = timedelta(hours=1)


def send(address: str, secret: str, notice: dict[str, Any]) -> None:
    """secret: a bearer token, "" for none. Raises NotSent."""
    ends_at = datetime.now(UTC) + ENDS_AFTER
    body = json.dumps([_alert(each, ends_at) for each in notice["alerts"]]).encode()
    base = address.rstrip("/").removesuffix(PATH)
    post(base + PATH, body, {"Authorization": f"Bearer {secret}"} if secret else {})


def _alert(said: dict[str, Any], ends_at: datetime) -> dict[str, Any]:
    labels = {
        "alertname": said["rule"],
        "severity": said["severity"],
        "subject": said["subject"],
        "subject_kind": said["subject_kind"],
        "domain": said["domain"],
    }
    return {
        "labels": labels,
        "annotations": {"summary": said["sentence"]},
        "startsAt": said["since"],
        "endsAt": said["resolved_at"] or ends_at.isoformat(),
        "generatorURL": said["url"],
    }
