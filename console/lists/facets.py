"""Facets: what a list can be narrowed by. Each is one parameter of the list's URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from console.pages.lists import LONGEST_TEXT, uuid_of

Narrow = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Facet:
    """narrow(found, value): what of the list has the value. choices: none for any text, else nothing but these."""

    key: str
    narrow: Narrow
    choices: Sequence[str] = ()

    def value(self, query: Mapping[str, str]) -> str:
        """What the URL asks for: bounded, without NUL; "" for nothing and for what is no choice."""
        text = query.get(self.key, "").replace("\x00", "").strip()[:LONGEST_TEXT]
        return text if not self.choices or text in self.choices else ""


def equal(key: str, field: str = "", choices: Sequence[str] = ()) -> Facet:
    """The field is the text."""
    return Facet(key, lambda found, text: found.filter(**{field or key: text}), choices)


def having(key: str, *fields: str) -> Facet:
    """The text stands in one of the fields, in whatever case."""

    def narrow(found: Any, text: str) -> Any:
        asked = Q()
        for field in fields:
            asked |= Q(**{f"{field}__icontains": text})
        return found.filter(asked)

    return Facet(key, narrow)


def identity(key: str) -> Facet:
    """The field is the UUID that the text is; nothing, where it is none."""

    def narrow(found: Any, text: str) -> Any:
        wanted = uuid_of(text)
        return found.filter(**{key: wanted}) if wanted else found.none()

    return Facet(key, narrow)
