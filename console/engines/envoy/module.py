"""libsteelyard.so, the picker as Envoy loads it: where it is, whether an Envoy takes it, and who is told.

An Envoy that is started here is first asked (a validation run, a tenth of a second) whether it loads the module and
speaks its version of the interface; it then says so itself, in the metadata of its node, whenever it connects to a
control plane. Whoever says nothing, an Envoy of somebody else's, is sent no picker: see policy.without_picker().
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

from console.engines.envoy.balance import load_balancing_policy
from console.engines.envoy.policy import MODULE
from console.engines.target import ServiceTarget

#: Where the build puts it: beside its source.
FOLDER: Final = Path(__file__).parent / "picker"
#: The node's word: an empty text where it loads the picker, else why it does not.
METADATA: Final = "steelyard_picker"
SILENT: Final = "this Envoy does not say that it can load the picker"
PROBE_S: Final = 10.0


def environment(zone: str, folder: Path = FOLDER) -> dict[str, str]:
    """What Envoy's process needs: where to look for the module, and the zone it is in ("" for none)."""
    return {**os.environ, "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": str(folder), "STEELYARD_ZONE": zone}


async def find_fault(envoy: Path, folder: Path = FOLDER) -> str:
    """Why this Envoy cannot load the picker, in one sentence; "" if it can.

    Nothing but that is asked: no port is opened and no file written.
    """
    file = folder / f"lib{MODULE}.so"
    if not file.is_file():
        return f"{file.name} is not installed; build the package with a C compiler"
    arguments = ["--mode", "validate", "--log-level", "warn", "--config-yaml", json.dumps(_config())]
    process = await asyncio.create_subprocess_exec(
        str(envoy), *arguments, env=environment("", folder),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PROBE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"Envoy did not say within {PROBE_S:g} s whether it loads {file.name}"
    said = [line for line in output.decode(errors="replace").splitlines() if "dynamic" in line]
    # Another version of the interface is a warning to Envoy; to us it is calls with other meanings.
    if process.returncode or said:
        return (said[-1] if said else output.decode(errors="replace"))[-500:].strip()
    return ""


def fault_of(node: struct_pb2.Struct) -> str:
    """What a node's metadata says: "" if it loads the picker, else why not."""
    said: Any = dict(node).get(METADATA, SILENT)
    return said if isinstance(said, str) else SILENT


def describe(fault: str) -> str:
    """The same for people."""
    return "in Envoy" if not fault else f"Envoy's least request, because {fault}"


def _config() -> Mapping[str, Any]:
    """The least that makes Envoy load the module."""
    probe = ServiceTarget("probe", "http", "127.0.0.1", 1)
    built = json_format.MessageToDict(load_balancing_policy(probe))
    cluster = {"name": "probe", "type": "STATIC", "connect_timeout": "1s", "load_balancing_policy": built}
    return {"static_resources": {"clusters": [{**cluster, "load_assignment": {"cluster_name": "probe"}}]}}
