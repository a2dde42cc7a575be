"""A request's way through the web process."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from console.asgi import Pages


@login_not_required
def told(request: HttpRequest) -> JsonResponse:
    """On which thread it is, and on which connection."""
    connection.ensure_connection()
    return JsonResponse({"thread": threading.current_thread().name, "connection": id(connection.connection)})


urlpatterns = [path("told/", told)]


async def ask(pages: Pages) -> dict[str, Any]:
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": "/told/", "raw_path": b"/told/",
        "query_string": b"", "headers": [(b"host", b"127.0.0.1")], "client": ["127.0.0.1", 1], "scheme": "http",
    }  # fmt: skip
    talk = ApplicationCommunicator(pages, scope)
    await talk.send_input({"type": "http.request", "body": b""})
    begun, said = await talk.receive_output(10), await talk.receive_output(10)
    await talk.wait(10)
    assert begun["status"] == 200
    answer: dict[str, Any] = json.loads(said["body"])
    return answer


@pytest.mark.django_db(transaction=True)
async def test_a_request_goes_to_a_thread_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Middleware and view are on one thread in one go, and the next request finds thread and connection again."""
    settings.ROOT_URLCONF = __name__
    hops = []
    plain = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        hops.append(self.func)
        return await plain(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    pages = Pages()

    first = await ask(pages)
    then = await ask(pages)

    assert first["thread"].startswith("pages") and first["thread"] == then["thread"]
    assert connection.vendor != "sqlite" or first["connection"] == then["connection"]
    # Beside its own, what Django says to those who listen, before and after.
    assert len(hops) == 2 * 3
