"""The settings of a test run: a data directory of its own, everything else as in production.

DATABASE_URL and REDIS_URL are honoured, so the same tests run on PostgreSQL and Redis
(`python -m tests.with_servers pytest ...`); without them it is SQLite and the embedded Valkey.
Each process of a run (`pytest -n 2`) has a database and a number at the broker of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from urllib.parse import urlsplit

os.environ["STEELYARD_DATA"] = tempfile.mkdtemp(prefix="steelyard-tests-")
atexit.register(shutil.rmtree, os.environ["STEELYARD_DATA"], ignore_errors=True)

from console.settings import *
from console.settings import DATABASES, MIDDLEWARE, STEELYARD_DATA, env

# Tests make many accounts; Argon2 and PBKDF2 are slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

MIDDLEWARE = [name.replace("console.pages.static_files.", "tests.static_files.") for name in MIDDLEWARE]

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]

#: Which process of the run this is; 0 where there is only one.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: shared memory knows no busy timeout, and threads would fail where they
    # should wait.
    _database["TEST"] = {"NAME": STEELYARD_DATA / "test.sqlite3"}
    # No power is cut here; all the other pragmas are production's.
    _database["OPTIONS"]["init_command"] = _database["OPTIONS"]["init_command"].replace("=FULL", "=OFF")
else:
    _database["TEST"] = {"NAME": f"test_steelyard_{_PROCESS}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _broker() -> str:
    """The number of this process at the broker that was given, or where this process starts its own."""
    given = env.str("REDIS_URL", "")
    return (
        urlsplit(given)._replace(path=f"/{_PROCESS}").geturl()
        if given
        else f"redis://127.0.0.1:{_free_port()}/0"
    )


# Not in the environment: a test that starts the whole product must start the product's own broker.
REDIS_URL = CELERY_BROKER_URL = _broker()
