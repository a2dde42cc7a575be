"""The audit trail and the state of the whole over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Viewer
from console.api.views import ActionView
from console.events.listing import EVENTS
from console.events.models import Event
from console.events.status import status


class EventShown(serializers.ModelSerializer):
    class Meta:
        model = Event
        fields = [
            "id", "at", "act", "actor_kind", "actor", "address", "action", "subject_kind", "subject", "before",
            "after", "reason",
        ]  # fmt: skip


class Events(generics.ListAPIView):
    """Who did what, newest first."""

    permission_classes = [Viewer]
    queryset = Event.objects.all()
    serializer_class = EventShown
    filterset_fields = ["act"]
    listing = EVENTS


class StatusShown(serializers.Serializer):
    hosts = serializers.IntegerField()
    reporting = serializers.IntegerField()
    services = serializers.IntegerField()
    placements = serializers.IntegerField()
    jobs = serializers.DictField(child=serializers.IntegerField())
    replicas = serializers.DictField(child=serializers.IntegerField())
    leader = serializers.CharField(allow_null=True)
    epoch = serializers.IntegerField()
    broker = serializers.BooleanField()
    reports = serializers.IntegerField()
    reports_refused = serializers.DictField(child=serializers.IntegerField())


class Status(ActionView):
    """The whole in one page of numbers."""

    permission_classes = [Viewer]

    @extend_schema(responses=StatusShown)
    def get(self, request: Request) -> Response:
        return Response(status())
