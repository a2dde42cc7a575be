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
#: Erlang takes its time, and a busy machine more of it.
RABBIT_START_S = 120.0


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


class RabbitMQ:
    """A node of its own: its own name, port, epmd, cookie and folder. Started by start(), ended by stop()."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._password = folder, secrets.token_hex(16)
        self.port, self._epmd_port, distribution = (_free_port() for _ in range(3))
        self.url = f"amqp://steelyard:{self._password}@127.0.0.1:{self.port}//"
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"default_user = steelyard\ndefault_pass = {self._password}\ndisk_free_limit.absolute = 1MB\n"
        )
        (folder / "plugins").write_text("[].\n")
        cookie = folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"steelyard{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            # Two schedulers do for a test, and do not spin while they wait.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self) -> None:
        """Until it takes connections. What was durable at the last stop is there again."""
        epmd = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        # Debian's own script would change to its service's user and folders.
        server = [max(Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"))]
        for command, port in ((epmd, self._epmd_port), (server, self.port)):
            process = subprocess.Popen(
                command, env=self._environment, cwd=self._folder, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self._processes.append(process)
            _until_listening(port, process, RABBIT_START_S)

    def stop(self) -> None:
        """As an operator stops it: what is durable is kept."""
        while self._processes:
            process = self._processes.pop()
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(RABBIT_START_S)


@contextlib.contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ, started."""
    with tempfile.TemporaryDirectory(prefix="steelyard-rabbit-") as folder:
        server = RabbitMQ(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_listening(port: int, server: subprocess.Popen[bytes], within_s: float = START_S) -> None:
    """Until it takes connections. Raises RuntimeError when it has ended, or so many seconds have."""
    deadline = time.monotonic() + within_s
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
