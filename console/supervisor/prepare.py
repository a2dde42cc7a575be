"""`python -m console.supervisor.prepare`: what must be true before the processes start. Prints one line of JSON.

Runs as a process of its own, so that the supervisor stays small.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta

import django


def main() -> None:
    """Migrate, see to the command line's token, and make a setup link while there is no administrator."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()

    from django.core.management import call_command

    from console.accounts.actions.setup import IssueSetupLink
    from console.actions import SYSTEM, Conflict

    call_command("migrate", verbosity=0, interactive=False)
    _see_to_token()
    try:
        secret = IssueSetupLink().run(SYSTEM)
    except Conflict:
        secret = None
    json.dump({"setup": secret}, sys.stdout)


def _see_to_token() -> None:
    """The local command line's own token: made anew when it is missing, unknown or about to run out."""
    from django.utils import timezone
    from knox.models import AuthToken

    from console.accounts.actions.tokens import CreateToken
    from console.accounts.models import Role
    from console.actions import SYSTEM
    from console.place import Place

    path = Place.from_environment().cli_token
    text = path.read_text().strip() if path.exists() else ""
    lasting = timezone.now() + timedelta(days=30)
    known = AuthToken.objects.filter(user__username=LOCAL, expiry__gt=lasting).values_list(
        "token_key", flat=True
    )
    if any(text.startswith(key) for key in known):
        return
    _, text = CreateToken(LOCAL, role=Role.ADMIN).run(SYSTEM)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


#: The account of whoever can read this machine's data directory.
LOCAL = "local"

if __name__ == "__main__":
    main()
