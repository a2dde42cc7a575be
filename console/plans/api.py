"""What-if over REST. A question is a POST, because it can be long; it changes nothing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from balancer_core.whatif import Change, Newcomer
from console.accounts.permissions import Operator, Viewer
from console.api.strict import StrictSerializer
from console.api.views import ActionView
from console.plans.actions.apply import ApplyPlan
from console.plans.plan import plan


class NewcomerRequest(StrictSerializer):
    name = serializers.CharField(max_length=63)
    capacity = serializers.DictField(child=serializers.FloatField(), help_text="In cores, bytes and bytes/s.")
    labels = serializers.DictField(child=serializers.CharField(max_length=63), default=dict)


def _hosts(what: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=63), default=list, max_length=200, help_text=what
    )


class PlanRequest(StrictSerializer):
    """What would be different."""

    drain = _hosts("Hosts that everything leaves.")
    remove = _hosts("Hosts that everything leaves, and that are gone.")
    add = NewcomerRequest(many=True, default=list, max_length=1000)
    times = serializers.FloatField(default=1.0, help_text="What every load would be of what it is now.")
    policy = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="That every load is judged by; empty: its own."
    )
    margin = serializers.FloatField(
        default=0.1, help_text="Under another policy a load moves for at least this share less."
    )


class FiguresShown(serializers.Serializer):
    hosts = serializers.IntegerField()
    most = serializers.FloatField(help_text="Load of the fullest host; 1 is all of a resource.")
    fullest = serializers.CharField()
    mean = serializers.FloatField()
    imbalance = serializers.FloatField(help_text="Standard deviation of the hosts' loads.")


class MoveShown(serializers.Serializer):
    key = serializers.CharField(help_text="The placement.")
    kind = serializers.CharField()
    name = serializers.CharField()
    source = serializers.CharField()
    target = serializers.CharField()
    cost = serializers.FloatField()
    reason = serializers.CharField()


class StrandedShown(serializers.Serializer):
    key = serializers.CharField(help_text="The placement.")
    kind = serializers.CharField()
    name = serializers.CharField()
    source = serializers.CharField()
    judged = serializers.BooleanField(help_text="Whether a place was looked for.")
    reason = serializers.CharField()


class HostLoadShown(serializers.Serializer):
    host = serializers.CharField()
    before = serializers.FloatField(allow_null=True)
    after = serializers.FloatField(allow_null=True)


class PlanShown(serializers.Serializer):
    """What it would come to. Nothing has moved, and nothing is kept."""

    sentence = serializers.CharField()
    before = FiguresShown()
    after = FiguresShown()
    moves = MoveShown(many=True)
    stranded = StrandedShown(many=True)
    hosts = HostLoadShown(many=True)
    overfull = serializers.ListField(child=serializers.CharField())
    unlooked = serializers.IntegerField(help_text="Loads that the time did not suffice for.")
    unread = serializers.IntegerField(help_text="Held placements beyond those that are read.")
    considered = serializers.IntegerField()
    stops = serializers.ListField(
        child=serializers.CharField(), help_text="Services that nothing would carry."
    )
    hangs_on_lost_hosts = serializers.ListField(child=serializers.CharField())
    silent = serializers.IntegerField(help_text="Hosts whose measurements are old.")
    appliable = serializers.BooleanField()
    why_not = serializers.CharField(allow_blank=True)
    took_s = serializers.FloatField()


def change_of(values: dict[str, Any]) -> Change:
    """The core's change of checked values."""
    return Change(
        drain=frozenset(values["drain"]),
        remove=frozenset(values["remove"]),
        add=tuple(Newcomer(**each) for each in values["add"]),
        times=values["times"],
        policy=values["policy"],
        margin=values["margin"],
    )


class Plans(ActionView):
    """What would come of a change. A question: nothing is placed, kept or moved."""

    permission_classes = [Viewer]

    @extend_schema(request=PlanRequest, responses=PlanShown)
    def post(self, request: Request) -> Response:
        asked = PlanRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(plan(change_of(asked.validated_data)).to_dict())


class ApplyRequest(StrictSerializer):
    drain = _hosts("Hosts to drain, all or none.")
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class AppliedShown(serializers.Serializer):
    drained = serializers.ListField(child=serializers.CharField())


class ApplyOnePlan(ActionView):
    """Carry a plan out, as far as there are actions for it: its hosts are drained, all or none."""

    permission_classes = [Operator]

    @extend_schema(request=ApplyRequest, responses=AppliedShown)
    def post(self, request: Request) -> Response:
        asked = ApplyRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"drained": self.act(request, ApplyPlan(**asked.validated_data))})
