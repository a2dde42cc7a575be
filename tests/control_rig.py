"""The hosts of a test, and the way back to an empty database."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

GIB = 2.0**30
MIB = 2.0**20

#: What a test's host has unless the test says otherwise.
CAPACITY = {
    "cpu": 8.0, "memory": 16 * GIB, "disk": 100 * GIB,
    "disk_io": 500 * MIB, "net_in": 125 * MIB, "net_out": 125 * MIB,
}  # fmt: skip


_filled_by_migrations = {"django_migrations", "django_content_type", "auth_permission"}
_tables: list[str] = []


def empty() -> None:
    """Delete every row that a test can have made."""
    from django.db import connection, transaction

    if not _tables:
        _tables.extend(
            set(connection.introspection.django_table_names(only_existing=True)) - _filled_by_migrations
        )
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA defer_foreign_keys = ON")
        for table in _tables:
            cursor.execute(f'DELETE FROM "{table}"')


@dataclass
class Fleet:
    """The hosts of a test, made by the actions that make real ones."""

    credentials: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, labels: dict[str, str] | None = None, address: str = "", used: dict[str, float] | None = None,
        **capacity: float,
    ) -> Any:  # fmt: skip
        """A host that has joined and reported once. capacity: by resource, else CAPACITY. used: of its report."""
        from console.fleet.actions.join import Join
        from console.live.picture import picture

        host = Join(self.token(), self.hello(name, labels, address, **capacity)).run(agent(name))
        picture.load()
        self.report(name, **(used or {"cpu": 0.0}))
        return host

    def token(self, host_name: str = "", life_s: int = 900) -> str:
        """A one-time token."""
        from console.actions import SYSTEM
        from console.fleet.actions.tokens import IssueHostToken

        return IssueHostToken(host_name, life_s).run(SYSTEM)

    def hello(
        self, name: str, labels: dict[str, str] | None = None, address: str = "", **capacity: float
    ) -> Any:
        """What an agent says first; its credential is kept in credentials[name]."""
        from agents import wire

        credential = self.credentials.setdefault(name, f"credential-of-{name}")
        return wire.Hello(
            protocol=wire.PROTOCOL, version="0.1.0", name=name, labels=labels or {}, capacity={**CAPACITY, **capacity},
            address=address or f"127.0.1.{len(self.credentials)}", credential_digest=wire.digest(credential),
        )  # fmt: skip

    def report(self, name: str, **used: float) -> None:
        """One report of the host, now."""
        from console.live.picture import picture

        assert picture.report(name, used, time.monotonic())

    def reserved(self, name: str, resource: str = "cpu") -> float:
        """What the ledger has promised of the host."""
        from console.placements.models import Ledger

        return Ledger.objects.get(host__name=name, resource=resource).reserved


def agent(host: str) -> Any:
    """The actor that an agent's connection acts as."""
    from console.actions import Actor

    return Actor(kind="agent", name=host, address="127.0.0.1")
