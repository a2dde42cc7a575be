"""Who is told what: alerts of one failure domain in one notice, silences kept, each channel owed its delivery.

A notice waits GROUP_WAIT_S for its companions, so that a rack's death is one; what follows in the same domain within
GROUP_AGAIN_S waits for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from django.conf import settings
from django.db.models import Q

from console.alerts.channels.alertmanager import REPEAT_AFTER
from console.alerts.models import Alert, Channel, Delivery, Silence
from console.alerts.rules import RULES, SEVERITIES
from console.events.models import Outbox

TOPIC = "alert-notice"
GROUP_WAIT_S = 10.0
GROUP_AGAIN_S = 60.0
#: Alerts that one notice lists; of more it says the number. Alertmanager gets them all, so many in a request.
MOST_LISTED = 50
#: Alerts looked at in one step; the rest is told in the next.
MOST_TOLD = 5000

#: What an alert's state is when channels must hear of it.
_FIRED = Q(state=Alert.State.FIRING) & ~Q(told=Alert.State.FIRING)
_ENDED = Q(state=Alert.State.RESOLVED, told=Alert.State.FIRING)


def owe_notices(at: datetime) -> bool:
    """Owe a delivery to each channel for each group that is due; True where anything is owed and due.

    Runs in the caller's transaction.
    """
    repeat(at)  # before the new ones, which are told once below
    untold = list(Alert.objects.filter(_FIRED | _ENDED).order_by("pk")[:MOST_TOLD])
    if untold:
        silences = active_silences(at)
        heard = [each for each in untold if not is_silenced(each, silences)]
        groups: dict[str, list[Alert]] = {}
        for alert in heard:
            groups.setdefault(group_of(alert), []).append(alert)
        recent = _told_lately(at) if groups else set()
        for name, alerts in groups.items():
            waited = at - min(_changed_at(each) for each in alerts)
            wait_s = GROUP_AGAIN_S if name in recent else GROUP_WAIT_S
            if waited >= timedelta(seconds=wait_s):
                _owe(name, alerts, at)
    return Delivery.objects.filter(state=Delivery.State.OWED, next_try_at__lte=at).exists()


def repeat(at: datetime) -> None:
    """Say what fires again to each Alertmanager that has not heard of it for REPEAT_AFTER: it forgets by itself."""
    due = Q(repeated_at=None) | Q(repeated_at__lte=at - REPEAT_AFTER)
    for channel in Channel.objects.filter(due, is_on=True, kind=Channel.Kind.ALERTMANAGER):
        told = Alert.objects.filter(state=Alert.State.FIRING, told=Alert.State.FIRING).order_by("pk")
        silences = active_silences(at)
        alerts = [each for each in told[:MOST_TOLD] if not is_silenced(each, silences)]
        heard = [each for each in alerts if _is_heard(each.severity, channel)]
        for notice in parts_of("again", heard):
            deliver(channel, notice, at)
        Channel.objects.filter(pk=channel.pk).update(repeated_at=at)


def group_of(alert: Alert) -> str:
    """What is told together."""
    return alert.domain or f"{alert.rule} {alert.subject}"


def active_silences(at: datetime) -> list[Silence]:
    return list(Silence.objects.filter(until__gt=at, ended_at=None))


def is_silenced(alert: Alert, silences: Iterable[Silence]) -> bool:
    """Whether any silence matches it in all its patterns."""
    return any(
        all(
            not pattern or fnmatchcase(text, pattern)
            for pattern, text in (
                (silence.rule, alert.rule),
                (silence.subject, alert.subject),
                (silence.domain, alert.domain),
            )
        )
        for silence in silences
    )


def notice_of(name: str, alerts: list[Alert]) -> dict[str, Any]:
    """What is sent: a title that says the most important thing, and each alert with its link."""
    firing = [each for each in alerts if each.state == Alert.State.FIRING]
    worst = max((each.severity for each in alerts), key=SEVERITIES.index)
    return {
        "group": name,
        "state": "firing" if firing else "resolved",
        "severity": worst,
        "title": title_of(name, firing or alerts, resolved=not firing),
        "count": len(alerts),
        "alerts": [said(each) for each in alerts[:MOST_LISTED]],
        "url": f"{settings.STEELYARD_URL}/alerts/",
    }


def parts_of(name: str, alerts: list[Alert]) -> list[dict[str, Any]]:
    """Notices that together list all of the alerts; none for no alert."""
    starts = range(0, len(alerts), MOST_LISTED)
    return [notice_of(name, alerts[start : start + MOST_LISTED]) for start in starts]


def refreshed(notice: dict[str, Any]) -> dict[str, Any]:
    """The notice with its alerts as they are now: one that was sent late must not say that what is over fires."""
    keys = [each["id"] for each in notice["alerts"]]
    now = {each.pk: said(each) for each in Alert.objects.filter(pk__in=keys)}
    return {**notice, "alerts": [now.get(each["id"], each) for each in notice["alerts"]]}


def title_of(name: str, alerts: list[Alert], *, resolved: bool) -> str:
    """One alert says its sentence; several are counted by rule."""
    over = "Over: " if resolved else ""
    if len(alerts) == 1:
        return f"{over}{alerts[0].sentence}"
    counts: dict[str, int] = {}
    for each in alerts:
        counts[each.rule] = counts.get(each.rule, 0) + 1
    parts = ", ".join(
        f"{RULES[rule].TITLE if rule in RULES else rule} ({count})" for rule, count in sorted(counts.items())
    )
    return f"{over}{name}: {parts}"


def said(alert: Alert) -> dict[str, Any]:
    """One alert for programs."""
    return {
        "id": alert.pk,
        "rule": alert.rule,
        "severity": alert.severity,
        "subject_kind": alert.subject_kind,
        "subject": alert.subject,
        "domain": alert.domain,
        "state": alert.state,
        "value": alert.value,
        "sentence": alert.sentence,
        "since": alert.since.isoformat(),
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
        "url": f"{settings.STEELYARD_URL}/alerts/{alert.pk}/",
    }


def deliver(channel: Channel, notice: dict[str, Any], at: datetime) -> Delivery:
    """Owe one notice to one channel."""
    made = Delivery.objects.create(channel=channel, notice=notice, next_try_at=at)
    Outbox.objects.create(topic=TOPIC, payload={"delivery": made.pk})
    return made


def _owe(name: str, alerts: list[Alert], at: datetime) -> None:
    notice = notice_of(name, alerts)
    for channel in Channel.objects.filter(is_on=True):
        if not _is_heard(notice["severity"], channel):
            continue
        is_alertmanager = channel.kind == Channel.Kind.ALERTMANAGER
        for part in parts_of(name, alerts) if is_alertmanager else [notice]:
            deliver(channel, part, at)
    for state in (Alert.State.FIRING, Alert.State.RESOLVED):
        keys = [each.pk for each in alerts if each.state == state]
        for start in range(0, len(keys), 500):
            Alert.objects.filter(pk__in=keys[start : start + 500]).update(told=state)


def _is_heard(severity: str, channel: Channel) -> bool:
    return SEVERITIES.index(severity) >= SEVERITIES.index(channel.least_severity)


def _changed_at(alert: Alert) -> datetime:
    moment = alert.resolved_at if alert.state == Alert.State.RESOLVED else alert.fired_at
    return moment or alert.since


def _told_lately(at: datetime) -> set[str]:
    recent = Delivery.objects.filter(created_at__gt=at - timedelta(seconds=GROUP_AGAIN_S))
    return {str(notice.get("group")) for notice in recent.values_list("notice", flat=True)[:1000]}
