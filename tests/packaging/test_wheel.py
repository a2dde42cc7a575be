"""What a user installs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # a compiler builds all kernels first

ROOT = Path(__file__).resolve().parent.parent.parent
STDLIB = set(sys.stdlib_module_names)
AGENT_MAY_LOAD = {"agents", "psutil", "websockets", "msgspec"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built from a copy of what git tracks and of static/dist/, which `make build` made; nothing
    else that was built or left over helps."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    made = [str(path.relative_to(ROOT)) for path in (ROOT / "static/dist").iterdir() if path.is_file()]
    for name in filter(None, [*tracked, *made]):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*command, "-w", str(target), str(source)], check=True, capture_output=True)
    return zipfile.ZipFile(next(target.glob("steelyard-*.whl")))


def test_the_wheel_carries_kernel_templates_migrations_and_static_files(wheel: zipfile.ZipFile) -> None:
    """Who installs the wheel needs no compiler, no Node and no checkout."""
    names = wheel.namelist()

    assert [
        name for name in names if name.startswith("balancer_core/_kernels/place.") and name.endswith(".so")
    ]
    assert [name for name in names if name.startswith("console/") and name.endswith(".html")]
    assert [name for name in names if name.startswith("steelyard_static/") and name.endswith((".js", ".css"))]
    assert {"steelyard_static/dist/uplot.js", "steelyard_static/dist/uplot.css"} <= set(names)
    assert "steelyard_static/dist/uplot.LICENSE.txt" in names
    for app in (
        "accounts",
        "events",
        "fleet",
        "placements",
        "traffic",
        "jobs",
        "storage",
        "controller",
        "history",
    ):
        assert f"console/{app}/migrations/0001_initial.py" in names


def test_the_wheel_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Tests, benchmarks and secrets stay at home."""
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "balancer_core", "agents", "console", "clients", "steelyard_static",
    }  # fmt: skip


def test_a_host_needs_only_the_agents_own_libraries() -> None:
    """The agent's code loads the standard library, psutil, websockets and msgspec, nothing of the console."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "import agents.__main__, agents.agent, agents.link, agents.mover, agents.runner, agents.sampler\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip

    foreign = {name for name in loaded if name not in STDLIB and not name.startswith("_")}
    assert foreign <= AGENT_MAY_LOAD
