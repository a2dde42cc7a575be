"""`python -m bench.crowd HOSTS`: a large installation written straight into the database of a console that does not run
yet, in proportion to its hosts. Prints the key of a session of an administrator.

Its hosts never report. Its loads ask for nothing, so that the ledger is as it must be.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from itertools import islice
from pathlib import Path
from typing import Any

import django

from bench.plane import ControlPlane, NotStarted, clean_environment

ZONES = ("north", "east", "south", "west")
KINDS = ("web", "db", "cache", "build", "edge")
TASKS = ("demo.encode", "demo.nightly_report", "shop.invoice", "mail.send", "search.reindex")
RESOURCES = ("cpu", "memory", "disk", "disk_io", "net_in", "net_out")
#: Of each, so many for a host.
DECISIONS, EVENTS, JOBS = 3, 5, 1
#: So many hosts for a service, which has endpoints on four.
HOSTS_OF_SERVICE = 25
TOGETHER = 2000


async def crowd(plane: ControlPlane, hosts: int) -> str:
    """Fill the console that is not started yet; the session's key. Raises NotStarted."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.crowd", str(hosts),
        env=clean_environment(STEELYARD_DATA=str(plane.place.data)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode:
        raise NotStarted(f"the crowd of {hosts} hosts could not be written")
    return out.decode().split()[-1]


def name_of(number: int) -> str:
    """web-00000, db-00001 and so on."""
    return f"{KINDS[number % len(KINDS)]}-{number:05}"


def fill(hosts: int) -> None:
    """Write them, in a few transactions."""
    from console.fleet.models import Host
    from console.placements.models import Ledger

    made = [
        Host(
            name=name_of(number), address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            labels={"zone": ZONES[number % 4], "rack": f"r{number // 40}"}, credential_digest=f"{number:064x}",
        )
        for number in range(hosts)
    ]  # fmt: skip
    _write(made)
    _write(Ledger(host=host, resource=each, capacity=64.0) for host in made for each in RESOURCES)
    _write_traffic(made)
    _write_history(made)


def _write_traffic(hosts: list[Any]) -> None:
    from console.traffic.models import Endpoint, Service

    services = [
        Service(name=f"pool-{each:04}", protocol="http") for each in range(len(hosts) // HOSTS_OF_SERVICE)
    ]
    _write(services)
    _write(
        Endpoint(service=service, host=hosts[place * HOSTS_OF_SERVICE + each], port=8080)
        for place, service in enumerate(services)
        for each in range(4)
    )


def _write_history(hosts: list[Any]) -> None:
    from console.events.models import Event
    from console.jobs.models import Job
    from console.placements.models import Decision, Placement

    decisions = [
        Decision(
            kind="job", name=f"{TASKS[number % len(TASKS)]}/{uuid.uuid4()}", policy="spread", outcome="placed",
            host=host.name, sentence=f"{host.name} costs least.", document={},
        )
        for number, host in enumerate(hosts * DECISIONS)
    ]  # fmt: skip
    _write(decisions)
    _write(
        Placement(decision=each, host=host, kind="job", name=each.name, demand={})
        for each, host in zip(decisions, hosts * DECISIONS, strict=True)
    )
    _write(
        Job(task=TASKS[number % len(TASKS)], demand={}, policy="spread", state="succeeded")
        for number in range(len(hosts) * JOBS)
    )
    _write(
        Event(
            actor_kind="user",
            actor="ada",
            action="host.join",
            subject_kind="host",
            subject=host.name,
            reason="bench",
        )
        for host in hosts * EVENTS
    )


def _write(rows: Any) -> None:
    rest = iter(rows)
    while some := list(islice(rest, TOGETHER)):
        type(some[0]).objects.bulk_create(some)


def session() -> str:
    """An administrator's, as the login page makes it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from console.accounts.models import Role, User

    user = User.objects.create(username="bench", role=Role.ADMIN)
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings_backend()
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def settings_backend() -> str:
    from django.conf import settings

    return str(settings.AUTHENTICATION_BACKENDS[0])


def main(hosts: int) -> None:
    Path(os.environ["STEELYARD_DATA"]).mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    fill(hosts)
    print(session())


if __name__ == "__main__":
    main(int(sys.argv[1]))
