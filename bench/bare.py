"""The bare server of bench.bare_link as a process for the length of a block."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import Self

from bench.plane import LOOPBACK, clean_environment, stop, until_says

START_S = 20.0


class BareLink:
    """url: where agents join; pid: the process that is measured. keepalive_s: see bench.bare_link."""

    def __init__(self, keepalive_s: float = 5.0) -> None:
        self._keepalive_s = keepalive_s
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.bare_link", "--keepalive-s", str(self._keepalive_s),
            env=clean_environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            line = await until_says(self._process, "ready", START_S)
        except BaseException:
            await stop(self._process)
            raise
        self.url = f"http://{LOOPBACK}:{line.split()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await stop(self._process)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid
