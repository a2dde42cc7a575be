"""How pages look to somebody, as a form: the frame's, which also works without scripts."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from console.accounts.actions.preferences import SetPreference
from console.accounts.models import Role
from console.pages.frame import PLACES, act, page


@page(Role.VIEWER, "POST")
def look(request: HttpRequest) -> HttpResponse:
    """POST theme=, density= and keys=on, or the places' keys as go.NAME=: keep them, and back to the page that asked.

    A place whose key is not said has its own again.
    """
    if request.method != "POST":
        raise Http404("The look of the pages is changed by POST.")
    asked = {place.name: request.POST.get(f"go.{place.name}", place.key) for place in PLACES}
    if any(key.startswith("go.") for key in request.POST):
        others = {place.name: asked[place.name] for place in PLACES if asked[place.name] != place.key}
        act(request, SetPreference("places", others), "The keys are kept.")
    else:
        for key in ("theme", "density"):
            if key in request.POST:
                act(request, SetPreference(key, request.POST[key]), "")
        act(
            request, SetPreference("keys", request.POST.get("keys") == "on"), "The look of the pages is kept."
        )
    back = request.POST.get("next", "")
    fits = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if fits else "map")
