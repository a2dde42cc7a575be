"""Fixtures of the agents' tests: a control plane, a short-named directory, an agent as its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from control_plane import ControlPlane

PROJECT = Path(__file__).parents[2]


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    """A control plane that listens."""
    async with ControlPlane().listen() as listening:
        yield listening


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket in it."""
    path = Path(tempfile.mkdtemp(prefix="sly"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def start_agent() -> AsyncIterator[Callable[..., object]]:
    """Start `steelyard-agent` with arguments; whatever still runs at the end is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agents", *arguments,
            cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
