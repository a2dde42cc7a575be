"""A package that offers a policy by entry point is used; one that offers something broken stops the start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

DECIDE = """
import django
django.setup()
from balancer_core.cluster import Cluster
from balancer_core.load import Load
from balancer_core.placement import decide
cluster = Cluster()
for name, cores in (("large", 16.0), ("small", 4.0)):
    cluster.add_host(name, {"cpu": cores})
print(decide(cluster.snapshot(), Load("job", "j", {"cpu": 3.0}, policy="fullest"), 1.0).sentence)
"""


def blocks(language: str) -> list[str]:
    """The code that the core's README shows."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "balancer_core/README.md").read_text(), re.DOTALL)


def installed(folder: Path, code: str) -> dict[str, str]:
    """The README's package, as an installer would leave it in a folder; the environment that sees it."""
    (folder / "nearest_full.py").write_text(code)
    meta = folder / "nearest_full-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: nearest-full\nVersion: 1.0\n")
    declared = blocks("toml")[0].replace("project.entry-points.", "").replace('"steelyard', "steelyard")
    (meta / "entry_points.txt").write_text(
        declared.replace('s"]', "s]").replace('= "', "= ").replace('"\n', "\n")
    )
    return os.environ | {
        "PYTHONPATH": f"{folder}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "STEELYARD_DATA": str(folder / "data"),
    }


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A process of the console that decides by the added policy."""
    command = [sys.executable, "-c", DECIDE]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_readmes_policy_decides_as_it_says(tmp_path: Path) -> None:
    """Copied from the page, offered by entry point, and asked for by name."""
    done = run(installed(tmp_path, blocks("python")[0]))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("small takes it: it would have 0.25 of itself left, 0.56 less than large")


def test_a_broken_one_stops_the_start_and_says_whose_it_is(tmp_path: Path) -> None:
    """Not a policy that is silently missing."""
    code = blocks("python")[0].replace("ADDS_UP=False, ", "")
    done = run(installed(tmp_path, code))
    assert done.returncode != 0
    assert "steelyard.scores 'room_left' of nearest-full: room_left.ADDS_UP" in done.stderr
