"""The kernels, built with the address and undefined-behaviour sanitizers, survive unchecked input."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = ["-shared", "-fPIC", "-O1", "-g1", "-ffp-contract=off", "-DSTEELYARD_PLAIN"]
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


def build(package: Path) -> None:
    """The modules of the kernels, compiled beside their sources, by two compilers at a time."""
    folder = package / "balancer_core/_kernels"
    kernels, shared = sorted(folder.glob("*.pyx")), folder / "_memoryviews.c"
    cython = [sys.executable, "-m", "cython", "-3"]
    for command in (
        [*cython, "--shared", "balancer_core._kernels._memoryviews", *kernels],
        [*cython, "--generate-shared", shared],
    ):
        subprocess.run(command, cwd=package, check=True, capture_output=True, timeout=100)
    includes = [f"-I{sysconfig.get_path('include')}", f"-I{folder}"]
    suffix = sysconfig.get_config_var("EXT_SUFFIX")

    def compile_one(code: Path) -> None:
        output = code.with_name(code.stem + suffix)
        subprocess.run(["gcc", *FLAGS, *SANITIZE, *includes, code, "-o", output], check=True, timeout=100)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, [shared, *(source.with_suffix(".c") for source in kernels)]))


@pytest.mark.timeout(300)
def test_no_input_makes_the_kernels_read_or_write_what_is_not_theirs(tmp_path: Path) -> None:
    """Edges, NaN and infinities in every column: no bad access, no undefined arithmetic, a clean exit."""
    built = ("*.so", "*.c", "__pycache__")
    shutil.copytree(ROOT / "balancer_core", tmp_path / "balancer_core", ignore=shutil.ignore_patterns(*built))
    build(tmp_path)
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
