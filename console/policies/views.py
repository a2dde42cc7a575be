"""Settings, Policies: by which policy loads are placed that name none, changing it, and going back."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from balancer_core.load import KINDS
from balancer_core.policies import POLICIES
from console.accounts.models import Role
from console.actions import Conflict, Invalid
from console.api.views import actor_of
from console.live.picture import picture
from console.pages.frame import act, offer, page, require_role
from console.pages.lists import rows_of, text_of
from console.policies.actions.defaults import RestoreDefaultPolicy, SetDefaultPolicy
from console.policies.api import built_in, newest
from console.policies.catalogue import described, installed
from console.policies.models import PolicyVersion
from console.policies.option_fields import OptionsForm

#: Characters of a reason that are read of a form.
LONGEST_SAID = 1000


@page()
def policies(request: HttpRequest) -> HttpResponse:
    """What holds now for each kind, and what there is to choose from."""
    context = {
        "held": [newest(kind) for kind in KINDS],
        "installed": installed(),
        "offer": offer(request, SetDefaultPolicy, "set", "Change"),
    }
    return render(request, "policies/policies.html", context)


@page(Role.VIEWER, "POST")
def policy(request: HttpRequest, kind: str) -> HttpResponse:
    """One kind: GET shows the form of the policy that the URL names, POST makes a version (policy administrators)."""
    held = newest(kind)
    if request.method == "POST":
        require_role(request, Role.POLICY_ADMIN)
    named = request.POST.get("policy", "") or text_of(request, "policy") or held.policy
    # A policy that is not installed any more has no form: the choice of another one is what is shown.
    name = named if named in POLICIES else next(iter(POLICIES))
    may = offer(request, SetDefaultPolicy, "set", f"Place {kind}s like this")
    form = OptionsForm(
        request.POST if request.method == "POST" else None,
        POLICIES[name].SCHEMA,
        held.options if name == held.policy else {},
        picture.cluster.dimensions.names,
        disabled=bool(may.why_not),
    )
    if request.method == "POST" and form.is_valid() and _set(request, kind, name, form):
        return redirect("policy", kind=kind)
    rows = rows_of(request, PolicyVersion.objects.filter(kind=kind).order_by("-number"))
    context = {
        "kind": kind,
        "held": held,
        "is_installed": held.policy in POLICIES,
        "named": described(name),
        "names": list(POLICIES),
        "form": form,
        "groups": form.groups(),
        "reason": request.POST.get("reason", "")[:LONGEST_SAID],
        "rows": rows,
        "versions": _with_before(rows.items) if rows.items else [],
        "offer": may,
    }
    return render(request, "policies/policy.html", context)


@page(Role.POLICY_ADMIN, "POST")
def restore(request: HttpRequest, kind: str) -> HttpResponse:
    """POST version, reason: as it was then."""
    number = request.POST.get("version", "")
    if request.method == "POST" and number.isdecimal() and len(number) < 10:
        action = RestoreDefaultPolicy(kind, int(number), _reason(request), _based_on(request))
        act(request, action, f"{kind}s are placed as they were in version {number}.".capitalize())
    return redirect("policy", kind=kind)


def _set(request: HttpRequest, kind: str, name: str, form: OptionsForm) -> bool:
    action = SetDefaultPolicy(kind, name, form.options(), _reason(request), _based_on(request))
    try:
        made = action.run(actor_of(request))
    except Invalid as error:
        at = error.field.removeprefix("options.")
        form.add_error(at if at in form.fields else None, error.reason)
        return False
    except Conflict as error:
        form.add_error(None, error.reason)
        return False
    messages.success(
        request, f"Version {made.number} holds: {kind}s that name no policy go by {made.policy}."
    )
    return True


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "")[:LONGEST_SAID].strip()


def _based_on(request: HttpRequest) -> int | None:
    text = request.POST.get("based_on", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _with_before(rows: Sequence[PolicyVersion]) -> list[tuple[PolicyVersion, PolicyVersion | None]]:
    """Each version with the one before it; None where that is on the next page of the list."""
    before: list[PolicyVersion | None] = [
        *rows[1:],
        built_in(rows[-1].kind) if rows[-1].number == 1 else None,
    ]
    return list(zip(rows, before, strict=True))
