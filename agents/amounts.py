"""What people write on the command line: `NAME=AMOUNT` and `KEY=VALUE`, checked; errors name the culprit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

#: Decimal and binary multiples, as Kubernetes writes them; "m" is a thousandth (500m of a core).
_MULTIPLES = {
    "": 1.0, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)([A-Za-z]{0,2})")
_RESOURCE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LABEL_KEY = re.compile(r"[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class WrongInput(ValueError):
    """What was given cannot be used; the message is one line for the person who gave it."""


def parse_amount(text: str) -> float:
    """`2Gi`, `500m`, `1.5` or `1e9` as a number in the resource's base unit."""
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in _MULTIPLES:
        raise WrongInput(f"{text!r} is not an amount; write a number, or one with a unit such as 2Gi or 500m")
    amount = float(match[1]) * _MULTIPLES[match[2]]
    if not math.isfinite(amount):
        raise WrongInput(f"{text!r} is larger than any amount")
    return amount


def parse_capacity(pairs: Iterable[str]) -> dict[str, float]:
    """`cpu=2`, `gpu=1`, ... as resource name to amount."""
    capacity = {}
    for name, text in _split(pairs, "--capacity"):
        if not _RESOURCE.fullmatch(name):
            raise WrongInput(
                f"--capacity {name!r}: a resource's name is a-z, 0-9 and _, at most 32 characters"
            )
        capacity[name] = parse_amount(text)
    return capacity


def parse_labels(pairs: Iterable[str]) -> dict[str, str]:
    """`zone=a`, `rack=r1`, ... as label key to value."""
    labels = {}
    for key, value in _split(pairs, "--label"):
        if not _LABEL_KEY.fullmatch(key):
            raise WrongInput(
                f"--label {key!r}: a key is a-z, 0-9, '.', '_', '/' and '-', at most 63 characters"
            )
        if not _LABEL_VALUE.fullmatch(value):
            raise WrongInput(
                f"--label {key}={value!r}: a value is letters, digits, '.', '_' and '-', at most 63"
            )
        labels[key] = value
    return labels


def _split(pairs: Iterable[str], option: str) -> Iterable[tuple[str, str]]:
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise WrongInput(f"{option} {pair!r}: write it as NAME=VALUE")
        yield name, value
