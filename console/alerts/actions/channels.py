"""Channels: put there or changed, tried, taken away. Their addresses go in and, but to the receiver, never out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from django.utils import timezone

from agents.wire import NAME_PATTERN
from console.accounts.models import Role
from console.actions import Action, Actor, Invalid, Unknown
from console.alerts.channels import KINDS, place_of, sealed_place
from console.alerts.models import Channel, Delivery
from console.alerts.notices import deliver
from console.alerts.rules import SEVERITIES, WARNING
from console.sealing import seal

MOST_CHANNELS = 50


@dataclass
class PutChannel(Action[Channel]):
    """Keep a channel under a name, or change the one there."""

    name: str
    kind: str
    address: str = field(repr=False)
    secret: str = field(default="", repr=False)
    least_severity: str = WARNING

    NAME = "channel.put"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> Channel:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid("name", "invalid", "a DNS label: a-z, 0-9 and -, at most 63 characters")
        if self.kind not in KINDS:
            raise Invalid("kind", "unknown", f"one of {', '.join(KINDS)}")
        if self.least_severity not in SEVERITIES:
            raise Invalid("least_severity", "unknown", f"one of {', '.join(SEVERITIES)}")
        if not (self.address + self.secret).isprintable():
            raise Invalid("address", "invalid", "printable text")
        try:
            KINDS[self.kind].check(self.address)
            place = place_of(self.kind, self.address)
        except ValueError as error:
            raise Invalid("address", "invalid", str(error)) from None
        found = Channel.objects.select_for_update().filter(name=self.name).first()
        if found is None and Channel.objects.count() >= MOST_CHANNELS:
            raise Invalid("name", "too-many", f"at most {MOST_CHANNELS} channels")
        before = None if found is None else _said(found)
        made = found or Channel(name=self.name)
        made.kind, made.least_severity, made.place = self.kind, self.least_severity, place[:200]
        kept = json.dumps({"address": self.address, "secret": self.secret})
        made.sealed = seal(kept, sealed_place(self.name))
        made.save()
        self.record(actor, "channel", self.name, before=before, after=_said(made))
        return made


@dataclass
class RemoveChannel(Action[None]):
    """Forget a channel and its secret; what it was still owed is not sent."""

    name: str

    NAME = "channel.remove"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> None:
        found = _find(self.name)
        before = _said(found)
        found.delete()
        self.record(actor, "channel", self.name, before=before)


@dataclass
class TryChannel(Action[Delivery]):
    """Send a notice that says it is a test, the way that all notices go."""

    name: str

    NAME = "channel.test"
    ROLE = Role.OPERATOR

    def execute(self, actor: Actor) -> Delivery:
        now = timezone.now()
        sentence = f"This is a test, sent by {actor.name}. Nothing is wrong."
        alert = {
            "id": 0, "rule": "test", "severity": "warning", "subject_kind": "channel", "subject": self.name,
            "domain": "", "state": "resolved", "value": 0.0, "sentence": sentence, "since": now.isoformat(),
            "resolved_at": now.isoformat(), "url": "",
        }  # fmt: skip
        notice = {
            "group": "test", "state": "resolved", "severity": "warning", "title": "A test of Steelyard's alerts",
            "count": 1, "alerts": [alert], "url": "",
        }  # fmt: skip
        made = deliver(_find(self.name), notice, now)
        self.record(actor, "channel", self.name, after={"delivery": made.pk})
        return made


def _find(name: str) -> Channel:
    found = Channel.objects.select_for_update().filter(name=name).first()
    if found is None:
        raise Unknown("channel", name)
    return found


def _said(channel: Channel) -> dict[str, str]:
    return {"kind": channel.kind, "place": channel.place, "least_severity": channel.least_severity}
