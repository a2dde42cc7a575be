"""What isn't configured yet, as an invitation with its one next step."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from console.chain.graph import Chain
from console.fleet.actions.tokens import IssueHostToken
from console.fleet.models import Host
from console.pages.frame import Offer, offer
from console.traffic.actions.services import CreateService
from console.traffic.actions.settings import ConfigureService

_TIERS = {
    "web": "No web servers yet",
    "application": "No applications yet",
    "cache": "No cache yet",
    "database": "No database yet",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """says: what is not there. step, url: the one next step. why_not: why this viewer can't take it."""

    says: str
    step: str
    url: str
    why_not: str = ""


def invitations(request: HttpRequest, chain: Chain) -> dict[str, Invitation]:
    """Column -> its invitation, for those in which nothing is."""
    missing = [column.key for column in chain.columns if column.missing]
    if not missing:
        return {}
    hosts = Host.objects.exists()
    return {key: _invitation(request, key, chain, hosts) for key in missing}


def _invitation(request: HttpRequest, column: str, chain: Chain, hosts: bool) -> Invitation:
    if column == "balancers":
        return Invitation("No balancer is connected", "See how one connects", reverse("engines"))
    unnamed = next((node.id.partition(":")[2] for node in chain.nodes if node.kind == "address"), "")
    if column == "names" and unnamed:
        url = reverse("service-settings", args=[unnamed])
        return _made(
            "No names, only addresses",
            "Name its hosts",
            url,
            offer(request, ConfigureService, "names", ""),
        )
    says = _TIERS.get(column, "No names yet")
    if not hosts:
        return _made(says, "Add a host first", reverse("add-host"), offer(request, IssueHostToken, "add", ""))
    tier = column if column in _TIERS else "web"
    url = f"{reverse('new-service')}?tier={tier}"
    return _made(says, "Make a service", url, offer(request, CreateService, "new", ""))


def _made(says: str, step: str, url: str, offered: Offer) -> Invitation:
    return Invitation(says, step, url, offered.why_not)
