"""Requests that name a field which does not exist are refused: what is misspelt must not be left out in silence."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer):
    """A serializer of what is asked for; an unknown field is an error of that field."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(str(name) for name in data.keys() - self.fields.keys())
            if unknown:
                known = ", ".join(sorted(self.fields))
                raise serializers.ValidationError(
                    {name[:80]: f"there is no such field; there is {known}" for name in unknown[:5]}
                )
        return super().to_internal_value(data)
