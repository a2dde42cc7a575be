"""Options that policies share: their schema (for forms, docs and validation) and their meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.errors import InvalidInput
from balancer_core.resources import Dimensions, InvalidAmount, check_amount

WEIGHT_LIMIT: Final = 1000.0

WEIGHTS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "weights": {
            "type": "object",
            "description": "How much each resource counts; 1 where not given.",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": WEIGHT_LIMIT},
        }
    },
    "additionalProperties": False,
}


class InvalidOption(InvalidInput):
    """An option that the policy does not have, or a value that its schema does not allow."""


def check_options(options: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Every option must be one that the schema names, and a number where it says so.

    Errors: InvalidOption, code unknown_option, not_a_number or out_of_range.
    """
    for name, value in options.items():
        if name not in schema["properties"]:
            known = ", ".join(schema["properties"])
            raise InvalidOption(
                f"options.{str(name)[:80]}", "unknown_option", f"the policy's options are {known}."
            )
        allowed = schema["properties"][name]
        if allowed.get("type") == "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidOption(
                    f"options.{name}", "not_a_number", f"{str(value)[:80]!r} is not a number."
                )
            least, most = allowed.get("minimum", -math.inf), allowed.get("maximum", math.inf)
            if not least <= value <= most:
                raise InvalidOption(
                    f"options.{name}", "out_of_range", f"{value!r} is not from {least:g} to {most:g}."
                )


def weights(options: Mapping[str, Any], dimensions: Dimensions) -> NDArray[np.float64]:
    """float64[R] of the option weights. Errors: InvalidOption naming options.weights.resource."""
    vector = np.ones(len(dimensions))
    if "weights" not in options:
        return vector
    given = options["weights"]
    if not isinstance(given, Mapping):
        raise InvalidOption("options.weights", "not_a_mapping", "weights are pairs of resource and number.")
    for name, weight in given.items():
        field = f"options.weights.{str(name)[:80]}"
        try:
            checked = check_amount(weight, field)
            column = dimensions.index(name, field)
        except InvalidAmount as error:
            raise InvalidOption(field, error.code, error.reason) from None
        if checked > WEIGHT_LIMIT:
            raise InvalidOption(field, "too_large", f"{checked:g} is above {WEIGHT_LIMIT:g}.")
        vector[column] = checked
    return vector
