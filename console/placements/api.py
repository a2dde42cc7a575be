"""Placement decisions over REST."""

from __future__ import annotations

import uuid
from typing import Any

import django_filters
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from balancer_core.placement import InvalidLoad, Load, Spread
from console.accounts.permissions import Operator, ReadOrOperate, Viewer
from console.actions import Invalid
from console.api.views import ActionView, find, idempotency_key
from console.placements.actions.place import FitsNowhere, Place, PlaceMany
from console.placements.actions.release import Release
from console.placements.models import Decision, Placement

MOST_LOADS = 10_000


class SpreadRequest(serializers.Serializer):
    level = serializers.CharField(max_length=63, help_text='A label such as zone or rack, or "host".')
    taken = serializers.DictField(child=serializers.IntegerField(min_value=0), default=dict)
    max_per_domain = serializers.IntegerField(min_value=1, default=1)


class LoadRequest(serializers.Serializer):
    """Something to place. Amounts in cores, bytes and bytes/s."""

    kind = serializers.ChoiceField(["job", "shard", "service"])
    name = serializers.CharField(max_length=200)
    demand = serializers.DictField(child=serializers.FloatField())
    labels = serializers.DictField(child=serializers.CharField(max_length=100), default=dict)
    exclude_hosts = serializers.ListField(child=serializers.CharField(max_length=63), default=list)
    spread = SpreadRequest(many=True, default=list)
    policy = serializers.CharField(max_length=64, default="spread")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (extra := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                {str(name): ["no such field; a load has " + ", ".join(self.fields)] for name in extra}
            )
        return super().to_internal_value(data)


def load_from(values: dict[str, Any]) -> Load:
    """The core's load of checked values. Raises InvalidLoad naming the field."""
    return Load(
        kind=values["kind"],
        name=values["name"],
        demand=values["demand"],
        labels=values["labels"],
        exclude_hosts=frozenset(values["exclude_hosts"]),
        spread=tuple(Spread(**spread) for spread in values["spread"]),
        policy=values["policy"],
    )


def _loads_from(items: list[dict[str, Any]]) -> list[Load]:
    loads = []
    for position, values in enumerate(items):
        try:
            loads.append(load_from(values))
        except InvalidLoad as error:
            raise InvalidLoad(f"{position}.{error.field}", error.code, error.reason) from None
    return loads


class PlacementShown(serializers.ModelSerializer):
    host = serializers.CharField(source="host.name")
    address = serializers.CharField(source="host.address")
    decision = serializers.UUIDField(source="decision_id")
    sentence = serializers.CharField(source="decision.sentence")

    class Meta:
        model = Placement
        fields = ["id", "kind", "name", "host", "address", "demand", "state", "decision", "sentence", "created_at"]


class RefusedShown(serializers.Serializer):
    refused = serializers.CharField(help_text="Why no host takes it, in a sentence.")
    decision = serializers.UUIDField()


class DecisionShown(serializers.ModelSerializer):
    class Meta:
        model = Decision
        fields = ["id", "at", "kind", "name", "policy", "outcome", "host", "sentence", "document"]


class DecisionLine(serializers.ModelSerializer):
    class Meta:
        model = Decision
        fields = ["id", "at", "kind", "name", "policy", "outcome", "host", "sentence"]


# Made once: a serializer builds its fields anew in every instance, which took a fifth of a placement's time.
# Validating and representing keep nothing in them, so all threads may use these.
_load_request, _placement_shown = LoadRequest(), PlacementShown()


class PlacementFilter(django_filters.FilterSet):
    host = django_filters.CharFilter(field_name="host__name")

    class Meta:
        model = Placement
        fields = ["kind", "state", "name"]


class Placements(ActionView, generics.ListAPIView):
    """The placements; POST places one load, or a list of up to 10,000."""

    permission_classes = [ReadOrOperate]
    queryset = Placement.objects.select_related("host", "decision")
    serializer_class = PlacementShown
    filterset_class = PlacementFilter

    @extend_schema(
        request=PolymorphicProxySerializer(
            "LoadOrLoads", [LoadRequest, LoadRequest(many=True)], resource_type_field_name=None, many=False
        ),
        responses={201: PlacementShown},
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.data, list):
            return self._post_many(request)
        load = load_from(_load_request.run_validation(request.data))
        placement = self.act(request, Place(load, request_key=idempotency_key(request)))
        return Response(_placement_shown.to_representation(placement), status=201)

    def _post_many(self, request: Request) -> Response:
        if not 1 <= len(request.data) <= MOST_LOADS:
            raise Invalid("body", "length", f"a list holds 1 to {MOST_LOADS} loads")
        asked = LoadRequest(data=request.data, many=True)
        asked.is_valid(raise_exception=True)
        if "Idempotency-Key" in request.headers:
            raise Invalid("Idempotency-Key", "not-for-lists", "a key names one load; send such loads one by one")
        results = self.act(request, PlaceMany(_loads_from(asked.validated_data)))
        shown = [
            RefusedShown({"refused": str(result), "decision": result.decision_id}).data
            if isinstance(result, FitsNowhere)
            else _placement_shown.to_representation(result)
            for result in results
        ]
        return Response(shown, status=201 if any("id" in item for item in shown) else 409)


class OnePlacement(ActionView):
    permission_classes = [Viewer]

    @extend_schema(responses=PlacementShown)
    def get(self, request: Request, placement: uuid.UUID) -> Response:
        found = find(Placement.objects.select_related("host", "decision"), "placement", pk=placement)
        return Response(PlacementShown(found).data)


class ReleasePlacement(ActionView):
    """Give its amounts back to the host."""

    permission_classes = [Operator]

    @extend_schema(request=None, responses=PlacementShown)
    def post(self, request: Request, placement: uuid.UUID) -> Response:
        return Response(PlacementShown(self.act(request, Release(placement))).data)


class Decisions(generics.ListAPIView):
    """Every decision, newest first, without its inner workings."""

    permission_classes = [Viewer]
    queryset = Decision.objects.defer("document")
    serializer_class = DecisionLine
    filterset_fields = ["kind", "outcome", "host", "name"]


class OneDecision(ActionView):
    """One decision with everything that led to it."""

    permission_classes = [Viewer]

    @extend_schema(responses=DecisionShown)
    def get(self, request: Request, decision: uuid.UUID) -> Response:
        return Response(DecisionShown(find(Decision.objects.all(), "decision", pk=decision)).data)
