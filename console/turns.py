"""One writer at a time in each process, where the database has one writer.

SQLite's own way of waiting for the write lock is to sleep and ask again, each time longer: threads of one
process starved each other for hundreds of milliseconds. They wait in line here and find the lock free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connection, transaction

_line = threading.RLock()


@contextmanager
def writing() -> Iterator[None]:
    """A transaction that will write; inside another one, a savepoint of it. The turn ends with the commit,
    before what follows it (on_commit) runs."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with ExitStack() as turn:
        turn.enter_context(_line)
        with transaction.atomic():
            transaction.on_commit(turn.close)
            yield
