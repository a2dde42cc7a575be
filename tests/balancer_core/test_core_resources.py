"""Dimensions: names to columns and back."""

from __future__ import annotations

import numpy as np
import pytest

from balancer_core.cluster import Cluster
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import decide
from balancer_core.resources import STANDARD, Dimensions, InvalidAmount, Resource


def test_a_vector_has_the_order_of_the_names() -> None:
    """What is not named is zero, and mapping() gives every name back."""
    dimensions = Dimensions()
    vector = dimensions.vector({"memory": 2.0, "cpu": 1})
    assert vector.tolist() == [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]
    assert dimensions.mapping(vector) == {
        "cpu": 1.0,
        "memory": 2.0,
        "disk": 0,
        "disk_io": 0,
        "net_in": 0,
        "net_out": 0,
    }


def test_extras_are_appended() -> None:
    """A named extra is a dimension like any other."""
    dimensions = Dimensions((*STANDARD, Resource("gpu", "gpu", "rate")))
    assert dimensions.index("gpu") == 6
    assert dimensions.format("gpu", 2) == "2 gpu"


@pytest.mark.parametrize(
    ("amounts", "field", "code"),
    [
        ({"gpu": 1}, "used.gpu", "unknown_resource"),
        ({"cpu": float("nan")}, "used.cpu", "not_finite"),
        ({"cpu": float("inf")}, "used.cpu", "not_finite"),
        ({"memory": -1}, "used.memory", "negative"),
        ({"memory": 1e308}, "used.memory", "too_large"),
        ({"memory": "2"}, "used.memory", "not_a_number"),
    ],
)
def test_wrong_amounts_name_their_field(amounts: dict[str, float], field: str, code: str) -> None:
    """The error says which resource and why."""
    with pytest.raises(InvalidAmount) as refused:
        Dimensions().vector(amounts, "used")
    assert (field, code) == (refused.value.field, refused.value.code)


def test_a_capacity_too_small_to_share_out_is_refused() -> None:
    """Dividing by a denormal would drown every other term."""
    with pytest.raises(InvalidAmount, match="too little"):
        Dimensions().capacity_vector({"cpu": 5e-324})


@pytest.mark.parametrize(
    "bad", [np.zeros(5), np.zeros((1, 6)), np.array([np.nan, 0, 0, 0, 0, 0]), np.full(6, -1.0)]
)
def test_vectors_of_wrong_shape_or_content_are_refused(bad: np.ndarray) -> None:
    """check_vector takes R valid amounts and nothing else."""
    with pytest.raises(InvalidAmount):
        Dimensions().check_vector(bad)


def test_parse_checks_each_amount_against_its_unit() -> None:
    """People's writing becomes base units; a wrong unit names its field."""
    dimensions = Dimensions()
    assert dimensions.parse({"cpu": "500m", "memory": "2Gi"}) == {"cpu": 0.5, "memory": 2.0**31}
    with pytest.raises(InvalidAmount) as refused:
        dimensions.parse({"memory": "500m"}, "demand")
    assert refused.value.field == "demand.memory"


@pytest.mark.parametrize(
    "resources",
    [
        [],
        [STANDARD[0], STANDARD[0]],
        [Resource("", "x", "rate")],
        [Resource(f"r{n}", "x", "rate") for n in range(33)],
    ],
)
def test_dimensions_must_be_few_and_different(resources: list[Resource]) -> None:
    """None, repeated, nameless or too many resources are refused."""
    with pytest.raises(ValueError, match="resources"):
        Dimensions(resources)


def test_whole_resources_are_asked_for_and_owned_in_whole_units() -> None:
    """One and a half devices are a mistake in a demand and in a capacity; in use there may be any amount."""
    cluster = Cluster(Dimensions((*STANDARD, Resource("gpu", "", "capacity", whole=True))))
    with pytest.raises(InvalidAmount) as refused:
        cluster.add_host("h", {"cpu": 8.0, "gpu": 1.5})
    assert ("capacity.gpu", "not_whole") == (refused.value.field, refused.value.code)
    assert 0 == len(cluster)
    cluster.add_host("h", {"cpu": 8.0, "gpu": 2.0})
    cluster.report("h", {"gpu": 0.4}, 1.0)
    with pytest.raises(InvalidLoad) as asked:
        decide(cluster.snapshot(), Load("job", "j", {"gpu": 0.5}), 1.0)
    assert ("demand.gpu", "not_whole") == (asked.value.field, asked.value.code)
    assert "h" == decide(cluster.snapshot(), Load("job", "j", {"gpu": 1.0}), 1.0).host
