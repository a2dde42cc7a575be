"""Plans of moves over REST: proposed, shown, applied, paused, resumed, cancelled."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.storage import listing
from console.storage.actions.plans import PLAN_ACTIONS, ProposePlan
from console.storage.actions.undo import UndoMovePlan
from console.storage.models import Move, MovePlan


class MovePlanRequest(StrictSerializer):
    """What a plan of moves is to bring about. Hosts that drain or are lost are emptied in any case."""

    drain = serializers.ListField(
        child=serializers.CharField(max_length=63),
        default=list,
        max_length=200,
        help_text="More hosts to empty.",
    )
    even = serializers.FloatField(
        default=None, allow_null=True,
        help_text="The fullest host over the mean that is aimed for, such as 1.05; null to move only what must leave.",
    )  # fmt: skip
    pool = serializers.CharField(
        max_length=63, allow_blank=True, default="", help_text="Whose shards alone move; left out: of all."
    )
    bytes_s = serializers.FloatField(
        default=50e6, help_text="Of each host's network, for all its moves together."
    )
    per_host = serializers.IntegerField(
        default=2, min_value=1, max_value=16, help_text="Moves of a host at once."
    )
    together = serializers.IntegerField(default=16, min_value=1, max_value=1000, help_text="Moves at once.")
    full = serializers.FloatField(default=0.9, help_text="No move fills a disk above this share.")


class FrontierPoint(serializers.Serializer):
    """What an aim would come to, found by a brief search; of the plan itself what it comes to."""

    even = serializers.FloatField(allow_null=True, help_text="The aim; null: to move only what must leave.")
    moves = serializers.IntegerField()
    bytes = serializers.FloatField(help_text="That move.")
    share = serializers.FloatField(help_text="Of all bytes.")
    takes_s = serializers.FloatField()
    after = serializers.DictField(
        child=serializers.FloatField(), help_text="Of each resource: the fullest host over the mean."
    )
    chosen = serializers.BooleanField(help_text="Whether it is this plan.")


class ShardMoveShown(serializers.ModelSerializer):
    number = serializers.IntegerField()
    shard = serializers.CharField(source="shard.name")
    bytes = serializers.IntegerField(source="shard.bytes")

    class Meta:
        model = Move
        fields = ["number", "shard", "bytes", "source", "target", "state", "error", "started_at", "ended_at"]


class MovePlanShown(serializers.ModelSerializer):
    per_host = serializers.IntegerField()
    together = serializers.IntegerField()
    undoes = serializers.IntegerField(
        source="undoes_id", allow_null=True, help_text="The plan that it takes back."
    )

    class Meta:
        model = MovePlan
        fields = [
            "id", "state", "pool", "automatic", "undoes", "sentence", "asked", "before", "after",
            "bytes_s", "per_host", "together", "full",
            "takes_s", "created_at", "created_by", "applied_at", "ended_at",
        ]  # fmt: skip


class MovePlanWhole(MovePlanShown):
    frontier = FrontierPoint(
        many=True,
        help_text="Bytes beside evenness, the fewest bytes first; empty where there is nothing to choose.",
    )
    moves = ShardMoveShown(many=True)

    class Meta(MovePlanShown.Meta):
        fields = [*MovePlanShown.Meta.fields, "frontier", "moves"]


WHOLE = MovePlan.objects.prefetch_related("moves__shard")


class MovePlans(ActionView, generics.ListAPIView):
    """The plans of moves, newest first; POST proposes one. Nothing moves before it is applied."""

    permission_classes = [ReadOrOperate]
    queryset = MovePlan.objects.all()
    listing = listing.MOVE_PLANS
    serializer_class = MovePlanShown

    @extend_schema(request=MovePlanRequest, responses={201: MovePlanWhole})
    def post(self, request: Request) -> Response:
        asked = MovePlanRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        proposed = self.act(request, ProposePlan(**asked.validated_data))
        return Response(MovePlanWhole(WHOLE.get(pk=proposed.pk)).data, status=201)


class OneMovePlan(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses=MovePlanWhole)
    def get(self, request: Request, plan: int) -> Response:
        return Response(MovePlanWhole(find(WHOLE, "rebalance", pk=plan)).data)


class ReasonRequest(StrictSerializer):
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class _ActOnMovePlan(ActionView):
    permission_classes = [Operator]
    verb = ""

    @extend_schema(request=ReasonRequest, responses=MovePlanShown)
    def post(self, request: Request, plan: int) -> Response:
        asked = ReasonRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        action = PLAN_ACTIONS[self.verb](plan, **asked.validated_data)  # type: ignore[call-arg]
        return Response(MovePlanShown(self.act(request, action)).data)


class ApplyOneMovePlan(_ActOnMovePlan):
    """Begin to carry it out; one plan at a time."""

    verb = "apply"


class PauseOneMovePlan(_ActOnMovePlan):
    """Begin no more moves; those under way come to their end."""

    verb = "pause"


class ResumeOneMovePlan(_ActOnMovePlan):
    """Go on with the moves that have not begun."""

    verb = "resume"


class CancelOneMovePlan(_ActOnMovePlan):
    """Give up what has not begun; what is under way comes to its end."""

    verb = "cancel"


class UndoOneMovePlan(ActionView):
    """Propose a plan that takes back what an ended one has moved."""

    permission_classes = [Operator]

    @extend_schema(request=ReasonRequest, responses={201: MovePlanWhole})
    def post(self, request: Request, plan: int) -> Response:
        asked = ReasonRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        proposed = self.act(request, UndoMovePlan(plan, **asked.validated_data))
        return Response(MovePlanWhole(WHOLE.get(pk=proposed.pk)).data, status=201)
