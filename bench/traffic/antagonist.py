"""Other work on a host of the rack, under the same quota as its server.

    python -m bench.traffic.antagonist --cores 0.15 [--on-s 10 --off-s 10 --phase-s 5]

Burns that many cores; with --off-s as a square wave that starts phase_s into it. Prints "ready"; ends on a signal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.rack.rack import Host

ROOT = Path(__file__).resolve().parent.parent.parent
#: Burning is spread over slices of this length, as a busy thread's would be.
SLICE_S = 0.02


@asynccontextmanager
async def other_work(
    host: Host, share: float, on_s: float = 0.0, off_s: float = 0.0, phase_s: float = 0.0
) -> AsyncIterator[None]:
    """A process under the host's quota that wants this share of it: always, or as a square wave."""
    process = await host.start(
        [
            sys.executable, "-m", "bench.traffic.antagonist", "--cores", f"{share * host.spec.cores}",
            "--on-s", f"{on_s}", "--off-s", f"{off_s}", "--phase-s", f"{phase_s}",
        ],
        cwd=ROOT, limited=False, ready="ready",
    )  # fmt: skip
    await host.adopt(process.pid)
    try:
        yield
    finally:
        await host.kill(process)


def burn(cores: float, on_s: float, off_s: float, phase_s: float) -> None:
    """Until the process is ended."""
    began = time.monotonic() - phase_s
    while True:
        now = time.monotonic()
        into = (now - began) % (on_s + off_s) if off_s else 0.0
        if off_s and into >= on_s:
            time.sleep(on_s + off_s - into)
            continue
        until = time.thread_time() + cores * SLICE_S
        while time.thread_time() < until:
            sum(range(200))
        time.sleep(max(0.0, SLICE_S - (time.monotonic() - now)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.traffic.antagonist")
    for name in ("cores", "on-s", "off-s", "phase-s"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    options = parser.parse_args()
    print("ready", flush=True)
    burn(options.cores, options.on_s, options.off_s, options.phase_s)


if __name__ == "__main__":
    main()
