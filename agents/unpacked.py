"""What the archive that a console serves runs first: it unpacks itself once, by its digest, and becomes the agent.

Compiled libraries can't be loaded out of a zip file, so they go to STEELYARD_AGENT_CACHE (~/.cache/steelyard-agent):
one folder for each archive that was ever run here, whole or not there at all. Standard library alone: nothing else is
there yet. Not for hosts where the agent is installed as a package.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> int:
    """Unpack where needed, then run the agent. Exit code 2 where this Python can't."""
    archive = Path(sys.argv[0])
    with zipfile.ZipFile(archive) as packed:
        made_for = json.loads(packed.read("about.json"))
    here = {"python": ".".join(map(str, sys.version_info[:2])), "machine": platform.machine()}
    if made_for != here:
        told = f"this archive is for Python {made_for['python']} on {made_for['machine']}"
        has = f"here is Python {here['python']} on {here['machine']}; install the wheel instead"
        print(f"steelyard-agent: {told}, {has}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(unpacked(archive, cache())))
    from agents.__main__ import main as run_agent

    return run_agent()


def cache() -> Path:
    """Where archives are unpacked, this user's alone."""
    told = os.environ.get("STEELYARD_AGENT_CACHE")
    return Path(told) if told else Path.home() / ".cache/steelyard-agent"


def unpacked(archive: Path, place: Path) -> Path:
    """The folder with the archive's libraries. Two that start at once both get a whole one."""
    found = place / hashlib.sha256(archive.read_bytes()).hexdigest()
    if found.is_dir():
        return found
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=place))
    try:
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                if name.startswith("lib/"):
                    packed.extract(name, draft)
        (draft / "lib").rename(found)
    except OSError:
        if not found.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
