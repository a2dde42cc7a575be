"""How tenants share the cluster: weights and quotas."""

from __future__ import annotations

from dataclasses import dataclass, field

from balancer_core.fairness import MAX_WEIGHT
from balancer_core.load import InvalidLoad, Load
from console.accounts.models import Role
from console.actions import Action, Actor, Invalid, Unknown
from console.jobs.models import Tenant
from console.jobs.spec import check_tenant
from console.live.bells import ring_jobs
from console.live.picture import picture

LEAST_WEIGHT = 1 / MAX_WEIGHT


@dataclass
class SetTenant(Action[Tenant]):
    """Say by which weight a tenant shares the cluster, and how much of it its jobs may hold together.

    quota: the most, by resource; what is not named is not bounded. bursts: more is had while nobody else waits.
    What holds already is not taken away. preempts: "none", "own" or "others": whose preemptible jobs make room for its
    own of a higher priority; others' only while it holds less than its fair part and they more.
    """

    name: str
    weight: float = 1.0
    quota: dict[str, float] = field(default_factory=dict)
    bursts: bool = False
    preempts: str = Tenant.Preempts.OWN
    reason: str = ""

    NAME = "tenant.set"
    ROLE = Role.POLICY_ADMIN

    def execute(self, actor: Actor) -> Tenant:
        check_tenant(self.name, "name")
        if not LEAST_WEIGHT <= self.weight <= MAX_WEIGHT:
            raise Invalid("weight", "out-of-range", f"from {LEAST_WEIGHT:g} to {MAX_WEIGHT:,.0f}")
        try:
            picture.check(Load(kind="job", name="quota", demand=self.quota))
        except InvalidLoad as error:
            raise Invalid(error.field.replace("demand", "quota", 1), error.code, error.reason) from None
        if self.preempts not in Tenant.Preempts.values:
            raise Invalid("preempts", "unknown", f"one of {', '.join(Tenant.Preempts.values)}")
        before = Tenant.objects.filter(pk=self.name).first()
        tenant = Tenant(self.name, self.weight, self.quota, self.bursts, self.preempts)
        tenant.save()
        self.record(actor, "tenant", self.name, before=_said(before), after=_said(tenant), reason=self.reason)
        return tenant

    def committed(self, result: Tenant) -> None:
        ring_jobs()


@dataclass
class ForgetTenant(Action[None]):
    """Let a tenant share as everybody does: weight 1 and no quota. Its jobs stay."""

    name: str
    reason: str = ""

    NAME = "tenant.forget"
    ROLE = Role.POLICY_ADMIN

    def execute(self, actor: Actor) -> None:
        tenant = Tenant.objects.filter(pk=self.name).first()
        if tenant is None:
            raise Unknown("tenant", self.name)
        tenant.delete()
        tenant.name = self.name
        self.record(actor, "tenant", self.name, before=_said(tenant), reason=self.reason)

    def committed(self, result: None) -> None:
        ring_jobs()


def _said(tenant: Tenant | None) -> dict[str, object] | None:
    return tenant and {
        "weight": tenant.weight,
        "quota": tenant.quota,
        "bursts": tenant.bursts,
        "preempts": tenant.preempts,
    }
