"""What a host of the rack may be."""

from __future__ import annotations

import math

import pytest

from bench.rack.specs import MAX_QUOTA_SHARE, HostSpec, check_specs, cpu_quota, fit_cores, machine_cores

MIB = 1 << 20


def spec(
    name: str = "a", cores: float = 0.1, memory_bytes: int = 64 * MIB, net_bytes_s: float = 1e6
) -> HostSpec:
    return HostSpec(name, cores, memory_bytes, net_bytes_s)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "A_b"),
        ("name", "x" * 33),
        ("cores", math.nan),
        ("cores", 0.0),
        ("cores", -1.0),
        ("memory_bytes", 1),
        ("net_bytes_s", math.inf),
        ("net_bytes_s", 10.0),
    ],
)
def test_impossible_host_is_refused_by_field(field: str, value: object) -> None:
    """A spec that makes no sense names the field that is wrong."""
    with pytest.raises(ValueError, match=f"^{field}: "):
        spec(**{field: value})  # type: ignore[arg-type]


def test_quota_never_below_a_millisecond() -> None:
    """Ordinary hosts share one period; a tiny host gets a longer one, so that the kernel takes its quota."""
    assert cpu_quota(0.25) == (25_000, 100_000)
    assert cpu_quota(2.0) == (200_000, 100_000)
    assert cpu_quota(0.005) == (1_000, 200_000)
    assert cpu_quota(0.001) == (1_000, 1_000_000)


def test_hosts_beyond_the_machine_are_refused_and_can_be_fitted() -> None:
    """Quotas above 60 % of the machine are refused; fit_cores keeps their proportions and fits."""
    limit = MAX_QUOTA_SHARE * machine_cores()
    wanted = [spec("a", 3 * limit), spec("b", limit)]

    with pytest.raises(ValueError, match="60 %"):
        check_specs(wanted)

    fitted = fit_cores(wanted)
    check_specs(fitted)
    assert sum(host.cores for host in fitted) == pytest.approx(limit)
    assert fitted[0].cores == pytest.approx(3 * fitted[1].cores)
    assert fit_cores([spec("a", limit / 2)])[0].cores == limit / 2


def test_names_must_differ() -> None:
    """Two hosts of one name, or none at all, make no rack."""
    with pytest.raises(ValueError, match="no name twice"):
        check_specs([spec("a"), spec("a")])
    with pytest.raises(ValueError, match="at least one"):
        check_specs([])
