"""Database work from asyncio code, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection

P = ParamSpec("P")
R = TypeVar("R")

# SQLite has one writer, and PostgreSQL's connections are dear: few threads, each with its own connection.
_POOL = ThreadPoolExecutor(max_workers=4, thread_name_prefix="database")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking work in a pool thread, with a database connection of its own: one of SQLite stays open, since
    opening it costs more than most work; others as settings.DATABASES keeps them."""

    def run() -> R:
        _close_old()
        try:
            return work(*args, **kwargs)
        finally:
            _close_old()

    return await asyncio.get_running_loop().run_in_executor(_POOL, run)


def _close_old() -> None:
    # What failed is never used again.
    if connection.vendor != "sqlite" or connection.errors_occurred:
        close_old_connections()


def hold_open() -> Callable[[], None]:
    """Keep a SQLite database open until the returned function is called; nothing is done for others.

    Every request opens and closes a connection of its own. Whichever closes last copies the whole log into the
    database and deletes it, with several syncs to disk: without this one that happened at most requests.
    """
    if connection.vendor != "sqlite":
        return lambda: None
    held = connection.get_new_connection(connection.get_connection_params())
    return lambda: held.close()
