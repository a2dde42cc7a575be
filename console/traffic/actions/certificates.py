"""Certificates: put there or renewed, taken away, warned of. Their keys go in and, but to an engine, never out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from agents.wire import NAME_PATTERN
from console.accounts.models import Role
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.live.bells import ring_services
from console.sealing import seal
from console.traffic import pem
from console.traffic.models import Certificate
from console.traffic.references import certificate_users

#: How long before its end a certificate is warned of, and how often again.
WARNED_BEFORE = timedelta(days=21)
WARNED_EVERY = timedelta(days=1)


@dataclass
class PutCertificate(Action[Certificate]):
    """Keep a certificate under a name, or renew the one there. Services that name it use it at once."""

    name: str
    chain: str = ""
    key: str = field(default="", repr=False)
    ca: str = ""

    NAME = "certificate.put"

    def execute(self, actor: Actor) -> Certificate:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid("name", "invalid", "a DNS label: a-z, 0-9 and -, at most 63 characters")
        facts = pem.read(self.chain, self.key, self.ca)
        found = Certificate.objects.select_for_update().filter(name=self.name).first()
        before = None if found is None else _said(found)
        made = found or Certificate(name=self.name)
        if found is not None and (users := certificate_users().get(self.name)):
            for had, gets in ((found.chain, self.chain), (found.ca, self.ca)):
                if had and not gets.strip():
                    raise Conflict("in-use", f"{', '.join(users)} may need the part that would be missing")
        made.chain, made.ca = self.chain.strip(), self.ca.strip()
        made.sealed_key = seal(self.key, sealed_place(self.name)) if self.key.strip() else ""
        made.names, made.fingerprint = facts.names, facts.fingerprint
        made.valid_from, made.valid_until = facts.valid_from, facts.valid_until
        made.warned_at = None
        made.save()
        self.record(actor, "certificate", self.name, before=before, after=_said(made))
        return made

    def committed(self, result: Certificate) -> None:
        ring_services()


@dataclass
class RemoveCertificate(Action[None]):
    """Forget a certificate and its key; not while a service uses it."""

    name: str

    NAME = "certificate.remove"

    def execute(self, actor: Actor) -> None:
        found = Certificate.objects.select_for_update().filter(name=self.name).first()
        if found is None:
            raise Unknown("certificate", self.name)
        users = certificate_users().get(self.name)
        if users:
            raise Conflict("in-use", f"{', '.join(users)} would have none; change their settings first")
        before = _said(found)
        found.delete()
        self.record(actor, "certificate", self.name, before=before)


@dataclass
class WarnOfCertificates(Action[int]):
    """Say in the events which certificates end soon, once a day each; returns how many."""

    NAME = "certificate.ends-soon"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> int:
        now = timezone.now()
        ending = Certificate.objects.filter(valid_until__lt=now + WARNED_BEFORE)
        due = [each for each in ending if each.warned_at is None or each.warned_at < now - WARNED_EVERY]
        used = certificate_users() if due else {}
        for each in due:
            each.warned_at = now
            each.save(update_fields=["warned_at"])
            users = ", ".join(used.get(each.name, [])) or "no service"
            verb = "ended" if each.valid_until <= now else "ends"
            reason = f"{each.name} {verb} on {each.valid_until:%Y-%m-%d}; {users} uses it"
            self.record(actor, "certificate", each.name, after=_said(each), reason=reason)
        return len(due)


def sealed_place(name: str) -> str:
    """What a certificate's key is sealed for."""
    return f"certificate {name}"


def _said(certificate: Certificate) -> dict[str, object]:
    return {
        "names": certificate.names,
        "fingerprint": certificate.fingerprint,
        "valid_until": certificate.valid_until.isoformat(),
    }
