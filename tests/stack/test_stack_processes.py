"""Jobs that are processes: made by an administrator, allowed on a host, run by its agent."""

from __future__ import annotations

from pathlib import Path

import pytest
from product import Product
from waiting import eventually

pytestmark = pytest.mark.stack
TEMPLATE = {
    "argv": ["/bin/sh", "-c", 'echo "$0"; echo x >> "$1"; while [ ! -e "$2" ]; do sleep 0.1; done', "{word}", "{trace}",
             "{flag}"],
    "parameters": {
        "word": {"type": "text", "pattern": "[^-].*"},
        "trace": {"type": "text", "pattern": "/.+"},
        "flag": {"type": "text", "pattern": "/.+"},
    },
}  # fmt: skip
ON_GAMMA = {"labels": {"zone": "b"}, "demand": {"cpu": 0.1}}


def test_a_process_is_run_survives_its_agent_and_is_cancelled(product: Product, tmp_path: Path) -> None:
    """Refused where the host does not allow it; then run once although its agent is killed; another one is ended."""
    gamma = product.hosts["gamma"]
    line = product.client.put("process-templates/wait_for/", {"template": TEMPLATE})["line"]

    def submit(name: str) -> str:
        said = {"word": "a; $(b)", "trace": str(tmp_path / name), "flag": str(tmp_path / f"{name}-go")}
        job = product.client.create_job({"template": "wait_for", "parameters": said, **ON_GAMMA})
        return str(job["id"])

    refused = product.ended(submit("refused"))
    assert refused["state"] == "failed"
    assert line in refused["error"]

    (gamma.data / "templates").write_text(line)
    kept = submit("kept")
    eventually((tmp_path / "kept").exists)
    gamma.kill("agent")
    gamma.start_agent()
    eventually(
        lambda: product.client.get(f"jobs/{kept}/log/")["text"] == "a; $(b)\n", what="its log is there"
    )
    (tmp_path / "kept-go").touch()
    ended = product.ended(kept)
    assert (ended["state"], ended["attempt"], ended["result"]) == ("succeeded", 1, {"exit": 0})
    assert ended["used"].keys() == {"cpu", "memory", "seconds"}
    assert (tmp_path / "kept").read_text() == "x\n"
    assert product.finishes(kept) == 1

    cancelled = submit("cancelled")
    eventually((tmp_path / "cancelled").exists)
    product.client.post(f"jobs/{cancelled}/cancel/")
    eventually(lambda: not list((gamma.data / "runs").iterdir()), what="its process has ended")
    assert not (tmp_path / "refused").exists()
    assert product.drift() == {}
