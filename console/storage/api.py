"""Shards over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.storage import listing
from console.storage.actions.measuring import MeasureShard
from console.storage.actions.pools import MOST_PIECES
from console.storage.actions.shards import CreateShard, RemoveShard, ScrubShard
from console.storage.models import Replica, Shard


class ShardRequest(serializers.Serializer):
    name = serializers.CharField(max_length=63)
    bytes = serializers.IntegerField(min_value=1, max_value=2**60)
    source_host = serializers.CharField(max_length=63)
    source_path = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        help_text="In the import folder of that host's agent; not needed where others fill the pool.",
    )
    pool = serializers.CharField(
        max_length=63, allow_blank=True, default="", help_text="Left out: the default pool."
    )
    replicas = serializers.IntegerField(
        min_value=1,
        max_value=MOST_PIECES,
        allow_null=True,
        default=None,
        help_text="Left out: as the pool says.",
    )
    spread = serializers.CharField(
        max_length=63,
        allow_null=True,
        default=None,
        help_text='zone, rack or another label, or "host"; left out: as the pool says.',
    )
    policy = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="Left out: the pool's."
    )
    growth_bytes_day = serializers.FloatField(
        allow_null=True, default=None, help_text="Left out: learned from the sizes that are reported."
    )
    read_bytes_s = serializers.FloatField(default=0.0)
    write_bytes_s = serializers.FloatField(default=0.0)
    memory_bytes = serializers.FloatField(default=0.0, help_text="Of each replica.")


class MeasureRequest(StrictSerializer):
    """What a shard is now; what is left out stays as it was."""

    bytes = serializers.IntegerField(min_value=1, max_value=2**60, allow_null=True, default=None)
    growth_bytes_day = serializers.FloatField(
        allow_null=True, default=None, help_text="Given, and no longer learned."
    )
    read_bytes_s = serializers.FloatField(allow_null=True, default=None)
    write_bytes_s = serializers.FloatField(allow_null=True, default=None)
    memory_bytes = serializers.FloatField(allow_null=True, default=None)
    learn = serializers.BooleanField(default=False, help_text="Learn growth from the sizes again.")


class ReplicaShown(serializers.ModelSerializer):
    attempt = serializers.IntegerField()  # else the schema would say what the database at hand can count to
    host = serializers.CharField(source="placement.host.name")
    decision = serializers.UUIDField(source="placement.decision_id")

    class Meta:
        model = Replica
        fields = ["host", "leader", "state", "attempt", "error", "decision", "ready_at", "verified_at"]


class ShardShown(serializers.ModelSerializer):
    source_host = serializers.CharField(source="source_host.name")
    replicas = ReplicaShown(many=True)
    first_slot = serializers.IntegerField(
        allow_null=True, help_text="Of a run of slots; null of other shards."
    )
    last_slot = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Shard
        fields = [
            "name",
            "pool",
            "bytes",
            "growth_bytes_day",
            "growth_given",
            "read_bytes_s",
            "write_bytes_s",
            "memory_bytes",
            "cpu",
            "first_slot",
            "last_slot",
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

    @extend_schema(request=MeasureRequest, responses=ShardShown)
    def patch(self, request: Request, name: str) -> Response:
        asked = MeasureRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        shard = self.act(request, MeasureShard(name, **asked.validated_data))
        return Response(ShardShown(SHARDS.get(pk=shard.pk)).data)

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
