"""The bytes of the archive and of the wheel."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import platform
import sys
import zipfile
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import agents

#: What the agent imports, and its folder in the distribution of that name.
LIBRARIES = ("msgspec", "psutil", "websockets")
#: Of everything that is packed: the zip format's first day. A real time would make other bytes each time.
STAMP = (1980, 1, 1, 0, 0, 0)

Files = list[tuple[str, bytes]]


@lru_cache(maxsize=1)
def archive() -> bytes:
    """steelyard-agent.pyz: run by `python3 steelyard-agent.pyz`, for this Python and this kind of machine."""
    about = {"python": ".".join(map(str, sys.version_info[:2])), "machine": platform.machine()}
    files: Files = [
        ("__main__.py", (_folder() / "unpacked.py").read_bytes()),
        ("about.json", json.dumps(about).encode()),
    ]
    parts = [*_agents(), (f"steelyard-{release()}.dist-info/METADATA", _metadata("steelyard", ()))]
    for library in LIBRARIES:
        parts += _library(library)
    files += [(f"lib/{name}", content) for name, content in parts]
    return b"#!/usr/bin/env python3\n" + _packed(files)


@lru_cache(maxsize=1)
def wheel() -> tuple[str, bytes]:
    """Name and bytes of the wheel: any Python, whose installer gets the three libraries from where it always does."""
    info = f"steelyard_agent-{release()}.dist-info"
    files: Files = [
        *_agents(),
        (f"{info}/METADATA", _metadata("steelyard-agent", _required())),
        (
            f"{info}/WHEEL",
            b"Wheel-Version: 1.0\nGenerator: steelyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (f"{info}/entry_points.txt", b"[console_scripts]\nsteelyard-agent = agents.__main__:main\n"),
    ]
    lines = [f"{name},sha256={_urlsafe(content)},{len(content)}" for name, content in files]
    record = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    return f"steelyard_agent-{release()}-py3-none-any.whl", _packed([*files, (f"{info}/RECORD", record)])


def release() -> str:
    """Our version."""
    try:
        return version("steelyard")
    except PackageNotFoundError:
        return "0"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _folder() -> Path:
    return Path(agents.__file__).parent


def _agents() -> Files:
    return [(f"agents/{path.name}", path.read_bytes()) for path in sorted(_folder().glob("*.py"))]


def _library(name: str) -> Files:
    """What of an installed distribution runs, and its licence."""
    found = []
    for file in distribution(name).files or ():
        parts, suffix = file.parts, file.suffix
        runs = parts[0] == name and suffix in (".py", ".so") and "tests" not in parts
        if runs or ("LICENSE" in file.name.upper() and parts[0].endswith(".dist-info")):
            found.append((file.as_posix(), Path(str(file.locate())).read_bytes()))
    if not found:
        raise RuntimeError(f"{name} is not installed from files here, so its agent can't be served")
    return sorted(found)


def _required() -> Iterable[str]:
    return [f"{name}>={version(name)}" for name in LIBRARIES]


def _metadata(name: str, requires: Iterable[str]) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {release()}", "Requires-Python: >=3.11"]
    return "\n".join([*lines, *(f"Requires-Dist: {each}" for each in requires), ""]).encode()


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _packed(files: Files) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files:
            entry = zipfile.ZipInfo(name, STAMP)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(entry, content)
    return kept.getvalue()
