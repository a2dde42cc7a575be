"""Placement decisions over REST."""

from __future__ import annotations

import uuid

import django_filters
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate, Viewer
from console.actions import Invalid
from console.api.views import ActionView, find, idempotency_key
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.place_many import PlaceMany
from console.placements.actions.release import Release
from console.placements.actions.together import PlaceGang, PlaceReplicas, Together
from console.placements.listing import DECISIONS, PLACEMENTS
from console.placements.models import Decision, Placement
from console.placements.proposals import propose
from console.placements.requests import GangRequest, LoadRequest, load_from, loads_from

MOST_LOADS = 10_000


class PlacementShown(serializers.ModelSerializer):
    host = serializers.CharField(source="host.name")
    address = serializers.CharField(source="host.address")
    decision = serializers.UUIDField(source="decision_id")
    sentence = serializers.CharField(source="decision.sentence")
    priority = serializers.IntegerField()  # else the schema would say what the database at hand can count to

    class Meta:
        model = Placement
        fields = [
            "id",
            "kind",
            "name",
            "host",
            "address",
            "demand",
            "group",
            "priority",
            "state",
            "decision",
            "sentence",
            "created_at",
        ]


class RefusedShown(serializers.Serializer):
    refused = serializers.CharField(help_text="Why no host takes it, in a sentence.")
    decision = serializers.UUIDField()


class TogetherShown(serializers.Serializer):
    """A replica set or a gang. Its decisions carry the same `together`."""

    together = serializers.UUIDField(source="id", allow_null=True)
    wanted = serializers.IntegerField()
    placements = PlacementShown(many=True)
    refused = serializers.CharField(
        source="refused.sentence", default=None, allow_null=True, help_text="Why there are no more of them."
    )
    decision = serializers.UUIDField(
        source="refused.id", default=None, allow_null=True, help_text="Of the first that has no place."
    )


class LeavingShown(serializers.Serializer):
    placement = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    priority = serializers.IntegerField()


class EvictionShown(serializers.Serializer):
    host = serializers.CharField()
    leaving = LeavingShown(many=True)
    priority = serializers.IntegerField(help_text="The highest that would leave.")
    cost = serializers.FloatField(help_text="1 a placement.")
    exact = serializers.BooleanField(help_text="No cheaper set does, on this host.")


class ProposalShown(serializers.Serializer):
    """What would have to leave. Nothing has left, and nothing is kept."""

    load = serializers.CharField()
    needed = serializers.BooleanField(help_text="Whether the load has no room without.")
    sentence = serializers.CharField()
    best = EvictionShown(allow_null=True)
    alternatives = EvictionShown(many=True)
    hosts_able = serializers.IntegerField(help_text="Hosts that hold something of a lower priority.")
    hosts_weighed = serializers.IntegerField(
        help_text="Those of them that were looked at, the nearest first."
    )


class DecisionLine(serializers.ModelSerializer):
    class Meta:
        model = Decision
        fields = [
            "id", "at", "kind", "name", "group", "policy", "outcome", "host", "sentence", "together",
        ]  # fmt: skip


class DecisionShown(DecisionLine):
    """asked: what was asked beside the demand. preemption: of a refusal, what would have to leave; of a job that was
    placed, what left for it."""

    preemption = ProposalShown(allow_null=True)

    class Meta:
        model = Decision
        fields = [*DecisionLine.Meta.fields, "asked", "preemption", "document"]


# Made once: a serializer builds its fields anew in every instance, which took a fifth of a placement's time.
# Validating and representing keep nothing in them, so all threads may use these.
_load_request, _gang_request, _placement_shown = LoadRequest(), GangRequest(), PlacementShown()


class PlacementFilter(django_filters.FilterSet):
    together = django_filters.UUIDFilter(field_name="decision__together")

    class Meta:
        model = Placement
        fields = ["kind", "name", "group"]


class Placements(ActionView, generics.ListAPIView):
    """The placements; POST places one load, several replicas of it, a list of up to 10,000 loads, or a gang.

    A list is placed load by load; replicas as far as there is room, in one transaction; a gang whole or not at all.
    """

    permission_classes = [ReadOrOperate]
    queryset = Placement.objects.select_related("host", "decision")
    serializer_class = PlacementShown
    filterset_class = PlacementFilter
    listing = PLACEMENTS

    @extend_schema(
        request=PolymorphicProxySerializer(
            "LoadOrLoads",
            [LoadRequest, LoadRequest(many=True), GangRequest],
            resource_type_field_name=None,
            many=False,
        ),
        responses={
            201: PolymorphicProxySerializer(
                "PlacementOrTogether",
                [PlacementShown, PlacementShown(many=True), TogetherShown],
                resource_type_field_name=None,
                many=False,
            )
        },
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.data, list):
            return self._post_many(request)
        key = idempotency_key(request)
        if isinstance(request.data, dict) and "gang" in request.data:
            loads = loads_from(_gang_request.run_validation(request.data)["gang"], "gang.")
            return self._together(self.act(request, PlaceGang(loads, request_key=key)))
        values = _load_request.run_validation(request.data)
        load = load_from(values)
        if values["replicas"] is not None:
            action = PlaceReplicas(load, values["replicas"], request_key=key)
            return self._together(self.act(request, action))
        placement = self.act(request, Place(load, request_key=key))
        return Response(_placement_shown.to_representation(placement), status=201)

    @staticmethod
    def _together(placed: Together) -> Response:
        return Response(TogetherShown(placed).data, status=201)

    def _post_many(self, request: Request) -> Response:
        if not 1 <= len(request.data) <= MOST_LOADS:
            raise Invalid("body", "length", f"a list holds 1 to {MOST_LOADS} loads")
        asked = LoadRequest(data=request.data, many=True)
        asked.is_valid(raise_exception=True)
        if "Idempotency-Key" in request.headers:
            raise Invalid(
                "Idempotency-Key", "not-for-lists", "a key names one load; send such loads one by one"
            )
        results = self.act(request, PlaceMany(loads_from(asked.validated_data)))
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


class Preemption(ActionView):
    """What would have to leave so that this load has room. A question: nothing is placed, kept or moved."""

    permission_classes = [Viewer]

    @extend_schema(request=LoadRequest, responses=ProposalShown)
    def post(self, request: Request) -> Response:
        values = _load_request.run_validation(request.data)
        if values["replicas"] is not None:
            raise Invalid("replicas", "not-for-proposals", "a proposal is about one load")
        return Response(propose(load_from(values)))


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
    filterset_fields = ["name", "together"]
    listing = DECISIONS


class OneDecision(ActionView):
    """One decision with everything that led to it."""

    permission_classes = [Viewer]

    @extend_schema(responses=DecisionShown)
    def get(self, request: Request, decision: uuid.UUID) -> Response:
        return Response(DecisionShown(find(Decision.objects.all(), "decision", pk=decision)).data)
