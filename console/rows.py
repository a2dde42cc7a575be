"""Writing rows with statements that were composed once, for what every placement and every job's step waits for.

Composing one took most of the time of `save(force_insert=True)`, of which a placement makes three; `bulk_update`
composes one of a branch for each row and field.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence, Sized
from datetime import datetime
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models

#: Fields with, for each, the type whose values every database takes as they are.
_Columns = tuple[tuple["models.Field[Any, Any]", type | None], ...]

_PLAIN: tuple[tuple[type[models.Field[Any, Any]], type], ...] = (
    (models.CharField, str), (models.TextField, str), (models.IntegerField, int), (models.FloatField, float),
)  # fmt: skip


def insert(row: models.Model) -> None:
    """Write a new row: what save(force_insert=True) does, without signals, and without reading back a key
    that the database makes. Raises IntegrityError."""
    insert_all([row])


def insert_all(rows: Sequence[models.Model]) -> None:
    """insert() each, rows of one model."""
    if not rows:
        return
    statement, columns = _insertion(type(rows[0]))
    _execute(statement, [_values(row, columns, add=True) for row in rows])


def change(rows: Iterable[models.Model], *fields: str) -> None:
    """Write these fields of rows that are there, all of one model: save(update_fields=fields), without signals."""
    found = list(rows)
    if not found:
        return
    statement, columns = _changing(type(found[0]), fields)
    _execute(statement, [_values(row, columns, add=False) for row in found])


def _execute(statement: str, rows: list[list[Any]]) -> None:
    with connection.cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(statement, rows[0])
        else:
            cursor.executemany(statement, rows)


def _values(row: models.Model, columns: _Columns, *, add: bool) -> list[Any]:
    database, found = connections[DEFAULT_DB_ALIAS], []
    for column, plain in columns:
        value = column.pre_save(row, add=add)
        # Asking the field costs more than the rest of the insert.
        as_it_is = value is None or type(value) is plain
        found.append(value if as_it_is else column.get_db_prep_save(value, database))
    return found


@cache
def _insertion(model: type[models.Model]) -> tuple[str, _Columns]:
    """The statement, and the fields whose values it takes: all but a key that the database makes."""
    shape, quote = model._meta, connection.ops.quote_name
    columns = [each for each in shape.local_concrete_fields if not isinstance(each, models.AutoField)]
    names = ", ".join(quote(each.column) for each in columns)
    places = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {quote(shape.db_table)} ({names}) VALUES ({places})", _columns(columns)


@cache
def _changing(model: type[models.Model], fields: tuple[str, ...]) -> tuple[str, _Columns]:
    """The statement, and the fields whose values it takes, the key last."""
    shape, quote = model._meta, connection.ops.quote_name
    columns = [shape.get_field(name) for name in fields]
    values = ", ".join(f"{quote(each.column)} = %s" for each in columns)
    statement = f"UPDATE {quote(shape.db_table)} SET {values} WHERE {quote(shape.pk.column)} = %s"
    return statement, _columns([*columns, shape.pk])


def _columns(fields: Sequence[Any]) -> _Columns:
    return tuple((each, _plain(each)) for each in fields)


def _plain(field: Any) -> type | None:
    kept = field.target_field if field.is_relation else field
    return next((plain for kind, plain in _PLAIN if isinstance(kept, kind)), None)


def read(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What a statement answers, as the database's own tuples."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()  # type: ignore[no-any-return]


def places(values: Sized) -> str:
    """A statement's places for so many values."""
    return ", ".join(["%s"] * len(values))


def key_in(key: uuid.UUID) -> uuid.UUID | str:
    """A key as a statement takes it."""
    return key if connection.features.has_native_uuid_field else key.hex


def key_out(kept: uuid.UUID | str) -> uuid.UUID:
    """A key of what a statement answers."""
    return kept if isinstance(kept, uuid.UUID) else uuid.UUID(kept)


def moment_in(at: datetime) -> Any:
    """A moment as a statement takes it."""
    return connection.ops.adapt_datetimefield_value(at)
