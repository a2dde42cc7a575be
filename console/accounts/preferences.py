"""What each person keeps on the server: how pages look to them, and what they chose in lists.

A preference is a JSON document under a key. Every key is declared here with its type, which is its schema, and what
holds until somebody chooses: one line a key. A key that ends in ".*" declares a family, one document a list:

    Declared("columns.*", list[Column], [], "Columns of one list, in order.")
    preferences_of(request.user).get("columns.hosts")

Written by SetPreference (accounts.actions.preferences), over PUT /api/v1/preferences/KEY/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec

from console.accounts.models import Preference
from console.actions import Invalid, Unknown, is_storable

#: Of one person, and of one document as JSON: preferences are read with every page.
MOST_KEYS = 100
MOST_BYTES = 16_384
MOST_RECENTS = 12

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Key = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]$")]


class Recent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that was opened from the search: console.search's kind and key of it."""

    kind: Word
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list as somebody likes to see it. query: of its URL, without the question mark."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    query: Annotated[str, msgspec.Meta(max_length=2000)]


@dataclass(frozen=True)
class Declared:
    """One key, or with ".*" a family of them."""

    key: str
    type: Any
    default: Any
    meaning: str

    def covers(self, key: str) -> bool:
        if self.key.endswith(".*"):
            return key.startswith(self.key[:-1]) and len(key) >= len(self.key)
        return key == self.key

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its document."""
        return msgspec.json.schema(self.type)


DECLARED = (
    Declared("theme", Literal["system", "light", "dark"], "system", "Colours of the pages."),
    Declared("density", Literal["roomy", "compact"], "roomy", "Height of the rows of lists."),
    Declared("keys", bool, True, "Whether single keys act: g and a letter, /, ?, Shift."),
    Declared("places", dict[Word, Key], {}, "Keys behind g, by the name of the page that they lead to."),
    Declared(
        "hosts",
        Literal["live", "pages"],
        "live",
        "Hosts: all of them in one live table, or pages of fifty.",
    ),
    Declared(
        "recents",
        Annotated[list[Recent], msgspec.Meta(max_length=MOST_RECENTS)],
        [],
        "Opened from the search.",
    ),
    Declared(
        "columns.*", Annotated[list[Word], msgspec.Meta(max_length=60)], [], "Columns of a list, in order."
    ),
    Declared("views.*", Annotated[list[View], msgspec.Meta(max_length=60)], [], "Saved views of a list."),
)


def declared(key: str) -> Declared:
    """The declaration of a key. Raises Unknown."""
    found = next((each for each in DECLARED if each.covers(key)), None)
    if found is None or len(key) > Preference.LONGEST_KEY:
        raise Unknown("preference", key)
    return found


def checked(key: str, document: Any) -> Any:
    """The document as it is kept. Raises Unknown for the key, Invalid naming the place in the document."""
    try:
        found = msgspec.convert(document, declared(key).type)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        raise Invalid(f"document{place.rstrip('`')}", "invalid", reason) from None
    plain = msgspec.to_builtins(found)
    if not is_storable(plain):
        raise Invalid("document", "invalid", "NUL and half characters are not kept")
    if len(msgspec.json.encode(plain)) > MOST_BYTES:
        raise Invalid("document", "too-long", f"at most {MOST_BYTES} bytes of JSON")
    return plain


class Preferences:
    """One person's preferences, read from the database once, with one query, when first asked for."""

    def __init__(self, user: Any) -> None:
        self._user = user

    @cached_property
    def chosen(self) -> Mapping[str, Any]:
        """What was chosen, by key."""
        if getattr(self._user, "pk", None) is None:
            return {}
        return dict(Preference.objects.filter(user=self._user).values_list("key", "document"))

    def get(self, key: str) -> Any:
        """What was chosen, or the default; the default also where an older version kept what is not valid now.

        Raises Unknown for a key that nobody declared.
        """
        found = declared(key)
        if key in self.chosen:
            try:
                return msgspec.to_builtins(msgspec.convert(self.chosen[key], found.type))
            except msgspec.ValidationError:
                pass  # of another version: what was never chosen holds
        return found.default


def preferences_of(user: Any) -> Preferences:
    """Of this user, or the defaults for nobody; read once for each user object, which is once a request."""
    kept: Preferences | None = getattr(user, "read_preferences", None)
    if kept is None:
        kept = Preferences(user)
        if user is not None:
            user.read_preferences = kept
    return kept
