"""The agent as the console serves it: what the page's command does on a host that has Python and curl, nothing else."""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from console_serving import serving
from django.test import Client
from django.urls import reverse

from console.fleet.agent_files.build import archive, sha256, wheel
from console.fleet.agent_files.ways import ways
from console.fleet.models import Host
from console.live.picture import picture
from console.live.threads import in_thread


def command_of(way: str, said: str) -> str:
    """What a page shows to be pasted."""
    return html.unescape(re.search(rf'id="command-{way}">([^<]+)<', said)[1])  # type: ignore[index]


@pytest.fixture
def home() -> Iterator[Path]:
    """A fresh folder with a short name: the agent's socket lies below it, and a socket's path is short."""
    made = Path(tempfile.mkdtemp(prefix="h"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def bare(home: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a host: its own HOME, and no way to our packages but by the archive."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "curl", "sha256sum", "mkdir", "mv", "id", "cat", "grep"):
        (tools / name).symlink_to(shutil.which(name) or name)
    # The interpreter that the environment of the tests was made of: it has none of our libraries.
    (tools / "python3").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}")
    return {"PATH": str(tools), "HOME": str(home), "no_proxy": "*"}


async def test_the_command_of_the_page_lets_a_fresh_host_join(
    cluster: Any, user: Any, bare: dict[str, str], home: Path
) -> None:
    """Pasted as it is shown: it downloads, checks, unpacks, joins; the page's waiting line hears of it."""
    page = Client()
    await in_thread(lambda: page.force_login(user("operator")))
    async with serving() as place:
        asked = {"host_name": "fresh-1", "labels": "zone=a"}
        shown = await in_thread(
            lambda: page.post(reverse("add-host"), asked, headers={"host": place}).content.decode()
        )
        command = command_of("run", shown)
        log = (home / "log").open("w")
        process = subprocess.Popen(
            ["/bin/sh", "-c", command], env=bare, cwd=home, stderr=log, start_new_session=True
        )
        try:
            async with asyncio.timeout(40):
                while picture.age_s("fresh-1") is None:
                    assert process.poll() is None, (home / "log").read_text()
                    await asyncio.sleep(0.1)
            waits = re.search(r'<host-waiter src="([^"]+)"', shown)[1]  # type: ignore[index]
            heard = await in_thread(lambda: page.get(waits).json())
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await asyncio.to_thread(process.wait, 20)
            log.close()

    host = await in_thread(lambda: Host.objects.get(name="fresh-1"))
    assert heard == {"host": "fresh-1"}
    assert host.labels == {"zone": "a"} and host.agent_version
    lib = home / ".local/share/steelyard-agent/lib"
    assert [each.name for each in lib.iterdir()] == [sha256(archive())]


async def test_an_agent_that_was_changed_on_the_way_is_not_run(
    cluster: Any, bare: dict[str, str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installer stops with a sentence, and leaves nothing that could be run; a wrong token does not get as far."""
    from console.fleet.agent_files import views

    script = tmp_path / "install.sh"
    script.write_bytes(views.script())
    monkeypatch.setattr(views, "archive", lambda: b"something else")
    async with serving() as place:
        words = ["/bin/sh", str(script), "--url", f"http://{place}", "--token"]
        changed = await asyncio.to_thread(
            subprocess.run, [*words, "a.b"], env=bare, capture_output=True, text=True, check=False, timeout=30
        )
        hostile = await asyncio.to_thread(
            subprocess.run,
            [*words, "a;id"],
            env=bare,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    assert changed.returncode == 2 and "not what this script was made for" in changed.stderr
    assert not (home / ".local/share/steelyard-agent/steelyard-agent.pyz").exists()
    assert hostile.returncode == 2 and "--token" in hostile.stderr


def test_the_wheel_is_one_that_pip_takes(tmp_path: Path) -> None:
    """It installs into a folder, by its own record, and starts."""
    name, content = wheel()
    (tmp_path / name).write_bytes(content)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-index",
        "--no-deps",
        "--target",
        str(tmp_path / "to"),
    ]
    subprocess.run([*pip, str(tmp_path / name)], check=True, capture_output=True)

    said = subprocess.run(
        [tmp_path / "to/bin/steelyard-agent", "--help"],
        env={"PYTHONPATH": str(tmp_path / "to")}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "join" in said


def test_another_python_is_told_so(tmp_path: Path) -> None:
    """The archive names what it is for, and what to do instead."""
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(archive())) as packed, zipfile.ZipFile(written, "w") as other:
        other.writestr("__main__.py", packed.read("__main__.py"))
        other.writestr("about.json", '{"python": "2.7", "machine": "vax"}')
    (tmp_path / "agent.pyz").write_bytes(written.getvalue())
    done = subprocess.run(
        [sys.executable, tmp_path / "agent.pyz", "run"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "Python 2.7 on vax" in done.stderr


def test_only_what_no_shell_understands_goes_into_commands(settings: Any) -> None:
    """Whatever a host header or a label says."""
    for url, options in (("http://a;id", []), ("http://a", ["--label a=$(id)"])):
        with pytest.raises(ValueError, match="does not go into a command"):
            ways(url, "a.b", options)


def test_a_consoles_own_authority_is_pinned(settings: Any, tmp_path: Path) -> None:
    """Over TLS every way checks the authority's digest before it trusts it; the file is served."""
    from console.fleet.agent_files import views

    (tmp_path / "ca.pem").write_bytes(b"an authority")
    assert Client().get("/agent/ca.pem").status_code == 404
    settings.STEELYARD_CA = str(tmp_path / "ca.pem")
    views.ca.cache_clear()
    try:
        pinned = sha256(b"an authority")
        assert all(pinned in way.command for way in ways("https://console", "a.b", []))
        assert Client().get("/agent/ca.pem").content == b"an authority"
    finally:
        views.ca.cache_clear()
    assert Client().get("/agent/../secrets").status_code == 404
