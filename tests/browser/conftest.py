"""A real product with real agents, and a real Chromium that looks at it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_rig import Browser
from stack_rig import WHO, Stack

HOSTS = {"web-1": ("north", "8"), "web-2": ("south", "2"), "db-1": ("south", "16")}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The running product with three hosts of different size;"""
    folder = Path(tempfile.mkdtemp(prefix="pages"))
    made = Stack(folder)
    try:
        made.start()
        for number, (name, (zone, cores)) in enumerate(HOSTS.items(), start=1):
            made.join(name, number, zone, cores)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Browser]:
    """Logged in as the first administrator, made by the one-time link."""
    folder = Path(tempfile.mkdtemp(prefix="chromium"))
    made = Browser(folder)
    try:
        made.become_administrator(stack.setup, WHO)
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """A Chromium of one file's own, for pages of a light server."""
    folder = Path(tempfile.mkdtemp(prefix="chromium"))
    made = Browser(folder)
    try:
        yield made
    finally:
        made.driver.quit()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A page goes on asking and complaining until it is left: no test leaves one open for the next."""
    yield
    if "browser" in request.fixturenames:
        request.getfixturevalue("browser").leave()
