"""`python -m tests.with_servers COMMAND ...`: run a command beside a PostgreSQL and a Redis of its own.

Both live in a temporary folder and listen on free loopback ports; DATABASE_URL and REDIS_URL name them
to the command, whose exit code is this one's. Both are gone when it ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_S = 30.0


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of the newest version that is installed; yields its URL."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    password, port = secrets.token_hex(16), _free_port()
    with tempfile.TemporaryDirectory(prefix="steelyard-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(password)
        who: dict[str, Any] = {"cwd": folder}
        if os.geteuid() == 0:  # the server refuses to run as root
            who |= {"user": "postgres", "group": "postgres", "extra_groups": []}
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres")
        # -N: a test's database need not survive a power cut.
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                "data",
                "-U",
                "postgres",
                "-A",
                "scram-sha-256",
                "--pwfile=password",
                "-N",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **who,
        )
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
        }
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    binaries / "postgres",
                    "-D",
                    "data",
                    *(f"-c{key}={value}" for key, value in options.items()),
                ],
                stderr=log,
                **who,
            )
        try:
            _until_listening(port, server)
            yield f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: it does not wait for clients
            server.wait(START_S)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A Redis; yields its URL."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="steelyard-redis-") as folder:
        server = subprocess.Popen(
            [
                shutil.which("redis-server") or "redis-server",
                "--bind",
                "127.0.0.1",
                "--port",
                str(port),
                "--save",
                "",
                "--dir",
                folder,
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            _until_listening(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(START_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_listening(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until it takes connections. Raises RuntimeError when it has ended, or START_S have."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.connect(("127.0.0.1", port))
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.02)
    raise RuntimeError(f"{server.args!r} did not start")


def main() -> int:
    """Start both, run the command, stop both; returns its exit code."""
    with postgres() as database, redis() as broker:
        environment = {**os.environ, "DATABASE_URL": database, "REDIS_URL": broker}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
