"""The chain over REST."""

from __future__ import annotations

import msgspec
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Viewer
from console.api.views import ActionView
from console.chain.narrow import narrowed
from console.chain.reading import reader


class ColumnShown(serializers.Serializer):
    key = serializers.CharField()
    label = serializers.CharField()
    missing = serializers.BooleanField(help_text="Nothing is configured there yet.")


class NarrowShown(serializers.Serializer):
    word = serializers.CharField()
    sentence = serializers.CharField()
    grave = serializers.BooleanField(help_text="Requests are lost by it; else they wait.")


class PartShown(serializers.Serializer):
    host = serializers.CharField()
    port = serializers.IntegerField()
    state = serializers.CharField()
    rate_per_s = serializers.FloatField(allow_null=True)
    share = serializers.FloatField(allow_null=True)
    serves = serializers.BooleanField()


class NodeShown(serializers.Serializer):
    """Figures are null while they are unknown."""

    id = serializers.CharField()
    column = serializers.CharField()
    kind = serializers.CharField(help_text="name, address, engine or service")
    label = serializers.CharField()
    detail = serializers.CharField()
    names = serializers.ListField(child=serializers.CharField(), help_text="What it stands for.")
    protocol = serializers.CharField(help_text="Of a service; else empty.")
    rate_per_s = serializers.FloatField(allow_null=True)
    errors_per_s = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
    parts = PartShown(many=True, help_text="A service's first endpoints.")
    part_count = serializers.IntegerField(help_text="Of all its endpoints.")
    marks = NarrowShown(many=True)


class FlowShown(serializers.Serializer):
    rate_per_s = serializers.FloatField()
    errors_per_s = serializers.FloatField()
    share = serializers.FloatField(allow_null=True, help_text="Of all that the service at its end gets.")


class EdgeShown(serializers.Serializer):
    id = serializers.CharField()
    source = serializers.CharField()
    target = serializers.CharField()
    kind = serializers.CharField(help_text="listens, serves, route, sni, copy or keys")
    asked_share = serializers.FloatField(
        allow_null=True, help_text="What the settings ask for, where they split."
    )
    flow = FlowShown(allow_null=True, help_text="null where others lead there, too, or nothing is known.")


class ChainShown(serializers.Serializer):
    columns = ColumnShown(many=True)
    nodes = NodeShown(many=True)
    edges = EdgeShown(many=True)
    verdict = serializers.CharField(help_text="What is worst, in a sentence.")
    fresh = serializers.BooleanField(help_text="The controller speaks; else figures are null.")
    left_out = serializers.IntegerField(help_text="Services that are there and not among the nodes.")


class Asked(serializers.Serializer):
    q = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=200, help_text="Part of a name."
    )


class ChainView(ActionView):
    """The chain of the system, from names to databases, with what flows; all of it, or what q is part of."""

    permission_classes = [Viewer]

    @extend_schema(parameters=[Asked], responses=ChainShown)
    def get(self, request: Request) -> Response:
        asked = Asked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        chain, text = reader.now(), asked.validated_data["q"]
        return Response(msgspec.to_builtins(narrowed(chain, text, len(chain.nodes)) if text else chain))
