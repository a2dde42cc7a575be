"""One real Envoy and its control plane for each module of tests, in a short temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from engine_backends import Backend
from envoy_rig import EnvoyRig


@pytest.fixture(scope="module")
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name (107 bytes in all)."""
    folder = Path(tempfile.mkdtemp(prefix="envoy"))
    yield folder
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(short_folder: Path) -> AsyncIterator[EnvoyRig]:
    """A running Envoy that has taken an empty target."""
    built = EnvoyRig(short_folder)
    await built.start()
    yield built
    await built.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def serve() -> AsyncIterator[Callable[[Backend], Awaitable[Backend]]]:
    """Start a backend; every one that was started ends with the test."""
    started: list[Backend] = []

    async def start(backend: Backend) -> Backend:
        await backend.start()
        started.append(backend)
        return backend

    yield start
    for backend in started:
        await backend.kill()
