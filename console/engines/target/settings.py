"""How a service treats its traffic, beside where it listens and who stands behind it.

One document a service, kept with it and shown as it is: front (connections that come in), http (requests) and pool
(endpoints). Everything left out has the value that suits most services; an empty document is a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from console.engines.target.checks import InvalidTarget, check_name, check_unique
from console.engines.target.front import Front
from console.engines.target.http import Http
from console.engines.target.pool import Pool


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service's settings. Raises InvalidTarget, with the path of the field, where a value is wrong.

    engines: names of the nodes that serve it, empty for all. log_share: of its requests, 0..1, kept one by one for
    its page (HTTP only).
    """

    front: Front = Front()
    http: Http = Http()
    pool: Pool = Pool()
    engines: tuple[str, ...] = ()
    log_share: float = 0.0

    def __post_init__(self) -> None:
        for name in self.engines:
            check_name("engines", name)
        check_unique("engines", self.engines)
        if not 0.0 <= self.log_share <= 1.0:
            raise InvalidTarget("log_share", f"{self.log_share!r} is not a share from 0 to 1")


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
        reason = text[: found.start()] if found else text
        if isinstance(error.__cause__, InvalidTarget):
            # One of our own checks: it knows which field of the struct at path.
            path, reason = f"{path}.{error.__cause__.field}".lstrip("."), error.__cause__.reason
        raise InvalidTarget(path or "settings", reason) from None


def document_of(settings: Settings) -> dict[str, Any]:
    """The smallest document that settings_of() makes these settings of."""
    built: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return {part: said for part, said in built.items() if said}
