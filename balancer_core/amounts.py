"""Amounts as people write and read them: "2Gi", "500m", "100MB/s", "10Gbit/s".

Decimal suffixes (k M G T P) are powers of 1000, binary ones (Ki Mi Gi Ti Pi) powers of 1024,
"m" is a thousandth and only means something for units that are not bytes.
Bits become bytes, because networks are sold in bits and everything here is counted in bytes.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from balancer_core.errors import InvalidInput

#: No amount may reach 2**60 (an exbibyte): sums of such amounts over any cluster stay finite and exact
#: enough.
AMOUNT_LIMIT = 2.0**60

_DECIMAL = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_SCALE = {"m": 1e-3, **_DECIMAL, **_BINARY}
_WRITTEN = re.compile(
    r"(?P<sign>-?)(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?|\.\d+)\s*"
    r"(?P<prefix>[KMGTP]i|[kKMGTPm])?(?P<unit>B|bit|b|cores?)?(?P<per>/s|ps)?"
)


class InvalidAmount(InvalidInput):
    """An amount, or the name of the resource it belongs to, that means nothing here."""


def parse_amount(written: str | float, unit: str = "", field: str = "amount") -> float:
    """The number behind an amount in writing, in base units (cores, bytes, bytes/s).

    unit: of the resource, where known; then a suffix that contradicts it is refused.
    Errors: InvalidAmount with code not_a_number, not_finite, negative, too_large or wrong_unit.
    """
    if isinstance(written, str):
        return check_amount(_read(written.strip(), unit, field), field)
    return check_amount(written, field)


def check_amount(amount: object, field: str = "amount") -> float:
    """The amount as a float, when it is a finite number from 0 up to AMOUNT_LIMIT; else InvalidAmount."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise InvalidAmount(field, "not_a_number", f"{str(amount)[:80]!r} is not a number.")
    if isinstance(amount, float) and not math.isfinite(amount):
        raise InvalidAmount(field, "not_finite", f"{amount!r} is not a finite number.")
    if amount < 0:
        raise InvalidAmount(field, "negative", "it is below zero.")
    if amount >= AMOUNT_LIMIT:
        raise InvalidAmount(field, "too_large", "it is more than any host has.")
    return float(amount)


def _read(text: str, unit: str, field: str) -> float:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise InvalidAmount(
            field, "not_a_number", f'"{shown}" is not an amount such as "1.5", "500m" or "2Gi".'
        )
    prefix, suffix = match["prefix"] or "", match["unit"] or ""
    wrong = _contradiction(prefix, suffix, match["per"] is not None, unit)
    if wrong:
        raise InvalidAmount(field, "wrong_unit", wrong)
    amount = float(match["number"]) * _SCALE[prefix]
    if suffix in ("bit", "b"):
        amount /= 8
    return -amount if match["sign"] and amount else amount


def _contradiction(prefix: str, suffix: str, per_second: bool, unit: str) -> str:
    """Why a suffix cannot belong to the resource's unit, or "" when it can."""
    is_bytes = suffix in ("B", "bit", "b")
    if prefix == "m" and (is_bytes or unit.startswith("bytes")):
        return '"m" is a thousandth; write "M" for millions of bytes.'
    if not unit:
        return ""
    if is_bytes and not unit.startswith("bytes"):
        return f"bytes were given, {unit} are counted."
    if suffix.startswith("core") and unit != "cores":
        return f"cores were given, {unit} are counted."
    if per_second and not unit.endswith("/s"):
        return f"an amount per second was given, {unit} are counted."
    return ""


@lru_cache(maxsize=4096)
def format_amount(amount: float, unit: str) -> str:
    """An amount as people read it: 1.5 cores, 2 GiB, 100 MB/s, 3 gpu.

    Remembered, because a refusal says the same few amounts of hundreds of hosts.
    """
    if unit == "bytes":
        return _scaled(amount, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
    if unit == "bytes/s":
        return _scaled(amount, 1000.0, ("B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"))
    shown = _short(amount)
    return f"{shown} core" if unit == "cores" and shown == "1" else f"{shown} {unit}"


def _scaled(amount: float, base: float, units: tuple[str, ...]) -> str:
    step = 0
    while abs(amount) >= base and step < len(units) - 1:
        amount /= base
        step += 1
    return f"{_short(amount)} {units[step]}"


def _short(number: float) -> str:
    """At most three figures that matter, no trailing zeros, never an exponent people must decode."""
    if number == 0:
        return "0"
    if abs(number) >= 100:
        return f"{number:,.0f}"
    places = max(0, 2 - math.floor(math.log10(abs(number))))
    shown = f"{number:.{min(places, 12)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
