"""`python -m bench.fleet_rows COUNT`: hosts with their ledgers in the console's database, and a viewer's session.

Straight into the tables, by the console's own models: ten thousand agents would take longer to join than to measure.
"""

from __future__ import annotations

import os
import subprocess
import sys

from bench.plane import clean_environment
from bench.results import ROOT
from console.place import Place

#: What every host has of each resource.
RESOURCES = {
    "cpu": 16.0,
    "memory": 2.0**36,
    "disk": 2.0**40,
    "disk_io": 2.0**29,
    "net_in": 2.0**30,
    "net_out": 2.0**30,
}
TOGETHER = 500
FILL_S = 300


def name_of(number: int) -> str:
    return f"host-{number:05}"


def fill(place: Place, count: int) -> str:
    """Run this module beside the console that keeps its data there; the session's key. Raises CalledProcessError."""
    environment = clean_environment(STEELYARD_DATA=str(place.data))
    command = [sys.executable, "-m", "bench.fleet_rows", str(count)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=FILL_S
    )
    return done.stdout.strip()


def main(count: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "console.settings"
    import django

    django.setup()
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from console.accounts.models import User
    from console.fleet.models import Host
    from console.placements.models import Ledger

    hosts = [
        Host(
            name=name_of(number),
            address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            labels={"zone": "abcd"[number % 4], "rack": f"r{number // 40}"},
            credential_digest=f"{number:064x}",
        )
        for number in range(count)
    ]
    made = Host.objects.bulk_create(hosts, batch_size=TOGETHER)
    lines = (
        Ledger(host=host, resource=resource, capacity=amount, reserved=amount / 4)
        for host in made
        for resource, amount in RESOURCES.items()
    )
    Ledger.objects.bulk_create(lines, batch_size=TOGETHER)
    viewer = User.objects.create_user("bench", role="viewer")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(viewer.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = viewer.get_session_auth_hash()
    session.create()
    sys.stdout.write(f"{session.session_key}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
