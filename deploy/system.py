"""See that Debian's packages which a purpose needs are there; install the missing ones where we are root.

    python3 deploy/system.py PURPOSE ...

python: venv and headers. rack: network namespaces. test: servers and a browser. bench: peers.
                                         bench: the peers of the benchmarks

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def has_command(*names: str) -> Callable[[], bool]:
    """Whether any of these is on PATH or, as Debian has it for servers, in a versioned folder."""
    return lambda: any(shutil.which(name) or list(Path("/usr/lib").glob(f"*/*/bin/{name}")) for name in names)


def has_headers() -> bool:
    return (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()


def has_venv() -> bool:
    return find_spec("ensurepip") is not None and find_spec("venv") is not None


POLICY = Path("/usr/sbin/policy-rc.d")

#: purpose -> Debian package -> whether what we need of it is there.
NEEDS: dict[str, dict[str, Callable[[], bool]]] = {
    "python": {
        "python3-venv": has_venv,
        "python3-dev": has_headers,
        "gcc": has_command("gcc", "cc"),
        "libc6-dev": lambda: Path("/usr/include/stdio.h").exists(),
    },
    "rack": {"iproute2": has_command("ip")},
    "bench": {
        "prometheus-node-exporter": has_command("prometheus-node-exporter"),
        "haproxy": has_command("haproxy"),
        "valgrind": has_command("valgrind"),
    },
    "test": {
        "postgresql": has_command("initdb"),
        "redis-server": has_command("redis-server"),
        "rabbitmq-server": has_command("rabbitmq-server"),
        "chromium": has_command("chromium"),
        "chromium-driver": has_command("chromedriver"),
        "procps": has_command("ps"),
        "libgcc-12-dev": lambda: any(Path("/usr/lib/gcc").glob("*/*/libasan.so")),
    },
}


@contextmanager
def services_stay_stopped() -> Iterator[None]:
    """While packages are installed, Debian's policy file forbids them to start their daemons:
    we use the programs, and a machine that runs our tests need not serve a database to anybody."""
    if POLICY.exists():
        yield  # the machine has a policy of its own
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def main(purposes: list[str]) -> int:
    missing = [
        package for purpose in purposes for package, present in NEEDS[purpose].items() if not present()
    ]
    if not missing:
        return 0
    if os.geteuid() != 0:
        print(
            f"Missing: {' '.join(missing)}. Install with:  sudo apt-get install {' '.join(missing)}",
            file=sys.stderr,
        )
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with services_stay_stopped():
        for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *missing]):
            answer = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)
            if answer.returncode:
                print(answer.stdout[-2000:], answer.stderr[-2000:], file=sys.stderr)
                return answer.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
