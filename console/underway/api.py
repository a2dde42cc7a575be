"""What is under way, over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Viewer
from console.api.views import ActionView
from console.underway.sources import gather


class CancelShown(serializers.Serializer):
    label = serializers.CharField()
    api = serializers.CharField(help_text="Under /api/v1/; POST ends it.")
    role = serializers.CharField(help_text="The least role that may.")


class TaskShown(serializers.Serializer):
    key = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    path = serializers.CharField(help_text="Its page on the console.")
    done = serializers.IntegerField()
    total = serializers.IntegerField(help_text="0 where nobody knows how much there is to do.")
    since = serializers.DateTimeField(allow_null=True)
    notice = serializers.BooleanField(help_text="Nothing runs, but somebody should know.")
    cancel = CancelShown(allow_null=True)
    log = serializers.CharField(help_text="The page of what happened so far.")


class Underway(ActionView):
    """Everything that runs now in the whole cluster, and what somebody should know of."""

    permission_classes = [Viewer]

    @extend_schema(responses=TaskShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(TaskShown(gather(), many=True).data)
