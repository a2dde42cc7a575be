"""`steelyard`, the command, against the product that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from certificates_rig import Authority
from product import Product
from stack_host import ROOT, StackHost, free_port
from typer.main import get_command
from typer.testing import CliRunner, Result
from waiting import eventually

from console.cli.commands import app

pytestmark = pytest.mark.stack

#: Commands that belong to no noun.
ALONE = ("chain", "envoy", "plan", "search", "status", "underway", "up")


#: Reading all signatures takes longer than most commands, and typer's runner does it before each.
read_once = cache(get_command)


class Steelyard:
    """Runs commands; remembers which."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def __call__(self, *words: str) -> Result:
        self.used.add(" ".join(words[: 1 if words[0] in ALONE else 2]))
        return CliRunner().invoke(app, words)

    def json(self, *words: str) -> Any:
        """What the command says with --json."""
        result = self(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def said(self, *words: str) -> str:
        """What the command prints for people."""
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture(scope="module")
def once_well(started: Product) -> Product:
    """The product, mended before the first of these tests: what is refused harms nothing."""
    started.settle()
    return started


@pytest.fixture
def steelyard(once_well: Product, monkeypatch: pytest.MonkeyPatch) -> Steelyard:
    """The command, as the product's owner runs it on the same machine."""
    monkeypatch.setenv("STEELYARD_DATA", str(once_well.place.data))
    for name in ("STEELYARD_URL", "STEELYARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("typer.testing._get_command", read_once)
    return Steelyard()


@pytest.fixture
def delta(product: Product) -> Iterator[StackHost]:
    """A fourth host, which has not joined."""
    host = StackHost("delta", product.hosts["alpha"].address, product.folder / "delta", 1.0, {})
    yield host
    host.close()


def test_every_command_works(
    product: Product, steelyard: Steelyard, delta: StackHost, tree: Callable[..., int]
) -> None:
    """Each is run once with --json, and its answer is JSON that says what was done."""
    address = f"{product.address}:{free_port(product.address)}"
    size = tree("alpha", "by-hand")
    server = product.hosts["alpha"]
    endpoint, other = f"alpha:{server.port}", f"beta:{product.hosts['beta'].port}"

    assert steelyard.json("status")["hosts"] == 3
    delta.join(product.url, steelyard.json("host", "token", "--name", "delta")["token"])
    eventually(lambda: any(each["name"] == "delta" for each in steelyard.json("host", "list")))
    for verb, state in (
        ("cordon", "cordoned"),
        ("uncordon", "active"),
        ("drain", "draining"),
        ("remove", "removed"),
    ):
        assert steelyard.json("host", verb, "delta", "--reason", "a test")["state"] == state
    assert delta.processes["agent"].wait(20) == 2

    made = steelyard.json(
        "service", "create", "by-hand", "--listen", address, "--protocol", "http", "--endpoint", endpoint
    )
    assert made["listen_port"] == int(address.rpartition(":")[2])
    assert len(steelyard.json("service", "add", "by-hand", other)["endpoints"]) == 2
    words = ("service", "weights", "by-hand")
    assert steelyard.json(*words, f"{other}=40", "--dry-run")["endpoints"][1]["percent"] == 40
    for more, percent in (
        ((f"{other}=40", "--force", "--reason", "a test"), 40),
        (("--undo", "--force"), 100),
    ):
        assert steelyard.json(*words, *more)["endpoints"] != []
        shown = {each["endpoint"]: each["percent"] for each in steelyard.json(*words)["endpoints"]}
        assert shown[other] == percent
    for verb, state in (("drain", "draining"), ("close", "closed"), ("resume", "active")):
        states = {
            each["host"]: each["state"]
            for each in steelyard.json("service", verb, "by-hand", other)["endpoints"]
        }
        assert states["beta"] == state
    assert len(steelyard.json("service", "drop", "by-hand", other)["endpoints"]) == 1
    assert steelyard.json("service", "show", "by-hand")["endpoints"][0]["host"] == "alpha"
    assert {each["name"] for each in steelyard.json("service", "list")} == {"by-hand", "echo", "web"}
    assert steelyard.json("service", "tier", "by-hand", "cache")["tier"] == "cache"
    found = {node["label"]: node["column"] for node in steelyard.json("chain", "--of", "by-hand")["nodes"]}
    assert (found["by-hand"], "web" in found) == ("cache", False)
    assert "by-hand" in steelyard.said("chain")
    configured_by_hand(steelyard, product.folder)
    assert steelyard.json("service", "remove", "by-hand")["state"] == "removed"

    for kind in ("job", "shard", "service"):
        placed = steelyard.json(
            "place", kind, "by-hand", "--demand", "cpu=10m", "-d", "memory=1Mi", "-l", "zone=b"
        )
        assert placed["host"] == "gamma"
        assert placed["demand"] == {"cpu": 0.01, "memory": 2**20}
        assert steelyard.json("place", "why", placed["decision"])["outcome"] == "placed"
        assert steelyard.json("place", "release", placed["id"])["state"] == "released"

    place_by_rules(steelyard, product.folder / "gang.json")

    job = steelyard.json("job", "run", "stack.fail", "--arg", "by hand", "--demand", "cpu=10m")["id"]
    assert product.ended(job)["error"] == "ValueError: by hand"
    assert job in {each["id"] for each in steelyard.json("job", "list")}
    jobs_by_hand(product, steelyard)
    templates_by_hand(product, steelyard)

    source = ("--size", str(size), "--source", "alpha:by-hand")
    assert steelyard.json("shard", "create", "by-hand", *source)["name"] == "by-hand"
    product.ready("by-hand")
    assert "by-hand" in {each["name"] for each in steelyard.json("shard", "list")}
    shards_by_hand(product, steelyard)
    pools_by_hand(steelyard)
    assert steelyard.json("shard", "remove", "by-hand")["state"] == "removed"

    token = steelyard.json("token", "create", "robot", "--role", "viewer", "--days", "1")
    assert token["key"] in {each["key"] for each in steelyard.json("token", "list")}
    assert steelyard.json("token", "revoke", token["key"])["state"] == "revoked"

    assert steelyard.json("engine", "list")["count"] == 1
    assert len(steelyard.json("engine", "token", "edge")["token"]) > 40
    assert steelyard.json("engine", "revoke", "edge")["state"] == "revoked"
    forced = steelyard("engine", "publish", "--force", "--reason", "a test")
    assert (forced.exit_code, "holds nothing back" in forced.stderr) == (1, True)
    afar = steelyard("envoy", "--controller", "192.0.2.1:1", "--data", str(product.folder / "afar"))
    assert (afar.exit_code, "needs its token" in afar.stderr) == (2, True)
    alert_people(steelyard)
    look_and_ask(steelyard)
    manage_people(steelyard)
    choose_policies(steelyard)
    assert commands() - {"up"} == steelyard.used


def choose_policies(steelyard: Steelyard) -> None:
    """Another default for a kind of load, and back to what was built in."""
    assert "pack" in json.dumps(steelyard.json("policy", "list"))
    steelyard.json("policy", "set", "shard", "pack", "--reason", "a test")
    assert "pack" in json.dumps(steelyard.json("policy", "show", "shard"))
    steelyard.json("policy", "restore", "shard", "0", "--reason", "a test")
    assert "a test" in json.dumps(steelyard.json("policy", "history", "shard"))


def alert_people(steelyard: Steelyard) -> None:
    """An alert that a low threshold makes, who sees to it, who is told of it and who is spared."""
    assert "cpu-near-capacity" in {each["name"] for each in steelyard.json("alert", "rules")}
    low = ("alert", "rule", "cpu-near-capacity", "--threshold", "0.0001", "--raise-after", "0")
    assert steelyard.json(*low)["threshold"] == 0.0001
    alert = eventually(lambda: steelyard.json("alert", "list"), what="an alert fires")[0]["id"]
    assert steelyard.json("alert", "show", str(alert))["rule"] == "cpu-near-capacity"
    assert steelyard.json("alert", "acknowledge", str(alert))["acknowledged_by"]
    silence = steelyard.json("alert", "silence", "--reason", "a test", "--rule", "cpu-*")["id"]
    assert silence in {each["id"] for each in steelyard.json("alert", "silences")}
    assert steelyard.json("alert", "end-silence", str(silence))["ended_at"]
    assert steelyard.json("alert", "rule", "cpu-near-capacity", "--off")["is_on"] is False

    address = ("--address", "http://127.0.0.1:9/", "--secret", "by hand, by hand")
    assert steelyard.json("channel", "put", "by-hand", "webhook", *address)["kind"] == "webhook"
    assert [each["name"] for each in steelyard.json("channel", "list")] == ["by-hand"]
    assert steelyard.json("channel", "test", "by-hand")["channel"] == "by-hand"
    assert steelyard.json("channel", "remove", "by-hand")["state"] == "removed"


def look_and_ask(steelyard: Steelyard) -> None:
    """What there is, what runs, and what would be; and many at once, with the way back."""
    assert "alpha" in {each["title"] for each in steelyard.json("search", "alpha")["results"]}
    assert isinstance(steelyard.json("underway"), list)
    plan = steelyard.json("plan", "--drain", "gamma")
    assert plan["appliable"]
    hosts = ("alpha", "gamma")
    foreseen = steelyard.json("bulk", "run", "host.cordon", *hosts)["results"]
    assert {each["after"] for each in foreseen} == {"cordoned"}
    act = steelyard.json("bulk", "run", "host.cordon", *hosts, "--apply")["id"]
    assert {each["after"] for each in steelyard.json("bulk", "undo", act)["results"]} == {"active"}
    assert steelyard.json("demo", "status")["hosts"] == 0
    beside_real = steelyard("demo", "start", "--hosts", "2")
    assert (beside_real.exit_code, "real" in beside_real.stderr) == (1, True)
    nothing_there = steelyard("demo", "remove")
    assert (nothing_there.exit_code, "no demo fleet" in nothing_there.stderr) == (1, True)


def manage_people(steelyard: Steelyard) -> None:
    """One person, from the link to the end; and one preference."""
    assert "/password/" in steelyard.json("person", "create", "by-hand", "viewer")["url"]
    assert steelyard.json("person", "role", "by-hand", "operator")["role"] == "operator"
    for verb, is_active in (("disable", False), ("enable", True)):
        assert steelyard.json("person", verb, "by-hand")["is_active"] is is_active
    assert "/password/" in steelyard.json("person", "link", "by-hand")["url"]
    reset = steelyard("person", "reset-second-factor", "by-hand", "--json")
    assert (reset.exit_code, "has no second factor" in reset.stderr) == (1, True)
    assert "by-hand" in {each["username"] for each in steelyard.json("person", "list")}
    assert steelyard.json("preference", "set", "density", "compact")["document"] == "compact"
    chosen = {each["key"]: each["chosen"] for each in steelyard.json("preference", "list")}
    assert chosen["density"]
    assert steelyard.json("preference", "forget", "density")["document"] != "compact"


def configured_by_hand(steelyard: Steelyard, folder: Path) -> None:
    """Certificates, keys and settings; all of it is gone at the end."""
    chain, key = Authority().issue("a.test").into(folder, "by-hand")
    assert steelyard.json("certificate", "add", "by-hand", "--chain", chain, "--key", key)["names"] == [
        "a.test"
    ]
    assert len(steelyard.json("api-key", "create", "by-hand")["key"]) > 40
    words = ("service", "configure", "by-hand")
    tls = steelyard.json(*words, "--set", 'front.tls.certificates=["by-hand"]', "--set", "http.timeout_s=5")
    assert tls == {"front": {"tls": {"certificates": ["by-hand"]}}, "http": {"timeout_s": 5.0}}
    shared = steelyard.json("service", "weights", "by-hand", "by-hand=95", "web=5")
    assert [each["weight"] for each in shared["http"]["destinations"]] == [95, 5]
    assert shared == steelyard.json("service", "settings", "by-hand")
    shown = steelyard.json("service", "preview", "by-hand", "--set", 'http.hosts=["a.test"]')
    assert shown["RouteConfiguration"]["by-hand"]["virtualHosts"][0]["domains"] == ["a.test"]
    assert steelyard.json("certificate", "list")[0]["used_by"] == ["by-hand"]
    assert steelyard.json("api-key", "list")[0]["name"] == "by-hand"
    (folder / "settings.json").write_text("{}")
    assert steelyard.json(*words, "--file", str(folder / "settings.json"), "--replace") == {}
    assert steelyard.json("certificate", "remove", "by-hand")["state"] == "removed"
    assert steelyard.json("api-key", "remove", "by-hand")["state"] == "removed"


def place_by_rules(steelyard: Steelyard, file: Path) -> None:
    """Replicas, a gang and a proposal, with every option of a placement; what was placed is released."""
    words = ["place", "service", "rules", "-d", "cpu=10m", "--replicas", "2", "--group", "rules"]
    words += ["--spread", "zone", "--spread", "host:3", "--apart", "nobody:zone", "--near", "nobody:zone:0.1"]
    words += ["--prefer", "host=beta:9", "--pin", "beta", "--pin", "gamma", "--exclude", "alpha"]
    replicas = steelyard.json(*words, "--priority", "-7", "--policy", "pack", "--option", "weights.cpu=2")
    assert {each["host"] for each in replicas["placements"]} == {"beta", "gamma"}
    assert {each["priority"] for each in replicas["placements"]} == {-7}
    third = steelyard(*words)
    assert (third.exit_code, third.stdout) == (1, "")
    assert "full failure domain" in third.stderr

    loads = [{"kind": "job", "name": f"g{n}", "demand": {"cpu": 0.01}, "group": "g", "apart": [{"group": "g"}]}
             for n in range(3)]  # fmt: skip
    file.write_text(json.dumps(loads))
    gang = steelyard.json("place", "gang", str(file))
    assert {each["host"] for each in gang["placements"]} == {"alpha", "beta", "gamma"}
    file.write_text(json.dumps({"gang": [*loads, loads[0]]}))
    assert "Nothing of the gang of 4" in steelyard("place", "gang", str(file)).stderr

    proposal = steelyard.json("place", "preemption", "urgent", "-d", "cpu=10m", "--priority", "9")
    assert (proposal["needed"], proposal["best"]) == (False, None)
    for each in [*replicas["placements"], *gang["placements"]]:
        steelyard.json("place", "release", each["id"])


def test_what_people_read(product: Product, steelyard: Steelyard) -> None:
    """Without --json the same is said in a table."""
    placed = steelyard.json("place", "job", "read-me", "--demand", "cpu=10m")

    assert "alpha" in steelyard.said("host", "list")
    assert "gamma" in steelyard.said("service", "show", "web")
    assert str(product.web_port) in steelyard.said("service", "list")
    assert placed["sentence"] in " ".join(steelyard.said("place", "why", placed["decision"]).split())
    assert "released" in steelyard.said("place", "release", placed["id"])
    assert "hosts" in steelyard.said("status")
    assert "." in steelyard.said("host", "token")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("place", "job", "x", "--demand", "cpu"), "'cpu' is not KEY=VALUE"),
        (("place", "job", "x", "--demand", "cpu=lots"), '"lots" is not an amount'),
        (("place", "job", "x", "--demand", "cpu=-1"), "cpu"),
        (("place", "job", "x", "--demand", "cpus=1"), "cpus"),
        (("place", "job", "x", "--demand", "cpu=1", "--label", "zone"), "'zone' is not KEY=VALUE"),
        (("place", "job", "x", "--demand", "cpu=1", "--policy", "nonsense"), "nonsense"),
        (("place", "job", "x", "--demand", "cpu=5000"), "cpu"),
        (
            ("place", "job", "x", "-d", "cpu=1", "--spread", "zone:wide"),
            "'zone:wide' does not end in a whole number",
        ),
        (("place", "job", "x", "-d", "cpu=1", "--spread", "zone:0"), "spread.0.max_skew"),
        (("place", "job", "x", "-d", "cpu=1", "--near", ":zone"), "':zone' is not GROUP"),
        (("place", "job", "x", "-d", "cpu=1", "--prefer", "zone"), "'zone' is not LEVEL=VALUE"),
        (("place", "job", "x", "-d", "cpu=1", "--option", "colour=red"), "options.colour"),
        (("place", "job", "x", "-d", "cpu=1", "--replicas", "0"), "replicas"),
        (("place", "job", "x", "-d", "cpu=1", "--priority", "high"), "Invalid value for '--priority'"),
        (("place", "job", "x", "-d", "cpu=1", "--pin", "alpha", "--exclude", "alpha"), "pinned and excluded"),
        (("place", "gang", "/nowhere/gang.json"), "No such file"),
        (("place", "gang", "/dev/null"), "is not JSON"),
        (("place", "preemption", "x", "--demand", "cpus=1"), "cpus"),
        (("place", "why", "0b1c6b1e-0000-4000-8000-000000000000"), "0b1c6b1e"),
        (("place", "why", "not-an-id"), "'not-an-id' is no decision's id"),
        (
            ("service", "create", "x", "--listen", "nowhere", "--protocol", "http", "--endpoint", "alpha:1"),
            "listen",
        ),
        (
            (
                "service",
                "create",
                "x",
                "--listen",
                "127.0.0.1:1",
                "--protocol",
                "ftp",
                "--endpoint",
                "alpha:1",
            ),
            "ftp",
        ),
        (
            (
                "service",
                "create",
                "x",
                "--listen",
                "127.0.0.1:1",
                "--protocol",
                "http",
                "--endpoint",
                "omega:1",
            ),
            "omega",
        ),
        (("service", "show", "none"), "none"),
        (("host", "drain", "omega"), "omega"),
        (("host", "drain", "alpha", "--then-end"), "--then-end"),
        (("service", "weights", "web", "alpha:1=5", "beta=5"), "WEIGHTS"),
        (("host", "token", "--life", "0"), "life_s"),
        (("host", "remove", "alpha"), "alpha still holds"),
        (("job", "run", "not a task", "--demand", "cpu=1"), "task"),
        (("job", "cancel", "not-an-id"), "'not-an-id' is no job's id"),
        (("shard", "create", "x", "--size", "big", "--source", "alpha:x"), "--size"),
        (("shard", "create", "x", "--size", "1Gi", "--source", "alpha"), "HOST:PATH is needed"),
        (("shard", "create", "x", "--size", "1Gi", "--source", "omega:x"), "omega"),
        (("storage-pool", "put", "x", "--erasure", "4"), "--erasure"),
        (("storage-pool", "put", "x", "--low", "2"), "low"),
        (("storage-pool", "put", "x", "--redis", "nowhere"), "seed"),
        (("storage-pool", "survey", "default"), "nothing to find"),
        (("storage-pool", "capacity", "--add", "2Ti"), "--add"),
        (("token", "create", "x", "--role", "emperor"), "emperor"),
        (("token", "revoke", "nothing"), "nothing"),
        (("nonsense", "nonsense"), "No such command 'nonsense'"),
    ],
)
def test_wrong_input_is_refused_in_one_line(steelyard: Steelyard, words: tuple[str, ...], says: str) -> None:
    """The exit code is not zero, and one line of standard error names what is wrong."""
    result = steelyard(*words)

    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    assert any(says in line for line in result.stderr.splitlines()), result.stderr
    assert "Traceback" not in result.stderr


def test_a_refused_placement_says_why_for_each_host(product: Product, steelyard: Steelyard) -> None:
    """Under the sentence stands a line a host."""
    lines = steelyard("place", "job", "x", "--demand", "cpu=5000").stderr.splitlines()

    assert {line.split(":")[0].strip() for line in lines[1:]} == {"alpha", "beta", "gamma"}


def test_without_a_console_it_says_so(tmp_path: Path) -> None:
    """As a command of its own: exit code 1, one line, no trace."""
    nothing = run(tmp_path, "status")
    gone = run(
        tmp_path, "status", STEELYARD_URL=f"http://127.0.0.1:{free_port('127.0.0.1')}", STEELYARD_TOKEN="x"
    )

    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (1, 1)
    assert "No console is known here" in nothing.stderr
    assert (gone.returncode, len(gone.stderr.splitlines())) == (1, 1)
    assert "does not answer" in gone.stderr


def test_a_wrong_token_is_refused(product: Product, tmp_path: Path) -> None:
    """The command says so and does nothing."""
    result = run(tmp_path, "host", "drain", "alpha", STEELYARD_URL=product.url, STEELYARD_TOKEN="0" * 64)

    assert result.returncode == 1
    assert "Unauthorized" in result.stderr
    assert product.client.host("alpha")["state"] == "active"


def test_a_second_up_on_the_same_data_is_refused(product: Product) -> None:
    """One supervisor a data directory: the second says so, and the first goes on."""
    result = run(product.place.data, "up")

    assert result.returncode == 1
    assert "runs already" in result.stderr
    assert product.supervisor is not None
    assert product.supervisor.poll() is None


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:eighty"])
def test_up_refuses_an_address_that_is_none(tmp_path: Path, listen: str) -> None:
    """STEELYARD_LISTEN is named, and nothing is started."""
    result = run(tmp_path, "up", STEELYARD_LISTEN=listen)

    assert result.returncode == 1
    assert "STEELYARD_LISTEN" in result.stderr
    assert "Traceback" not in result.stderr


def run(data: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process, with nothing of this one's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD")}
    return subprocess.run(
        [sys.executable, "-c", "from console.cli import main; main()", *words],
        cwd=ROOT, env={**kept, "STEELYARD_DATA": str(data), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def shards_by_hand(product: Product, steelyard: Steelyard) -> None:
    """Its copies are read again; a plan that empties one of its hosts is proposed, applied and carried out."""
    steelyard.json("shard", "verify", "by-hand")
    eventually(lambda: all(each["verified_at"] for each in product.client.shard("by-hand")["replicas"]))
    host = product.ready("by-hand")["replicas"][0]["host"]
    plan = str(steelyard.json("rebalance", "propose", "--drain", host)["id"])
    assert plan in {str(each["id"]) for each in steelyard.json("rebalance", "list")}
    assert steelyard.json("rebalance", "apply", plan, "--reason", "a test")["state"] == "running"
    eventually(lambda: product.client.get(f"rebalances/{plan}/")["state"] == "done")
    moves = steelyard.json("rebalance", "show", plan)["moves"]
    assert [each["state"] for each in moves if each["shard"] == "by-hand"] == ["done"]
    assert host not in {each["host"] for each in product.ready("by-hand")["replicas"]}
    assert not product.hosts[host].shard("by-hand").exists()
    for verb in ("pause", "resume"):
        assert "it is done" in steelyard("rebalance", verb, plan).stderr
    back = steelyard.json("rebalance", "undo", plan, "--reason", "a test")
    assert (back["undoes"], back["moves"][0]["target"]) == (int(plan), host)
    idle = str(steelyard.json("rebalance", "propose")["id"])
    assert steelyard.json("rebalance", "cancel", idle)["state"] == "cancelled"


def pools_by_hand(steelyard: Steelyard) -> None:
    """A pool is made, changed in one thing and removed; a shard is measured; how long the room lasts is said."""
    made = steelyard.json("storage-pool", "put", "by-hand", "--erasure", "2+1", "--low", "0.8", "--mb-s", "5")
    assert (made["kind"], made["pieces"], made["mover"], made["bytes_s"]) == ("erasure", 3, "none", 5e6)
    changed = steelyard.json("storage-pool", "put", "by-hand", "--automatic", "propose", "--reason", "a test")
    assert (changed["data"], changed["low"], changed["automatic"]) == (2, 0.8, "propose")
    assert steelyard.json("storage-pool", "show", "by-hand") == changed
    assert "spread_level" in steelyard.said("storage-pool", "show", "by-hand")
    found = steelyard.json("storage-pool", "put", "cache", "--redis", "127.0.0.1:1", "--slots", "128")
    assert (found["kind"], found["slots"], found["cluster"]["nodes"]) == ("redis cluster", 128, [])
    assert steelyard.json("storage-pool", "survey", "cache")["seed"] == "127.0.0.1:1"
    steelyard.json("storage-pool", "remove", "cache")
    assert {"by-hand", "default"} <= {each["name"] for each in steelyard.json("storage-pool", "list")}
    said = steelyard.json("shard", "measure", "by-hand", "--growth", "1Mi", "--read", "1Ki")
    assert (said["growth_bytes_day"], said["read_bytes_s"]) == (2**20, 2**10)
    now = {each["name"] for each in steelyard.json("storage-pool", "capacity")}
    would = ("storage-pool", "capacity", "--without", "alpha", "--add", "2x1Ti,zone=a")
    assert {each["name"] for each in steelyard.json(*would)} == now - {"alpha"} | {"new1-1", "new1-2"}
    assert steelyard.json("storage-pool", "remove", "by-hand")["state"] == "removed"


def jobs_by_hand(product: Product, steelyard: Steelyard) -> None:
    """What waits, what waits for that, an array; tenants and schedules."""
    waiting = steelyard.json(
        "job", "run", "stack.add", "--demand", "cpu=5000", "--tenant", "cli", "--tries", "2",
        "--priority", "3", "--deadline", "2090-01-31T12:00:00+0000", "--preemptible", "--second-copy",
    )["id"]  # fmt: skip
    assert [waiting] == [each["id"] for each in steelyard.json("job", "list", "--tenant", "cli")]
    shown = steelyard.json("job", "show", waiting)
    assert (shown["tries"], shown["priority"], shown["deadline"]) == (2, 3, "2090-01-31T12:00:00Z")
    assert (shown["preemptible"], shown["second_copy"]) == (True, True)
    assert "cli's next job" in steelyard.said("job", "show", waiting)
    assert steelyard.json("job", "log", waiting) == {"text": ""}
    after = steelyard.json("job", "run", "stack.add", "-d", "cpu=10m", "--after", waiting)
    assert after["state"] == "blocked"
    array = steelyard.json(
        "job", "array", "stack.add", "-d", "cpu=10m", "--each", "[1, 2]", "--each", "[3, 4]"
    )
    assert sorted(product.ended(each["id"])["result"]["sum"] for each in array) == [3, 7]
    assert isinstance(steelyard.json("job", "tasks"), list)
    assert {each["state"] for each in steelyard.json("job", "workers")} <= {"well", "stuck"}
    assert steelyard.json("job", "cancel", waiting)["state"] == "cancelled"
    assert product.client.job(after["id"])["state"] == "failed"
    set_to = steelyard.json("tenant", "set", "cli", "--weight", "2", "--quota", "memory=1Gi", "--reason", "r")
    assert (set_to["weight"], set_to["quota"], set_to["preempts"]) == (2.0, {"memory": 2**30}, "own")
    assert steelyard.json("tenant", "set", "cli", "--preempts", "others")["preempts"] == "others"
    assert steelyard.json("tenant", "shares", "--range", "24h")["step_s"] == 900.0
    assert "fair" in steelyard.said("tenant", "shares")
    assert "cli" in {each["name"] for each in steelyard.json("tenant", "list")}
    assert "as everybody" in steelyard.said("tenant", "forget", "cli")
    job = '{"task": "stack.add", "args": [1, 1]}'
    assert steelyard.json("schedule", "put", "yearly", "0 3 1 1 *", job)["request"]["task"] == "stack.add"
    assert ["yearly"] == [each["name"] for each in steelyard.json("schedule", "list")]
    assert "removed" in steelyard.said("schedule", "remove", "yearly")


def templates_by_hand(product: Product, steelyard: Steelyard) -> None:
    """A process that a host allows, run by a job."""
    file = product.folder / "template.json"
    word = {"type": "text", "pattern": "[a-z]+"}
    file.write_text(
        json.dumps({"argv": ["/bin/echo", "{word}"], "parameters": {"word": word}, "output": "result"})
    )
    kept = steelyard.json("template", "put", "say", "--file", str(file), "--demand", "cpu=10m")
    assert kept["line"] in steelyard.said("template", "show", "say")
    (product.hosts["gamma"].data / "templates").write_text(kept["line"])
    job = steelyard.json("template", "run", "say", "-p", "word=hello", "-l", "zone=b")["id"]
    assert product.ended(job)["result"]["output"] == "hello\n"
    assert "say" in {each["name"] for each in steelyard.json("template", "list")}
    steelyard("template", "remove", "say")
    assert "say" not in {each["name"] for each in steelyard.json("template", "list")}


def commands() -> set[str]:
    """Every command there is, as its words."""

    def walk(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
        if not hasattr(command, "commands"):
            yield " ".join(words)
            return
        for name, child in command.commands.items():
            yield from walk(child, (*words, name))

    return set(walk(typer.main.get_command(app)))
