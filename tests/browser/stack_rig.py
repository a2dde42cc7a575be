"""`steelyard up` and agents, each in a folder of its own, for tests that look at them in a browser."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
WHO = ("ada", "weigh-anchor-7341")


@dataclass
class Stack:
    """`steelyard up` in a folder of its own, and the agents of its hosts."""

    folder: Path
    url: str = ""
    setup: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        up = self.spawn(["up"], STEELYARD_LISTEN=listen)
        said = read_until(up, "one-time link", 90)
        self.url = re.search(r"Console: (\S+)/", said)[1]  # type: ignore[index]
        self.setup = re.search(r"link\): (\S+)", said)[1]  # type: ignore[index]

    def join(self, name: str, number: int, zone: str, cores: str) -> None:
        token = self.run("host", "token").strip()
        options = [
            "--name",
            name,
            "--address",
            f"127.0.9.{number}",
            "--label",
            f"zone={zone}",
            "--capacity",
            f"cpu={cores}",
        ]
        data = ["--data", str(self.folder / f"agent-{name}")]
        self.spawn(["join", self.url, "--token", token, *options, *data], program="steelyard-agent")

    def run(self, *arguments: str) -> str:
        """One command, as an operator on this machine gives it; its output."""
        done = subprocess.run(
            [BIN / "steelyard", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def spawn(
        self, arguments: list[str], program: str = "steelyard", **environment: str
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{Path(program).name}-{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [BIN / program, *arguments],
                env=self.environment() | environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def environment(self) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"},
            "STEELYARD_DATA": str(self.folder / "data"),
            "PYTHONUNBUFFERED": "1",
        }

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
            process.stdout.close()  # type: ignore[union-attr]


def read_until(process: subprocess.Popen[bytes], text: str, seconds: float) -> str:
    """What a process says up to a text, at most so long."""
    deadline, said = time.monotonic() + seconds, ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        while text not in said and time.monotonic() < deadline and process.poll() is None:
            if selector.select(1.0):
                # Not readline(): what it had read beyond the line would never be announced again.
                said += os.read(process.stdout.fileno(), 65536).decode()  # type: ignore[union-attr]
    assert text in said, said
    return said
