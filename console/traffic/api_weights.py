"""A service's weights over REST: as they are and why, what others would come to, set, and taken back."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate, Viewer
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.traffic.actions.weights import SetWeights, UndoWeights
from console.traffic.models import WHOLE_PERCENT, Service
from console.traffic.view import seen
from console.traffic.weighed import SERVICES, is_old, rows_of_service, sentence
from console.traffic.weights import changes, foresee, last_change


class WeightsRequest(StrictSerializer):
    """weights: HOST:PORT to per cent of what is learnt; at 0 none come. priority:N and LABEL:VALUE (zone:a) stand for
    all endpoints of that priority, or on hosts with that label. force: though others can't carry it."""

    weights = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=WHOLE_PERCENT), allow_empty=False
    )
    force = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class UndoRequest(StrictSerializer):
    force = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class TryRequest(StrictSerializer):
    weights = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=WHOLE_PERCENT), allow_empty=False
    )


class WeightShown(serializers.Serializer):
    """asked, got: shares that its weight asks for and that it gets, 0 to 1. All but percent are null where unknown."""

    endpoint = serializers.CharField(source="key")
    percent = serializers.IntegerField(help_text="what operators leave of learnt")
    learnt = serializers.IntegerField(allow_null=True)
    weight = serializers.IntegerField(allow_null=True, help_text="what the engines are told")
    capacity_per_s = serializers.FloatField(
        allow_null=True, help_text="requests/s that it could serve, as learnt"
    )
    trust = serializers.FloatField(allow_null=True, help_text="how far that rests on what was seen of it")
    report_age_s = serializers.FloatField(allow_null=True)
    asked = serializers.FloatField(allow_null=True)
    got = serializers.FloatField(allow_null=True)
    rate_per_s = serializers.FloatField(allow_null=True)
    in_flight = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()


class WeightsShown(serializers.Serializer):
    """age_s: of the controller's word; after three seconds its figures are null. undo: what undoing would set."""

    service = serializers.CharField()
    sentence = serializers.CharField()
    age_s = serializers.FloatField(allow_null=True)
    endpoints = WeightShown(many=True)
    undo = serializers.DictField(child=serializers.IntegerField(), allow_null=True)


class OutlookShown(serializers.Serializer):
    """use: of what it could serve at the present rate, null where that is not known."""

    endpoint = serializers.CharField(source="key")
    percent = serializers.IntegerField()
    share_before = serializers.FloatField()
    share = serializers.FloatField()
    rate_per_s = serializers.FloatField()
    use = serializers.FloatField(allow_null=True)


class OutcomeShown(serializers.Serializer):
    """objections: why it is refused without force."""

    objections = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())
    endpoints = OutlookShown(many=True, source="outlooks")


class Weights(ActionView):
    """The weights of a service's endpoints, and why; POST sets what operators leave of them."""

    permission_classes = [ReadOrOperate]

    @extend_schema(responses=WeightsShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(_shown(name))

    @extend_schema(request=WeightsRequest, responses=WeightsShown)
    def post(self, request: Request, name: str) -> Response:
        asked = WeightsRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, SetWeights(name, **asked.validated_data))
        return Response(_shown(name))


class UndoneWeights(ActionView):
    """Take back the last change of weights."""

    permission_classes = [Operator]

    @extend_schema(request=UndoRequest, responses=WeightsShown)
    def post(self, request: Request, name: str) -> Response:
        asked = UndoRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, UndoWeights(name, **asked.validated_data))
        return Response(_shown(name))


class TriedWeights(ActionView):
    """What other weights would come to. Nothing is changed."""

    permission_classes = [Viewer]

    @extend_schema(request=TryRequest, responses=OutcomeShown)
    def post(self, request: Request, name: str) -> Response:
        asked = TryRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        service: Service = find(SERVICES, "service", name=name)
        endpoints = list(service.endpoints.all())
        wanted = changes(endpoints, asked.validated_data["weights"])
        return Response(OutcomeShown(foresee(service, endpoints, wanted, seen())).data)


def _shown(name: str) -> dict[str, Any]:
    service: Service = find(SERVICES, "service", name=name)
    now = seen()
    rows = rows_of_service(service, now)
    last = last_change(service)
    return WeightsShown(
        {
            "service": service.name,
            "sentence": sentence(rows, is_old(now)),
            "age_s": now.age_s,
            "endpoints": rows,
            "undo": last.before["weights"] if last else None,
        }
    ).data
