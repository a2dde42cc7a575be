"""Database work from asyncio code, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """So many threads for blocking work, each with a database connection of its own: one of SQLite stays open, since
    opening it and reading its schema costs more than most work; others as settings.DATABASES keeps them."""

    def __init__(self, count: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In the caller's context. Who is cancelled meanwhile does not stop the work."""

        def go() -> R:
            _close_old()
            try:
                return work(*args, **kwargs)
            finally:
                _close_old()

        return await sync_to_async(go, thread_sensitive=False, executor=self._pool)()


# SQLite has one writer, and PostgreSQL's connections are dear: few threads.
in_thread = Threads(4, "database").run


def _close_old() -> None:
    # What failed is never used again.
    if connection.vendor != "sqlite" or connection.errors_occurred:
        close_old_connections()


def hold_open() -> Callable[[], None]:
    """Keep a SQLite database open until the returned function is called; nothing is done for others.

    Whichever connection closes last copies the whole log into the database and deletes it, with several syncs to disk:
    in a process that opens one now and then, without this one that happened at most of them.
    """
    if connection.vendor != "sqlite":
        return lambda: None
    held = connection.get_new_connection(connection.get_connection_params())
    return lambda: held.close()
