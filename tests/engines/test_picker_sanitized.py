"""The picker's module, built with the address and undefined-behaviour sanitizers, survives an Envoy that lies."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from console.engines.envoy import module

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def test_no_answer_of_envoys_makes_the_module_fail(tmp_path: Path) -> None:
    """Lists that change between two questions, hosts without address, odd numbers: no bad access and nothing leaks."""
    program = tmp_path / "stand_in_envoy"
    source = Path(__file__).with_name("stand_in_envoy.c")
    folders = [f"-I{folder}" for folder in (module.FOLDER, ROOT / "balancer_core/_kernels")]
    build = ["gcc", *FLAGS, *SANITIZE, *folders, str(source), "-o", str(program), "-lm"]
    subprocess.run(build, check=True, timeout=100)
    settings = {**os.environ, "STEELYARD_ZONE": "a"}
    run = subprocess.run(
        [program, "60"], env=settings, capture_output=True, text=True, timeout=100, check=False
    )
    assert (0, "all went well") == (run.returncode, run.stdout.strip()), run.stderr[-4000:]
