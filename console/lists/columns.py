"""Columns of a list: what its table can show, and which of them somebody chose.

Kept under the preference columns.LIST; without one the usual ones are shown. The first column names the row and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """fields: of the export, which says the same. number: at the end of its cell; wide: not on a phone."""

    key: str
    title: str
    fields: tuple[str, ...] = ()
    number: bool = False
    wide: bool = False
    usual: bool = True
    hint: str = ""


def usual(columns: Sequence[Column]) -> list[Column]:
    """What is shown until somebody chooses."""
    return [column for column in columns if column.usual]


def shown(columns: Sequence[Column], kept: Sequence[str]) -> list[Column]:
    """The kept columns in their order, behind the first; the usual ones for none. What is no column is left out."""
    known = {column.key: column for column in columns}
    first, *others = [known[key] for key in dict.fromkeys((columns[0].key, *kept)) if key in known]
    return [first, *others] if kept else usual(columns)


def picked(columns: Sequence[Column], text: str) -> list[str]:
    """The fields of an export with these columns (KEY,KEY); none where the text names no column: then it has all."""
    known = {column.key: column for column in columns}
    wanted = [known[key] for key in dict.fromkeys(text.split(",")) if key in known]
    return list(dict.fromkeys(field for column in wanted for field in column.fields))
