"""The commands by which a host gets the agent and joins: one for each way."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from console.fleet.agent_files.build import archive, sha256, wheel
from console.fleet.agent_files.views import ARCHIVE, CA, SCRIPT, ca, script

#: What no shell reads as anything else.
_PLAIN = re.compile(r"[A-Za-z0-9:/._=\[\]-]+")


@dataclass(frozen=True)
class Way:
    """name: as in an id. command: to be pasted. note: what it needs."""

    name: str
    title: str
    command: str
    note: str


def ways(url: str, token: str, options: list[str]) -> list[Way]:
    """For a console at url. Raises ValueError where a part could mean something to a shell."""
    for part in (url, token, *(each for option in options for each in option.split(" "))):
        if not _PLAIN.fullmatch(part):
            raise ValueError(f"{part[:80]!r} does not go into a command")
    words = " ".join(options)
    pin = sha256(ca()) if settings.STEELYARD_CA and urlsplit(url).scheme == "https" else ""
    get = f"curl -fsS{'k' if pin else ''} {url}/agent/"
    fetched = f"{get}{SCRIPT} -o {SCRIPT} && echo '{sha256(script())}  {SCRIPT}' | sha256sum -c"
    asked = f"{SCRIPT} --url {url} --token {token}" + (f" --ca-sha256 {pin}" if pin else "")
    more = f" -- {words}" if words else ""
    join = f"join {url} --token {token}" + (f" {words}" if words else "")
    python = ".".join(map(str, sys.version_info[:2]))
    trusted = (
        f"{get}{CA} -o {CA} && echo '{pin}  {CA}' | sha256sum -c && " if pin else "",
        f' -v "$PWD/{CA}:/{CA}:ro" -e SSL_CERT_FILE=/{CA}' if pin else "",
        f'SSL_CERT_FILE="$PWD/{CA}" ' if pin else "",
    )
    name, content = wheel()
    return [
        Way(
            "run", "In a shell", f"{fetched} && sh {asked}{more}",
            f"No root, no registry: curl and Python {python}. It runs until the shell ends.",
        ),
        Way(
            "systemd", "systemd", f"{fetched} && sudo sh {asked} --way systemd{more}",
            f"A service that starts with the machine, as a user of its own. Needs root, curl and Python {python}.",
        ),
        Way(
            "container", "Container",
            f"{trusted[0]}{get}{ARCHIVE} -o {ARCHIVE} && echo '{sha256(archive())}  {ARCHIVE}' | sha256sum -c && "
            f"docker run -d --restart unless-stopped --name steelyard-agent --network host --pid host"
            f'{trusted[1]} -v "$PWD/{ARCHIVE}:/agent.pyz:ro" -v steelyard-agent:/data '
            f"-e STEELYARD_AGENT_CACHE=/data/lib python:{python}-slim python /agent.pyz {join} --data /data",
            f"Sees the host's own figures. Needs the image python:{python}-slim.",
        ),
        Way(
            "pipx", "pipx",
            f"{trusted[0]}{get}{name} -o {name} && echo '{sha256(content)}  {name}' | sha256sum -c && "
            f"pipx install ./{name} && {trusted[2]}steelyard-agent {join}",
            "Any Python from 3.11 on and any machine; its three libraries come from where pip gets them.",
        ),
    ]  # fmt: skip
