"""How a service treats its traffic, beside where it listens and who stands behind it.

One document a service, kept with it and shown as it is: front (connections that come in), http (requests) and pool
(endpoints). Everything left out has the value that suits most services; an empty document is a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from console.engines.target.checks import InvalidTarget
from console.engines.target.front import Front
from console.engines.target.http import Http
from console.engines.target.pool import Pool


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service's settings. Raises InvalidTarget, with the path of the field, where a value is wrong."""

    front: Front = Front()
    http: Http = Http()
    pool: Pool = Pool()


#: What a service has whose document is empty.
USUAL: Final = Settings()

#: How msgspec ends a message: where in the document the value stands.
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")


def settings_of(document: Mapping[str, Any]) -> Settings:
    """The settings that a document (JSON's types) describes. Raises InvalidTarget with the field's path."""
    try:
        return msgspec.convert(document, Settings)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PLACE.search(text)
        path = found["path"].removeprefix("$").lstrip(".") if found else ""
        cause = error.__cause__
        if isinstance(cause, InvalidTarget):
            # A part refused one of its own fields, and knows nothing of where it stands.
            raise InvalidTarget(f"{path}.{cause.field}".lstrip("."), cause.reason) from None
        raise InvalidTarget(path or "settings", text[: found.start()] if found else text) from None


def document_of(settings: Settings) -> dict[str, Any]:
    """The smallest document that settings_of() makes these settings of."""
    built: dict[str, Any] = msgspec.to_builtins(settings)
    return built
