"""What nobody looks at until it is too late: certificates' ends, and the ledger's sums."""

from __future__ import annotations

from datetime import timedelta

from console.alerts.rules.rule import CRITICAL, Findings, Found, RuleBase
from console.alerts.sight import Sight
from console.placements import ledger
from console.traffic.models import Certificate

DAY_S = 86_400.0


class CertificateEnds(RuleBase):
    """A certificate ends soon, or has ended."""

    NAME = "certificate-ends"
    TITLE = "Certificate ends"
    SUBJECT = "certificate"
    UNIT = "days"
    THRESHOLD = 14.0
    IS_BELOW = True
    CLEAR_AFTER_S = 0.0
    EVERY_S = 60.0

    def find(self, sight: Sight, level: float) -> Findings:
        ending = Certificate.objects.filter(valid_until__lte=sight.at + timedelta(days=level))
        found = {}
        for name, until in ending.values_list("name", "valid_until"):
            days = (until - sight.at).total_seconds() / DAY_S
            when = f"ends in {days:.1f} days" if days > 0 else f"ended {-days:.1f} days ago"
            found[name] = Found(days, f"The certificate {name} {when}.")
        return Findings(found)


class LedgerDrift(RuleBase):
    """What the ledger has promised of a host is not the sum of what is placed there. That is a defect of ours."""

    NAME = "ledger-drift"
    TITLE = "Ledger drift"
    SEVERITY = CRITICAL
    CLEAR_AFTER_S = 0.0
    EVERY_S = 300.0

    def find(self, sight: Sight, level: float) -> Findings:
        found: dict[str, Found] = {}
        for (host, resource), amount in ledger.drift().items():
            found[host] = Found(1.0, f"The ledger of {host} is off by {amount:g} of {resource}.")
        return Findings(found)
