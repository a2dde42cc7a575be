"""Storage pools over REST."""

from __future__ import annotations

from django.db.models import Count
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate, Viewer
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.storage.actions.pools import PutPool, RemovePool, SurveyPool
from console.storage.capacity import capacity, newcomers
from console.storage.models import SlotCluster, StoragePool


class MasterShown(serializers.Serializer):
    host = serializers.CharField(help_text="Empty for a node on no host with an agent.")
    address = serializers.CharField()
    name = serializers.CharField(help_text="What the node calls itself; mostly empty.")


class SlotClusterShown(serializers.ModelSerializer):
    nodes = MasterShown(many=True, help_text="The masters.")
    open = serializers.ListField(child=serializers.IntegerField(), help_text="Slots between two nodes.")
    load_from = serializers.ChoiceField(
        ["", "slot-stats", "keys"],
        help_text="slot-stats: counted by the server; keys: the node's, shared out among its slots by keys.",
    )

    class Meta:
        model = SlotCluster
        fields = ["nodes", "load_from", "open", "error", "seen_at"]


class PoolShown(serializers.ModelSerializer):
    kind = serializers.ChoiceField(["replicas", "erasure", "redis cluster"])
    pieces = serializers.IntegerField()
    data = serializers.IntegerField()
    parity = serializers.IntegerField()
    slots = serializers.IntegerField()
    shards = serializers.IntegerField(source="count")
    cluster = SlotClusterShown(
        allow_null=True, default=None, help_text="What was found of a Redis Cluster; null for other pools."
    )

    class Meta:
        model = StoragePool
        fields = [
            "name",
            "kind",
            "pieces",
            *PutPool.RECORDED,
            "shards",
            "cluster",
            "above_since",
            "said",
            "created_at",
        ]


class PoolRequest(StrictSerializer):
    """How the shards of a pool are kept, and where."""

    data = serializers.IntegerField(default=1, help_text="1 for whole copies, k of an erasure set.")
    parity = serializers.IntegerField(default=1, help_text="Pieces that may be lost: copies less one, or m.")
    spread_level = serializers.CharField(
        max_length=63,
        default="host",
        help_text='zone, rack or another label, or "host": no two pieces share it.',
    )
    low = serializers.FloatField(
        default=0.9, help_text="Above this share nothing new is placed: of a disk, or memory."
    )
    high = serializers.FloatField(default=0.95, help_text="Above this share shards leave.")
    policy = serializers.CharField(max_length=64, allow_blank=True, default="")
    mover = serializers.ChoiceField(
        StoragePool.Mover.choices, default="tree", help_text="Who copies; none: others keep the data."
    )
    seed = serializers.CharField(
        max_length=300, allow_blank=True, default="", help_text="HOST:PORT of a node of a Redis Cluster."
    )
    slots = serializers.IntegerField(default=64, help_text="Most slots of a shard of a Redis Cluster.")
    keep_days = serializers.FloatField(default=0.0, help_text="Of growth that room is reserved for.")
    automatic = serializers.ChoiceField(StoragePool.Automatic.choices, default="off")
    threshold = serializers.FloatField(default=1.2, help_text="The fullest over the mean that is too much.")
    hold_s = serializers.FloatField(
        default=600.0, help_text="For how long it is too much before anything is done."
    )
    margin = serializers.FloatField(default=0.05, help_text="Below the threshold is what is aimed for.")
    bytes_s = serializers.FloatField(
        default=50e6, help_text="Of each host's network, for moves that begin so."
    )
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class DiskRequest(StrictSerializer):
    """Hosts that would be new."""

    name = serializers.CharField(max_length=63, help_text="Of several, NAME-1, NAME-2, ...")
    disk = serializers.FloatField(help_text="Bytes of each.")
    labels = serializers.DictField(child=serializers.CharField(max_length=63), default=dict)
    count = serializers.IntegerField(default=1, min_value=1, max_value=1000)


class CapacityRequest(StrictSerializer):
    """What would be different."""

    without = serializers.ListField(
        child=serializers.CharField(max_length=63),
        default=list,
        max_length=200,
        help_text="Hosts that would be gone.",
    )
    add = DiskRequest(many=True, default=list, max_length=200)


class StandingShown(serializers.Serializer):
    kind = serializers.CharField(help_text="pool, host, or the label of a failure domain.")
    name = serializers.CharField()
    capacity = serializers.FloatField(
        help_text="Bytes that there are for it; of a pool, below its low watermark."
    )
    held = serializers.FloatField()
    growth_bytes_day = serializers.FloatField()
    days = serializers.FloatField(
        allow_null=True, help_text="Until it is full; null where not within ten years."
    )
    why = serializers.CharField(help_text="What keeps a pool from using all room.")


POOLS = StoragePool.objects.select_related("cluster").annotate(count=Count("shards"))


class Capacity(ActionView):
    """How long the room lasts, of pools, failure domains and hosts. POST asks what would be with other hosts; it
    changes nothing."""

    permission_classes = [Viewer]

    @extend_schema(responses=StandingShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(StandingShown(capacity(), many=True).data)

    @extend_schema(request=CapacityRequest, responses=StandingShown(many=True))
    def post(self, request: Request) -> Response:
        asked = CapacityRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        return Response(StandingShown(capacity(values["without"], newcomers(values["add"])), many=True).data)


class Pools(ActionView):
    """The storage pools."""

    permission_classes = [Viewer]

    @extend_schema(responses=PoolShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(PoolShown(POOLS.all(), many=True).data)


class OnePool(ActionView):
    """PUT makes a pool or changes it, in all that it says."""

    permission_classes = [ReadOrOperate]

    @extend_schema(responses=PoolShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(PoolShown(find(POOLS, "storage pool", pk=name)).data)

    @extend_schema(request=PoolRequest, responses=PoolShown)
    def put(self, request: Request, name: str) -> Response:
        asked = PoolRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, PutPool(name, **asked.validated_data))
        return Response(PoolShown(POOLS.get(pk=name)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemovePool(name))
        return Response(status=204)


class SurveyOnePool(ActionView):
    """Have a Redis Cluster looked at now: where its slots are, how large and how much used."""

    permission_classes = [Operator]

    @extend_schema(request=None, responses=PoolShown)
    def post(self, request: Request, name: str) -> Response:
        self.act(request, SurveyPool(name))
        return Response(PoolShown(POOLS.get(pk=name)).data)
