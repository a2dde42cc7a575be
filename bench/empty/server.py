"""The empty view behind the same server: the web process's own command line with another application."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from pysqlite3 import dbapi2 as sqlite

from bench.plane import LOOPBACK, START_S, NotStarted, clean_environment, stop
from console.place import Place
from console.supervisor.ports import free_port

OTHER = {"console.asgi:application": "django.core.asgi:get_asgi_application"}


class EmptyView:
    """For the length of a block, on a database of its own of the same kind. web_pid: of the web process."""

    def __init__(self, web_pid: int) -> None:
        self._like = Path(f"/proc/{web_pid}/cmdline").read_text().split("\0")[:-1]
        self._folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
        self._place = Place(self._folder / "data")
        self.port = free_port(LOOPBACK)
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._process: asyncio.subprocess.Process | None = None
        self._held: sqlite.Connection | None = None

    @property
    def token(self) -> str:
        return str(self._place.cli_token.read_text()).strip()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _start(self) -> None:
        env = clean_environment(
            STEELYARD_DATA=str(self._place.data), STEELYARD_LISTEN=f"{LOOPBACK}:{self.port}"
        )
        preparing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console.supervisor.prepare", env=env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await preparing.communicate()
        if preparing.returncode:
            raise NotStarted(f"the database of the empty view: {said.decode(errors='replace')[-1500:]}")
        # As the console does: or each request would be the last to close the database, with syncs to disk.
        self._held = sqlite.connect(str(self._place.data / "steelyard.sqlite3"))
        self._held.execute("SELECT count(*) FROM knox_authtoken").fetchall()
        argv = serve_instead(self._like, self.port)
        self._process = await asyncio.create_subprocess_exec(
            *argv, env={**env, "DJANGO_SETTINGS_MODULE": "bench.empty.settings"},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await self._until_listening()

    async def _until_listening(self) -> None:
        deadline = asyncio.get_running_loop().time() + START_S
        while asyncio.get_running_loop().time() < deadline:
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, self.port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise NotStarted(f"the empty view's server does not listen after {START_S:g} s")

    async def _end(self) -> None:
        if self._process is not None:
            await stop(self._process)
        if self._held is not None:
            self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def serve_instead(argv: list[str], port: int) -> list[str]:
    """The web process's command line for the empty view: another application and port, and no lifespan."""
    changed = [OTHER.get(word, word) for word in argv]
    changed[changed.index("--port") + 1] = str(port)
    changed[changed.index("--lifespan") + 1] = "off"
    return [*changed, "--factory"]
