"""What settings name, and what a node need not know."""

from __future__ import annotations

from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.render import CERTIFICATE
from console.engines.target import ApiKey, Certificate, ServiceTarget, TrafficTarget
from console.engines.target.settings import settings_of


def _service(name: str, port: int, certificate: str, key: str, *engines: str) -> ServiceTarget:
    document = {
        "front": {"tls": {"certificates": [certificate]}},
        "http": {"routes": [{"api_keys": [key]}]},
        "engines": list(engines),
    }
    return ServiceTarget(name, "http", "127.0.0.1", port, settings=settings_of(document))


def test_a_node_gets_the_secrets_of_its_services_alone() -> None:
    """What leads to nobody there is not said to it."""
    one, two = _service("one", 1001, "of-one", "k-one", "a"), _service("two", 1002, "of-two", "k-two", "b")
    engine = EnvoyEngine(())
    engine.target = TrafficTarget(
        (one, two),
        certificates=tuple(Certificate(name, ca="PEM") for name in ("of-one", "of-two", "of-nobody")),
        api_keys=(ApiKey("k-one", "1" * 16), ApiKey("k-two", "2" * 16)),
    )
    of_a, of_b = engine._of("a").resources, engine._of("b").resources

    assert (["of-one/ca"], ["of-two/ca"]) == (list(of_a[CERTIFICATE]), list(of_b[CERTIFICATE]))
    said = {
        node: b"".join(each.value for kind in of.values() for each in kind.values())
        for node, of in (("a", of_a), ("b", of_b))
    }
    assert (True, False) == (b"1" * 16 in said["a"], b"2" * 16 in said["a"])
    assert (False, True) == (b"1" * 16 in said["b"], b"2" * 16 in said["b"])
