"""What a body is said to have used, against what it did."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from clients.measuring import Meter

MIB = 2**20
ROOT = Path(__file__).parents[2]
WRITES = """
import os, sys
with open(sys.argv[1], "wb") as file:
    file.write(os.urandom(2 * 2**20))
    file.flush()
    os.fsync(file.fileno())
"""
TAKES = """
import os
from clients.measuring import Meter
first = Meter()
taken = bytearray(os.urandom(1024)) * (32 * 1024)
del taken
print(first.used()["memory"])
print(Meter().used()["memory"])
"""


def _io_bytes() -> int:
    """The kernel's own account of this process and its ended children."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["read_bytes"]) + int(lines["write_bytes"])


def test_what_a_body_and_its_children_wrote_is_measured(tmp_path: Path) -> None:
    """As the kernel's account has it, whatever the file system says of files that are in memory alone."""
    before, meter = _io_bytes(), Meter()
    with tempfile.TemporaryFile(dir=Path(__file__).parent) as file:
        file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    subprocess.run([sys.executable, "-c", WRITES, tmp_path / "own"], check=True)
    used = meter.used()

    assert used["disk_io"] * used["seconds"] == pytest.approx(_io_bytes() - before, abs=64 * 1024)


def test_the_peak_of_memory_is_this_body_s_own() -> None:
    """What a body before it took, and gave back, is not counted again."""
    # In a process of its own, as a worker's is: one that has run many tests keeps what is given back for the next one.
    run = subprocess.run([sys.executable, "-c", TAKES], cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = map(float, run.stdout.split())

    assert first == pytest.approx(32 * MIB, rel=0.05)
    assert second < first - 16 * MIB


def test_of_two_at_once_nothing_is_said() -> None:
    """Nobody can tell whose it was; the next one is measured again."""
    one, other = Meter(), Meter()

    assert (one.used(), other.used()) == ({}, {})
    assert Meter().used()["seconds"] > 0
