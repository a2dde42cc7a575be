"""What a measured job does, whoever runs it.

Each body says to the broker when it began and when it ended: one that began and never ended was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from functools import cache
from typing import Any

import redis

#: Peaks of memory last so long in steps, so that a killed body is gone in the middle of its work.
STEP_S = 0.05


def work(run: str, number: int, cpu_s: float, memory_bytes: int, hold_s: float, io_bytes: int) -> None:
    """Use the cpu for so long, hold so much memory for so long, write so much to the disk."""
    _say(run, number, "began")
    digest, until = hashlib.sha256(), time.thread_time() + cpu_s
    while time.thread_time() < until:
        digest.update(b"steelyard" * 256)
    held = bytearray(os.urandom(4096)) * (memory_bytes // 4096)
    for _ in range(round(hold_s / STEP_S)):
        time.sleep(STEP_S)
    if io_bytes:
        with tempfile.TemporaryFile() as file:
            file.write(os.urandom(io_bytes))
            file.flush()
            os.fsync(file.fileno())
    del held
    _say(run, number, "ended")


def _say(run: str, number: int, what: str) -> None:
    said: dict[str, Any] = {"number": number, "what": what, "at": time.time()}
    _broker().rpush(run, json.dumps(said))


@cache
def _broker() -> redis.Redis:
    # Only where bodies run is it said where the broker is.
    return redis.Redis.from_url(os.environ["REDIS_URL"])
