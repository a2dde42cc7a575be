"""A policy's options as form fields, made from its JSON schema.

A number, a text, a choice and a yes-or-no are one field each, empty for what the policy does by itself; numbers by name
(weights) one field for each resource that hosts have. Whatever else a schema says is a field of JSON. What is taken is
checked again by the action, as placements check it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class Group:
    """The fields of one option. legend, hint: its name and what it is, where it has several fields."""

    legend: str
    hint: str
    fields: list[forms.BoundField]


class OptionsForm(forms.Form):
    """The options of one policy. values: what they are now; resources: what numbers by name may be about."""

    def __init__(
        self,
        data: Any,
        schema: Mapping[str, Any],
        values: Mapping[str, Any],
        resources: Iterable[str],
        *,
        disabled: bool = False,
    ) -> None:
        super().__init__(data, auto_id="option-%s")
        self._paths: dict[str, tuple[str, ...]] = {}
        self._properties: Mapping[str, Any] = schema.get("properties", {})
        for name, says in self._properties.items():
            if _is_numbers(says):
                given = values.get(name)
                given = given if isinstance(given, Mapping) else {}
                for key in [*resources, *(each for each in given if each not in set(resources))]:
                    self._add((name, key), _field(key, says["additionalProperties"]), given.get(key))
            else:
                field = _field(name, says)
                field.help_text = says.get("description", "")
                self._add((name,), field, values.get(name))
        for field in self.fields.values():
            field.disabled = disabled

    def _add(self, path: tuple[str, ...], field: forms.Field, value: Any) -> None:
        name = ".".join(path)
        field.required = False
        field.initial = (
            json.dumps(value) if isinstance(field, _Chosen | _Json) and value is not None else value
        )
        self.fields[name], self._paths[name] = field, path

    def groups(self) -> list[Group]:
        """The fields as the page shows them, option by option."""
        return [
            Group(*((name, says.get("description", "")) if _is_numbers(says) else ("", "")), bound)
            for name, says in self._properties.items()
            if (bound := [self[each] for each, path in self._paths.items() if path[0] == name])
        ]

    def options(self) -> dict[str, Any]:
        """What was filled in."""
        found: dict[str, Any] = {}
        for name, (first, *key) in self._paths.items():
            value = self.cleaned_data.get(name)
            if value is None or value == "":
                continue
            if key:
                found.setdefault(first, {})[key[0]] = value
            else:
                found[first] = value
        return found


class _Chosen(forms.TypedChoiceField):
    """One of some JSON values."""

    def __init__(self, label: str, values: Iterable[Any]) -> None:
        said = [(json.dumps(each), each if isinstance(each, str) else json.dumps(each)) for each in values]
        super().__init__(
            label=label, choices=[("", "as it is built"), *said], coerce=json.loads, empty_value=None
        )


class _Json(forms.CharField):
    """Anything, as JSON."""

    def __init__(self, label: str) -> None:
        super().__init__(
            label=label, max_length=LONGEST_TEXT, widget=forms.Textarea({"rows": 4, "class": "code"})
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"no JSON: {error}") from None


def _is_numbers(says: Mapping[str, Any]) -> bool:
    """Whether an option is numbers by name."""
    inner = says.get("additionalProperties")
    return says.get("type") == "object" and isinstance(inner, Mapping) and inner.get("type") == "number"


def _field(label: str, says: Mapping[str, Any]) -> forms.Field:
    if "enum" in says:
        return _Chosen(label, says["enum"])
    limits = {"min_value": says.get("minimum"), "max_value": says.get("maximum")}
    # The browser's own number field is left out: it takes commas for points in some languages, and says nothing.
    plain = forms.TextInput({"inputmode": "decimal", "autocomplete": "off"})
    match says.get("type"):
        case "number":
            return forms.FloatField(label=label, widget=plain, **limits)
        case "integer":
            return forms.IntegerField(label=label, widget=plain, **limits)
        case "boolean":
            return _Chosen(label, [True, False])
        case "string":
            return forms.CharField(label=label, max_length=LONGEST_TEXT)
        case _:
            return _Json(label)
