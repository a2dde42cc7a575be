"""Shards over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate
from console.api.views import ActionView, find
from console.storage import listing
from console.storage.actions.shards import MOST_REPLICAS, CreateShard, RemoveShard, ScrubShard
from console.storage.models import Replica, Shard


class ShardRequest(serializers.Serializer):
    name = serializers.CharField(max_length=63)
    bytes = serializers.IntegerField(min_value=1, max_value=2**60)
    source_host = serializers.CharField(max_length=63)
    source_path = serializers.CharField(
        max_length=500, help_text="In the import folder of that host's agent."
    )
    replicas = serializers.IntegerField(min_value=1, max_value=MOST_REPLICAS, default=2)
    spread = serializers.CharField(
        max_length=63, default="host", help_text='zone, rack or another label, or "host".'
    )
    policy = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="Left out: the default of shards."
    )


class ReplicaShown(serializers.ModelSerializer):
    attempt = serializers.IntegerField()  # else the schema would say what the database at hand can count to
    host = serializers.CharField(source="placement.host.name")
    decision = serializers.UUIDField(source="placement.decision_id")

    class Meta:
        model = Replica
        fields = ["host", "state", "attempt", "error", "decision", "ready_at", "verified_at"]


class ShardShown(serializers.ModelSerializer):
    source_host = serializers.CharField(source="source_host.name")
    replicas = ReplicaShown(many=True)

    class Meta:
        model = Shard
        fields = [
            "name",
            "bytes",
            "digest",
            "spread_level",
            "source_host",
            "source_path",
            "replicas",
            "created_at",
        ]


SHARDS = Shard.objects.select_related("source_host").prefetch_related("replicas__placement__host")


class Shards(ActionView, generics.ListAPIView):
    """The shards and their replicas; POST places a new one."""

    permission_classes = [ReadOrOperate]
    queryset = SHARDS
    listing = listing.SHARDS
    serializer_class = ShardShown

    @extend_schema(request=ShardRequest, responses={201: ShardShown})
    def post(self, request: Request) -> Response:
        asked = ShardRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        shard = self.act(request, CreateShard(**asked.validated_data))
        return Response(ShardShown(SHARDS.get(pk=shard.pk)).data, status=201)


class OneShard(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses=ShardShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(ShardShown(find(SHARDS, "shard", name=name)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveShard(name))
        return Response(status=204)


class VerifyOneShard(ActionView):
    """Have every copy read again now, and what is damaged made anew."""

    permission_classes = [Operator]

    @extend_schema(request=None, responses=ShardShown)
    def post(self, request: Request, name: str) -> Response:
        shard = self.act(request, ScrubShard(name))
        return Response(ShardShown(SHARDS.get(pk=shard.pk)).data)
