"""What the pool's numbers and words are held to; InvalidTarget names the field within its own part."""

from __future__ import annotations

import math
import re

from console.engines.target.checks import InvalidTarget

#: A header's or a cookie's name: a token of RFC 9110, 5.6.2, in the case that HTTP/2 has on the wire.
TOKEN_PATTERN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
#: The visible part of ASCII, without what would end a line or a path.
PATH_PATTERN = re.compile(r"/[!-\"$-~]{0,2047}")
#: A name in the DNS, or an address; also what stands in a Host header, with a port.
HOST_PATTERN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:\[\]-]{0,252})?")
HEX_PATTERN = re.compile(r"([0-9a-f]{2}){0,512}")
DAY_S = 86_400.0


def check_number(field: str, value: float, least: float, most: float) -> None:
    # bool is an int to Python; a timeout of True is a caller's mistake.
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not least <= value <= most:
        raise InvalidTarget(field, f"{value!r} is not a number from {least:g} to {most:g}")


def check_number_or_off(field: str, value: float, least: float, most: float) -> None:
    """0 means off; anything else is from least to most."""
    if value != 0 or isinstance(value, bool):
        try:
            check_number(field, value, least, most)
        except InvalidTarget as error:
            raise InvalidTarget(field, f"{error.reason}, nor 0 (off)") from None


def check_bool(field: str, value: bool) -> None:
    if type(value) is not bool:
        raise InvalidTarget(field, f"{value!r} is neither true nor false")


def check_text(field: str, value: str, pattern: re.Pattern[str], what: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidTarget(field, f"{value!r} is not {what}"[:300])
