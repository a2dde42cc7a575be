"""The settings document in the API's schema: made of the types that check it, so that the two can't differ."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.engines.target.settings import Settings

PREFIX = "Service"
REFERENCE = {"$ref": f"#/components/schemas/{PREFIX}Settings"}


@extend_schema_field(REFERENCE)
class SettingsDocument(serializers.JSONField):
    """A service's settings, checked by the action."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("settings are a JSON object")
        return data


def add_settings(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put the document's types among the schema's components (a hook of drf-spectacular)."""
    _, components = msgspec.json.schema_components([Settings], ref_template="#/components/schemas/{name}")
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {f"{PREFIX}{name}": _in_openapi(schema) for name, schema in components.items()}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _in_openapi(schema: Any) -> Any:
    """JSON Schema as OpenAPI 3.0 writes it: nullable instead of a type null, references with our prefix."""
    if isinstance(schema, list):
        return [_in_openapi(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _in_openapi(value) for key, value in schema.items()}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace("schemas/", f"schemas/{PREFIX}", 1)
    choices = found.get("anyOf")
    if choices and {"type": "null"} in choices:
        rest = [each for each in choices if each != {"type": "null"}]
        del found["anyOf"]
        if len(rest) == 1 and "$ref" not in rest[0]:
            return {**found, **rest[0], "nullable": True}
        return {**found, "allOf" if len(rest) == 1 else "anyOf": rest, "nullable": True}
    return found
