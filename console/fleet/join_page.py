"""Add host: a one-time token, the command to paste, and a line that waits for the host."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from console.accounts.models import Role
from console.actions import Invalid
from console.api.views import actor_of, find
from console.demo.actions.fleet import StartDemoFleet, why_not_start
from console.demo.models import SimulatedHost
from console.fleet.actions.tokens import DEFAULT_LIFE_S, IssueHostToken
from console.fleet.agent_files.ways import ways
from console.fleet.models import Host, HostToken
from console.pages.frame import offer, page


class TokenForm(forms.Form):
    host_name = forms.CharField(
        label="Name",
        max_length=63,
        required=False,
        help_text="Only a host of this name may use the token. Empty: the host's own name.",
        widget=forms.TextInput({"placeholder": "web-1", "autocomplete": "off", "spellcheck": "false"}),
    )
    labels = forms.CharField(
        label="Labels",
        max_length=200,
        required=False,
        help_text="Such as zone=a rack=a1, with spaces between. They go into the command.",
        widget=forms.TextInput(
            {"placeholder": "zone=a rack=a1", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def clean_labels(self) -> list[str]:
        labels = self.cleaned_data["labels"].split()
        for label in labels:
            key, equals, value = label.partition("=")
            # The command is pasted into a shell: only what no shell reads as anything else.
            if not equals or not all(
                part and part.replace("-", "").replace("_", "").replace(".", "").isalnum() and part.isascii()
                for part in (key, value)
            ):
                raise forms.ValidationError("KEY=VALUE in letters, digits, '-', '_' and '.'")
        return labels


@page(Role.OPERATOR, "POST")
@never_cache
def add_host(request: HttpRequest) -> HttpResponse:
    """GET asks, POST makes the token. It is on this answer and nowhere else."""
    form = TokenForm(request.POST or None)
    context = {
        "form": form,
        "life_min": DEFAULT_LIFE_S // 60,
        "demo": SimulatedHost.objects.count(),
        "demo_offer": offer(request, StartDemoFleet, "demo", "Start a demo fleet", why_not_start()),
    }
    if request.method == "POST" and form.is_valid():
        name, labels = form.cleaned_data["host_name"], form.cleaned_data["labels"]
        try:
            token = IssueHostToken(host_name=name).run(actor_of(request))
        except Invalid as error:
            form.add_error(error.field, error.reason)
        else:
            options = [f"--name {name}"] if name else []
            options += [f"--label {label}" for label in labels]
            told = settings.STEELYARD_URL
            url = told if told.startswith("https:") else request.build_absolute_uri("/").rstrip("/")
            context |= {"ways": ways(url, token, options), "token_id": token.partition(".")[0]}
    return render(request, "fleet/add_host.html", context)


@page(Role.OPERATOR)
@never_cache
def joined(request: HttpRequest, token_id: str) -> JsonResponse:
    """Which host joined with a token: {"host": name or null}. For the waiting line."""
    token: HostToken = find(HostToken.objects.all(), "token", public_id=token_id)
    host = (
        Host.objects.filter(credential_digest=token.used_by_digest).first() if token.used_by_digest else None
    )
    return JsonResponse({"host": host.name if host else None})
