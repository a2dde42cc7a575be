"""Process templates: what administrators let jobs run on hosts without a Celery worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.templates import Template, WrongTemplate, read
from balancer_core.load import InvalidLoad, Load
from console.accounts.models import Role
from console.actions import Action, Actor, Conflict, Invalid, Unknown, is_storable
from console.jobs.models import Job, ProcessTemplate
from console.live.picture import picture


@dataclass
class PutTemplate(Action[ProcessTemplate]):
    """Keep a template; jobs that wait are run by it as it is when they begin.

    template: as agents.templates.Template has it, without its name. demand: what one run needs, by resource; none:
    as learned from its runs.
    """

    name: str
    template: dict[str, Any]
    demand: dict[str, float] = field(default_factory=dict)
    reason: str = ""

    NAME = "template.put"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> ProcessTemplate:
        if not is_storable(self.template):
            raise Invalid("template", "not-json", "NaN, infinity, NUL and half characters can't be kept")
        try:
            wanted = read({**self.template, "name": self.name})
            picture.check(Load(kind="job", name="template", demand=self.demand))
        except WrongTemplate as error:
            raise Invalid(error.field, "invalid", error.reason) from None
        except InvalidLoad as error:
            raise Invalid(error.field, error.code, error.reason) from None
        before = ProcessTemplate.objects.select_for_update().filter(pk=self.name).first()
        was = _said(before)
        kept = ProcessTemplate(self.name, msgspec.to_builtins(wanted), self.demand)
        kept.save()
        self.record(actor, "template", self.name, before=was, after=_said(kept), reason=self.reason)
        return kept


@dataclass
class RemoveTemplate(Action[None]):
    """Let nothing more be run by a template. Raises Conflict while a job that has not ended names it."""

    name: str
    reason: str = ""

    NAME = "template.remove"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> None:
        kept = ProcessTemplate.objects.select_for_update().filter(pk=self.name).first()
        if kept is None:
            raise Unknown("template", self.name)
        live = [state for state in Job.State.values if state not in Job.ENDED]
        if job := Job.objects.filter(state__in=live, template=self.name).first():
            raise Conflict("in-use", f"job {job.pk} is {job.state.replace('_', ' ')} and has not ended")
        was = _said(kept)
        kept.delete()
        self.record(actor, "template", self.name, before=was, reason=self.reason)


def template_called(name: str) -> tuple[Template, dict[str, float]]:
    """(the template, what a run needs). Raises Unknown."""
    kept = ProcessTemplate.objects.filter(pk=name).first()
    if kept is None:
        raise Unknown("template", name)
    return read(kept.document), dict(kept.demand)


def _said(kept: ProcessTemplate | None) -> dict[str, Any] | None:
    return kept and {"template": kept.document, "demand": kept.demand}
