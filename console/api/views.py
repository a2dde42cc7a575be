"""What all API views share: the actor of a request, running an action, one object by its name."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView

from console.actions import Action, Actor, Invalid, Unknown

LONGEST_KEY = 128


def actor_of(request: Any) -> Actor:
    """Who makes this request, for authorisation and the audit trail. Works for DRF's and Django's requests."""
    return Actor(
        kind="user",
        name=request.user.get_username(),
        user=request.user,
        address=request.META.get("REMOTE_ADDR", ""),
    )


def idempotency_key(request: Request) -> str | None:
    """The caller's own name for this request, None if it gave none."""
    key = request.headers.get("Idempotency-Key") or None
    if key is not None and not (len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Invalid("Idempotency-Key", "invalid", f"at most {LONGEST_KEY} printable ASCII characters")
    return key


def find(queryset: QuerySet, kind: str, **lookup: Any) -> Any:
    """The one object, or Unknown (404)."""
    try:
        return queryset.get(**lookup)
    except queryset.model.DoesNotExist:
        raise Unknown(kind, next(iter(lookup.values()))) from None


class ActionView(APIView):
    """An API view whose writes are actions."""

    def act(self, request: Request, action: Action[Any]) -> Any:
        return action.run(actor_of(request))


