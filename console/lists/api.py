"""Actions on many things over REST."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, Viewer
from console.api.strict import StrictSerializer
from console.api.views import ActionView, actor_of, find
from console.lists.bulk import MOST, foresee, perform, undo
from console.lists.models import BulkAct
from console.lists.registry import KINDS


class BulkRequest(StrictSerializer):
    action = serializers.ChoiceField(choices=sorted(KINDS))
    items = serializers.ListField(child=serializers.CharField(max_length=200), min_length=1, max_length=MOST)
    dry_run = serializers.BooleanField(default=True, help_text="Only say what would happen.")
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class BulkResult(serializers.Serializer):
    item = serializers.CharField()
    title = serializers.CharField(
        allow_blank=True, default="", help_text="What people call it, where the item is an identity."
    )
    done = serializers.BooleanField()
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True, help_text="In a dry run: what it would be.")
    reason = serializers.CharField(allow_blank=True, help_text="Why it was, or would be, refused.")


class BulkShown(serializers.Serializer):
    id = serializers.UUIDField(allow_null=True, help_text="The act in the audit trail; null for a dry run.")
    action = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField(), default=list)
    results = BulkResult(many=True)


class Bulk(ActionView):
    """One action on up to 1,000 things: what it would do, and with dry_run false doing it."""

    permission_classes = [Operator]

    @extend_schema(request=BulkRequest, responses=BulkShown)
    def post(self, request: Request) -> Response:
        asked = BulkRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        kind, actor = KINDS[values["action"]], actor_of(request)
        if not values["dry_run"]:
            return Response(BulkShown(perform(kind, actor, values["items"], values["reason"])).data)
        found, warnings = foresee(kind, actor, values["items"])
        results = [{**asdict(each), "done": False, "reason": each.why_not} for each in found]
        return Response(
            BulkShown({"id": None, "action": kind.NAME, "warnings": warnings, "results": results}).data
        )


class OneBulk(ActionView):
    permission_classes = [Viewer]

    @extend_schema(responses=BulkShown)
    def get(self, request: Request, act: uuid.UUID) -> Response:
        return Response(BulkShown(find(BulkAct.objects.all(), "act", pk=act)).data)


class UndoBulk(ActionView):
    """Bring back what an act did, where nobody has changed it since."""

    permission_classes = [Operator]

    @extend_schema(request=None, responses=BulkShown)
    def post(self, request: Request, act: uuid.UUID) -> Response:
        found = find(BulkAct.objects.all(), "act", pk=act)
        return Response(BulkShown(undo(found, KINDS, actor_of(request))).data)
