"""Handing out the agent: to anybody, as static files are, because nothing of it is secret and its host has no login."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.fleet.agent_files.build import archive, sha256, wheel

ARCHIVE = "steelyard-agent.pyz"
SCRIPT = "install.sh"
CA = "ca.pem"


@require_safe
@login_not_required
def agent_file(request: HttpRequest, name: str) -> HttpResponse:
    """One of the four files, by its exact name."""
    if name == ARCHIVE:
        content, kind = archive(), "application/zip"
    elif name == SCRIPT:
        content, kind = script(), "text/x-shellscript"
    elif name == wheel()[0]:
        content, kind = wheel()[1], "application/zip"
    elif name == CA and settings.STEELYARD_CA:
        content, kind = ca(), "application/x-pem-file"
    else:
        raise Http404
    return HttpResponse(content, content_type=kind, headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=1)
def script() -> bytes:
    """The installer, which carries the archive's digest. Nothing that anybody sent goes into it."""
    written = Path(__file__).with_name(SCRIPT).read_text()
    return written.replace("@ARCHIVE_SHA256@", sha256(archive())).encode()


@lru_cache(maxsize=1)
def ca() -> bytes:
    """The authority that signed the console's certificate, where it is not one that every host knows."""
    return Path(settings.STEELYARD_CA).read_bytes()
