"""What may be asked of placement over REST, and the core's loads that it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rest_framework import serializers

from balancer_core.constraints import MAX_WEIGHT
from balancer_core.load import KINDS, MAX_PRIORITY
from balancer_core.placement import Company, InvalidLoad, Load, Preference, Spread
from console.placements.actions.together import MOST_LOADS
from console.policies.defaults import chosen

Constraint = TypeVar("Constraint")


class Strict(serializers.Serializer):
    """Refuses fields that it does not have: a misspelt rule must not be a rule that nobody keeps.

    Every field is required or has a default. Those that are left out are not asked one by one, as a serializer
    does: most of a load's are, and every placement waits for it.
    """

    CALLED = "a load"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            return super().to_internal_value(data)  # says what is wrong
        fields = self.fields
        if extra := sorted(set(data) - set(fields)):
            known = f"no such field; {self.CALLED} has {', '.join(fields)}"
            raise serializers.ValidationError({str(name): [known] for name in extra})
        found, errors = {}, {}
        for name, field in fields.items():
            if name not in data and not field.required:
                found[name] = field.default() if callable(field.default) else field.default
                continue
            try:
                found[name] = field.run_validation(data.get(name, serializers.empty))
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return found


def _counts(what: str) -> serializers.DictField:
    return serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        default=dict,
        help_text=f"How many of the group each domain holds, by label value or host name. {what}",
    )


def _level(**options: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=63, help_text='A label such as zone or rack, or "host".', **options
    )


def _weight(**options: Any) -> serializers.FloatField:
    return serializers.FloatField(min_value=0, max_value=MAX_WEIGHT, **options)


class SpreadRequest(Strict):
    """How evenly a group lies over failure domains."""

    CALLED = "a spread"

    level = _level()
    taken = _counts("Counted by the server where it is left out and the load has a group.")
    max_per_domain = serializers.IntegerField(
        min_value=1, allow_null=True, default=None, help_text="1 where max_skew is not given either."
    )
    max_skew = serializers.IntegerField(
        min_value=1,
        allow_null=True,
        default=None,
        help_text="A domain may hold at most so many more than the one that holds least.",
    )


class CompanyRequest(Strict):
    """What the load shall be near to, or apart from: in the same domain of the level, or in another one."""

    CALLED = "a company"

    group = serializers.CharField(max_length=200, trim_whitespace=False)
    level = _level(default="host")
    found = _counts("Counted by the server where it is left out.")
    weight = _weight(
        allow_null=True,
        default=None,
        help_text="What a host is charged where it does not hold; null: it must.",
    )


class PreferenceRequest(Strict):
    """A label's value, or a host, that is preferred."""

    CALLED = "a preference"

    level = _level()
    value = serializers.CharField(
        max_length=63, allow_blank=True, help_text="The label's value, or the host's name."
    )
    weight = _weight(help_text="What the other hosts are charged.")


def _hosts(what: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=63), default=list, help_text=what)


class LoadRequest(Strict):
    """Something to place. Amounts in cores, bytes and bytes/s."""

    kind = serializers.ChoiceField(KINDS)
    name = serializers.CharField(max_length=200)
    demand = serializers.DictField(child=serializers.FloatField())
    labels = serializers.DictField(child=serializers.CharField(max_length=100), default=dict)
    exclude_hosts = _hosts("Hosts that must not take it.")
    pin_hosts = _hosts("Where any is named, only these may take it.")
    spread = SpreadRequest(many=True, default=list)
    near = CompanyRequest(many=True, default=list)
    apart = CompanyRequest(many=True, default=list)
    prefer = PreferenceRequest(many=True, default=list)
    group = serializers.CharField(
        max_length=200,
        allow_blank=True,
        trim_whitespace=False,
        default="",
        help_text="What it counts as, for spread, near and apart.",
    )
    priority = serializers.IntegerField(
        min_value=-MAX_PRIORITY,
        max_value=MAX_PRIORITY,
        default=0,
        help_text="Who may be proposed to leave for whom; nothing leaves by itself.",
    )
    tenant = serializers.CharField(
        max_length=200,
        allow_blank=True,
        trim_whitespace=False,
        default="",
        help_text="Whose it is, for the policy tenant_fair.",
    )
    policy = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="Left out: the default of this kind of load."
    )
    options = serializers.DictField(
        default=dict, help_text="The policy's own options; where none is named, over the default's."
    )
    marks = serializers.DictField(
        child=serializers.FloatField(),
        default=dict,
        help_text="Resource to the share of it that a host may hold with this load.",
    )
    replicas = serializers.IntegerField(
        min_value=1,
        max_value=MOST_LOADS,
        allow_null=True,
        default=None,
        help_text="Place so many, called NAME-1, NAME-2, ..., as far as there is room.",
    )


class GangRequest(Strict):
    """Loads that are placed all together or not at all."""

    CALLED = "a gang's request"

    gang = LoadRequest(many=True, allow_empty=False, max_length=MOST_LOADS)


def load_from(values: dict[str, Any]) -> Load:
    """The core's load of checked values. Raises InvalidLoad naming the field."""
    return Load(
        kind=values["kind"],
        name=values["name"],
        demand=values["demand"],
        labels=values["labels"],
        exclude_hosts=frozenset(values["exclude_hosts"]),
        spread=_each(Spread, values, "spread"),
        pin_hosts=frozenset(values["pin_hosts"]),
        near=_each(Company, values, "near"),
        apart=_each(Company, values, "apart"),
        prefer=_each(Preference, values, "prefer"),
        group=values["group"],
        priority=values["priority"],
        tenant=values["tenant"],
        marks=values["marks"],
        **chosen(values["kind"], values["policy"], values["options"]),
    )


def loads_from(items: list[dict[str, Any]], before: str = "") -> list[Load]:
    """The core's loads of a list. Raises InvalidLoad with the position in front of the field."""
    loads = []
    for position, values in enumerate(items):
        try:
            if values["replicas"] is not None:
                raise InvalidLoad(
                    "replicas", "not_for_lists", "replicas are of one load; name each in a list."
                )
            loads.append(load_from(values))
        except InvalidLoad as error:
            raise InvalidLoad(f"{before}{position}.{error.field}", error.code, error.reason) from None
    return loads


def _each(kind: Callable[..., Constraint], values: dict[str, Any], name: str) -> tuple[Constraint, ...]:
    found = []
    for position, given in enumerate(values[name]):
        try:
            found.append(kind(**given))
        except InvalidLoad as error:
            part = error.field.partition(".")[2]
            raise InvalidLoad(f"{name}.{position}.{part}", error.code, error.reason) from None
    return tuple(found)
