"""The kernels, built with the address and undefined-behaviour sanitizers, survive unchecked input."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = ["-shared", "-fPIC", "-O1", "-g", "-ffp-contract=off", "-DSTEELYARD_PLAIN"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
CLUSTERS = 12


def library(name: str) -> str | None:
    """The compiler's path of a sanitizer's library, None where it has none."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = found.stdout.strip()
    return path if Path(path).is_absolute() else None


def build(package: Path, source: Path) -> None:
    """One module of the kernels, compiled beside its source."""
    code = source.with_suffix(".c")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    command = [
        sys.executable,
        "-m",
        "cython",
        "-3",
        source.relative_to(package),
        "-o",
        code.relative_to(package),
    ]
    subprocess.run(command, cwd=package, check=True, capture_output=True, timeout=100)
    includes = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}", f"-I{source.parent}"]
    output = source.with_name(source.stem + suffix)
    subprocess.run(["gcc", *FLAGS, *SANITIZE, *includes, code, "-o", output], check=True, timeout=100)


@pytest.mark.timeout(300)
def test_no_input_makes_the_kernels_read_or_write_what_is_not_theirs(tmp_path: Path) -> None:
    """Edges, NaN and infinities in every column: no bad access, no undefined arithmetic, a clean exit."""
    built = ("*.so", "*.c", "__pycache__")
    shutil.copytree(ROOT / "balancer_core", tmp_path / "balancer_core", ignore=shutil.ignore_patterns(*built))
    sources = sorted((tmp_path / "balancer_core/_kernels").glob("*.pyx"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda source: build(tmp_path, source), sources))
    assert library("libasan.so"), "gcc has no sanitizers here: install its libasan"
    preload = " ".join(filter(None, (library("libasan.so"), library("libubsan.so"))))
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "LD_PRELOAD": preload,
        # The interpreter's own objects live until the end.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    program = [sys.executable, "-P", str(ROOT / "tests/balancer_core/fuzz_kernels.py"), str(CLUSTERS)]
    run = subprocess.run(program, env=settings, capture_output=True, text=True, timeout=200, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "all went well"), run.stderr[-4000:]
