"""Writing a row with a statement that was composed once, for the inserts that every placement waits for.

Composing one took most of the time of `save(force_insert=True)`; a placement makes three.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection, models


def insert(row: models.Model) -> None:
    """Write a new row: what save(force_insert=True) does, without signals, and without reading back a key
    that the database makes. Raises IntegrityError."""
    statement, columns = _statement(type(row))
    values = [column.get_db_prep_save(column.pre_save(row, add=True), connection) for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@cache
def _statement(model: type[models.Model]) -> tuple[str, tuple[models.Field[Any, Any], ...]]:
    """The statement, and the fields whose values it takes: all but a key that the database makes."""
    shape, quote = model._meta, connection.ops.quote_name  # noqa: SLF001  (Django's documented way to a model's fields)
    columns = tuple(each for each in shape.local_concrete_fields if not isinstance(each, models.AutoField))
    names = ", ".join(quote(each.column) for each in columns)
    places = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {quote(shape.db_table)} ({names}) VALUES ({places})", columns  # noqa: S608
