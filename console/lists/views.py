"""Exports of lists, and what people keep of a list: named views of it, and its columns."""

from __future__ import annotations

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.urls import NoReverseMatch, reverse

from console.accounts.actions.preferences import ForgetPreference, ForgetView, SaveView, SetPreference
from console.accounts.models import Role
from console.lists.export import TYPES, exported
from console.lists.listing import Listing
from console.lists.registry import LISTINGS
from console.pages.frame import act, page


@page()
def export(request: HttpRequest, listing: str, form: str) -> StreamingHttpResponse:
    """The whole list that the page's URL asks for, as CSV or JSON."""
    if listing not in LISTINGS or form not in TYPES:
        raise Http404(f"There is no list {listing} as {form}.")
    return exported(request, form, listing, LISTINGS[listing].records(request.GET.dict()))


@page(Role.VIEWER, "POST")
def list_views(request: HttpRequest, listing: str) -> HttpResponse:
    """POST name= and query=: keep the view; or forget=NAME. Back to the view that is shown."""
    found, query = _posted(request, listing), request.POST.get("query", "")
    if forget := request.POST.get("forget"):
        act(request, ForgetView(found.name, forget), f"The view {forget} is forgotten.")
    else:
        name = request.POST.get("name", "").strip()
        act(request, SaveView(found.name, name, query), f"This view is kept as {name}.")
    return _back(found, query)


@page(Role.VIEWER, "POST")
def list_columns(request: HttpRequest, listing: str) -> HttpResponse:
    """POST column=KEY for each that shall be shown, in order; earlier=KEY moves one to the left; usual=1 forgets."""
    found, key = _posted(request, listing), f"columns.{listing}"
    known = [column.key for column in found.columns]
    if not known:
        raise Http404(f"The columns of {listing} are not chosen.")
    if request.POST.get("rows") in ("live", "pages") and found.name == "hosts":
        act(request, SetPreference("hosts", request.POST["rows"]), "")
    if request.POST.get("usual"):
        act(request, ForgetPreference(key), "The usual columns are shown.")
    else:
        chosen = [each for each in dict.fromkeys(request.POST.getlist("column")) if each in known]
        earlier = request.POST.get("earlier")
        if earlier in chosen[1:]:
            place = chosen.index(earlier)
            chosen[place - 1 : place + 1] = [earlier, chosen[place - 1]]
        act(request, SetPreference(key, [known[0], *chosen]), "The columns are kept.")
    return _back(found, request.POST.get("query", ""))


def _posted(request: HttpRequest, listing: str) -> Listing:
    if request.method != "POST" or listing not in LISTINGS:
        raise Http404(f"There is no list {listing} of which something could be kept like this.")
    return LISTINGS[listing]


def _back(listing: Listing, query: str) -> HttpResponse:
    """To the list, whose path is ours; the query is data."""
    try:
        path = reverse(listing.name)
    except NoReverseMatch:
        raise Http404(f"The list {listing.name} has no page.") from None
    said = QueryDict(query).urlencode()
    return HttpResponseRedirect(f"{path}?{said}" if said else path)
