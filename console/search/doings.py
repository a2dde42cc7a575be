"""What can be done, as the search offers it: each leads to the page where it is asked for, and where somebody can't do
it the reason stands beside it. Nothing is done from here, and everything here is possible without it.

An app adds what it can do with one line in DOINGS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from balancer_core.lifecycle import HOST, JOB, is_final
from console.accounts.models import Role, User
from console.actions import Action
from console.fleet.actions.lifecycle import Cordon, Drain, Remove, Uncordon
from console.fleet.actions.tokens import IssueHostToken
from console.fleet.models import Host
from console.jobs.actions.ending import RETRIED, Cancel, LetGo, Retry
from console.jobs.models import Job
from console.nodes.actions.publish import PublishByForce
from console.placements.actions.release import Release
from console.policies.actions.defaults import SetDefaultPolicy
from console.search.kinds import KINDS
from console.traffic.actions.certificates import PutCertificate
from console.traffic.actions.endpoints import CloseEndpoint, DrainEndpoint, ResumeEndpoint
from console.traffic.actions.services import AddEndpoint, CreateService, RemoveEndpoint

States = dict[str, str]


def _host_states(names: list[str]) -> States:
    return dict(Host.objects.filter(name__in=names).values_list("name", "state"))


def _job_states(keys: list[str]) -> States:
    return {str(pk): state for pk, state in Job.objects.filter(pk__in=keys).values_list("pk", "state")}


#: The states of things, where a doing depends on them.
STATES: dict[str, Callable[[list[str]], States]] = {"host": _host_states, "job": _job_states}


def _if_host_may(event: str) -> Callable[[str], str]:
    return lambda state: "" if event in HOST[state] else f"The host is {state}."


def _if_job_runs(state: str) -> str:
    return f"The job has {state}." if is_final(JOB, state) else ""


def _if_job_is_aside(state: str) -> str:
    return "" if state == Job.State.SET_ASIDE else f"The job is {state}."


def _always(_: str) -> str:
    return ""


@dataclass(frozen=True)
class Doing:
    """verb: what is typed. of: the kind of thing it is done to, "" for none. at: where on the thing's page (or, of
    none, the page's name). why_not: from the thing's state to the reason why it can't be done, "" where it can."""

    action: type[Action[Any]]
    verb: str
    of: str = ""
    at: str = ""
    why_not: Callable[[str], str] = _always

    def path(self, key: str) -> str:
        return f"{KINDS[self.of].path(key)}{self.at}" if self.of else reverse(self.at)

    def refusal(self, user: User, state: str | None) -> str:
        """Why this user can't do it to a thing of this state; "" where they can. The role goes before the state."""
        if not user.has_role(self.action.ROLE):
            return f"Asks for the role {Role(self.action.ROLE).value}; you have the role {user.role}."
        return self.why_not(state) if state is not None else ""


DOINGS = (
    Doing(Drain, "drain", "host", "#confirm-drain", _if_host_may("drain")),
    Doing(Cordon, "cordon", "host", "#actions", _if_host_may("cordon")),
    Doing(Uncordon, "uncordon", "host", "#actions", _if_host_may("uncordon")),
    Doing(Remove, "remove", "host", "#actions"),
    Doing(AddEndpoint, "add endpoint to", "service"),
    Doing(DrainEndpoint, "drain", "endpoint"),
    Doing(CloseEndpoint, "close", "endpoint"),
    Doing(ResumeEndpoint, "resume", "endpoint"),
    Doing(RemoveEndpoint, "remove", "endpoint"),
    Doing(Cancel, "cancel", "job", why_not=_if_job_runs),
    Doing(Retry, "retry", "job", why_not=lambda state: "" if state in RETRIED else f"The job is {state}."),
    Doing(LetGo, "let go on", "job", why_not=_if_job_is_aside),
    Doing(Release, "release", "placement"),
    Doing(IssueHostToken, "add host", at="add-host"),
    Doing(CreateService, "new service", at="new-service"),
    Doing(PutCertificate, "new certificate", at="new-certificate"),
    Doing(SetDefaultPolicy, "change default policy", at="policies"),
    Doing(PublishByForce, "publish what is held back", at="engines"),
)
