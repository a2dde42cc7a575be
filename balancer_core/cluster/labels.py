"""Labels of hosts: what they may look like, and each key as a column of small integers.

A rule that asks "zone = a?" of every host compares one int32 column instead of visiting one dict per host.
Columns are made when first asked for and shared by all snapshots until a label or a host changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.errors import InvalidInput

MAX_LABELS: Final = 64
_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9._:-]{0,63}")


class InvalidLabel(InvalidInput):
    """A label's key or value that is not a short plain word."""


def check_labels(labels: Mapping[str, str], field: str = "labels") -> dict[str, str]:
    """A checked copy.

    Errors: InvalidLabel with code not_a_mapping, too_many, invalid_key or invalid_value.
    """
    if not isinstance(labels, Mapping):
        raise InvalidLabel(field, "not_a_mapping", "labels are pairs of key and value.")
    if len(labels) > MAX_LABELS:
        raise InvalidLabel(field, "too_many", f"{len(labels)} labels; at most {MAX_LABELS} are taken.")
    for key, value in labels.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise InvalidLabel(
                field, "invalid_key", f"{str(key)[:80]!r} is not a key of letters, digits, . _ / -"
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            reason = f"{str(value)[:80]!r} is not a value of at most 63 letters, digits, . _ : -"
            raise InvalidLabel(f"{field}.{key}", "invalid_value", reason)
    return dict(labels)


class LabelColumns:
    """The labels of H hosts, by row and, on demand, by key. Not changed after it is made."""

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        self.rows: tuple[Mapping[str, str], ...] = tuple(rows)
        self._columns: dict[str, tuple[NDArray[np.int32], dict[str, int]]] = {}

    def column(self, key: str) -> tuple[NDArray[np.int32], Mapping[str, int]]:
        """int32[H] of value numbers, -1 where a host lacks the key, and the number of each value.

        O(H) once a key.
        """
        found = self._columns.get(key)
        if found is None:
            numbers: dict[str, int] = {}
            column = np.full(len(self.rows), -1, dtype=np.int32)
            for row, labels in enumerate(self.rows):
                value = labels.get(key)
                if value is not None:
                    column[row] = numbers.setdefault(value, len(numbers))
            column.flags.writeable = False
            found = self._columns[key] = (column, numbers)
        return found
