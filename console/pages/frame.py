"""What stands around every page: the navigation, who is asking, and the rules that all pages keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from console.accounts.models import Role
from console.accounts.preferences import preferences_of
from console.actions import Action, Conflict, Invalid, NotAllowed, Unknown
from console.api.views import actor_of

Page = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Place:
    """One entry of the navigation. key: what is typed after "g" to go there; words: what else it is found by."""

    name: str
    label: str
    path: str
    key: str
    words: str = ""


#: One line a screen: this is the navigation, the keys behind "g" and the search's pages.
PLACES = (
    Place("map", "Map", "/", "m"),
    Place("hosts", "Hosts", "/hosts/", "h"),
    Place("chain", "Chain", "/chain/", "b", "names dns balancers pools caches databases topology flows"),
    Place("services", "Traffic", "/services/", "t", "services pools balancers"),
    Place("endpoints", "Endpoints", "/endpoints/", "o", "servers backends drain maintenance ready"),
    Place("certificates", "Certificates", "/certificates/", "c", "tls keys api"),
    Place("engines", "Engines", "/engines/", "x", "envoy nodes rollout"),
    Place("jobs", "Jobs", "/jobs/", "j"),
    Place("shards", "Shards", "/shards/", "s", "storage pools capacity rebalance"),
    Place("placements", "Placements", "/placements/", "l", "loads reserved held release"),
    Place("decisions", "Decisions", "/decisions/", "d"),
    Place("plans", "Plan", "/plans/", "p"),
    Place("events", "Events", "/events/", "e"),
    Place("alerts", "Alerts", "/alerts/", "a", "rules silences channels"),
    Place("api", "API", "/api/", "i", "rest openapi schema curl explorer"),
    Place("settings", "Settings", "/settings/", "u", "people roles tokens users passwords policies"),
    Place("add-host", "Add host", "/hosts/add/", "n", "new agent join token"),
)


def places_of(user: Any) -> Sequence[Place]:
    """The places with the keys that this user chose. Who wants another place's key gets it, and that place theirs: so
    every key leads to one place, whatever was chosen."""
    chosen = preferences_of(user).get("places")
    keys = {place.name: place.key for place in PLACES}
    for name, key in chosen.items():
        if name in keys:
            before = keys[name]
            keys |= {other: before for other, taken in keys.items() if taken == key}
            keys[name] = key
    return [replace(place, key=keys[place.name]) for place in PLACES] if chosen else PLACES


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the navigation and where in it this page is."""
    within = [place for place in PLACES if request.path.startswith(place.path)]
    nearest = max(within, key=lambda place: len(place.path), default=None)
    # Everything starts with "/": only the map itself is the map.
    if nearest is not None and nearest.path == "/" and request.path != "/":
        nearest = None
    kept = preferences_of(getattr(request, "user", None))
    return {
        "places": places_of(getattr(request, "user", None)),
        "here": nearest.name if nearest else "",
        "look": {key: kept.get(key) for key in ("theme", "density", "keys")},
    }


def page(role: Role = Role.VIEWER, *methods: str) -> Callable[[Page], Page]:
    """A page for this role and these methods (GET and HEAD always).

    Who lacks the role gets 403 with the reason; what is not there gets 404 with its name.
    The role stands on the view as .role, so that a test can see that no page was left without one.
    """

    def wrap(view: Page) -> Page:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            require_role(request, role)
            try:
                return view(request, *args, **kwargs)
            except Unknown as error:
                raise Http404(f"No {error.kind} is called {error.name}.") from None
            except NotAllowed as error:
                raise PermissionDenied(str(error)) from None

        allowed: Any = require_http_methods(["GET", "HEAD", *methods])(checked)
        allowed.role = role
        return allowed  # type: ignore[no-any-return]

    return wrap


def require_role(request: HttpRequest, role: Role) -> None:
    """Raises PermissionDenied saying which role is asked for and which one the user has."""
    user: Any = request.user
    if not user.is_authenticated or not user.has_role(role):
        has = getattr(user, "role", "nobody")
        raise PermissionDenied(
            f"This asks for the role {role}; {user.get_username() or 'you'} has the role {has}."
        )


def act(request: HttpRequest, action: Action[Any], done: str) -> bool:
    """Run an action for a page, and leave its outcome as a message for the next one.

    True where it was done. NotAllowed and Unknown are the page's to answer (403, 404).
    """
    try:
        action.run(actor_of(request))
    except (Conflict, Invalid) as error:
        messages.error(request, f"Not done: {error.reason}")
        return False
    messages.success(request, done)
    return True


@dataclass(frozen=True)
class Offer:
    """A button: what it does, and where it is disabled the reason why."""

    verb: str
    label: str
    explains: str
    why_not: str = ""


def offer(request: HttpRequest, action: type[Action[Any]], verb: str, label: str, why_not: str = "") -> Offer:
    """The button of an action for this user; the role's reason goes before the state's."""
    if not actor_of(request).may(action.ROLE):
        user: Any = request.user
        why_not = f"Asks for the role {action.ROLE}; you have the role {user.role}."
    return Offer(verb, label, " ".join((action.__doc__ or "").split()), why_not)
