"""The light server in a process of its own, so that its work is not the browser's."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from console.supervisor.ports import free_port

START_S = 30.0
LOOPBACK = "127.0.0.1"


@contextmanager
def light_server(hosts: int, updates_per_s: float, modules: Path) -> Iterator[str]:
    """Its address, for the length of a block. modules: a folder of npm's packages for peers that need some."""
    port = free_port(LOOPBACK)
    arguments = [str(hosts), str(updates_per_s), str(port), str(modules)]
    process = subprocess.Popen([sys.executable, "-m", "bench.map.serve", *arguments])
    url = f"http://{LOOPBACK}:{port}"
    try:
        deadline = time.monotonic() + START_S
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError("the light server did not start")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - an address of our own making
            return bool(answer.status == 200)
    except OSError:
        return False
