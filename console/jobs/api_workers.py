"""Who runs jobs over REST."""

from __future__ import annotations

import time

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Viewer
from console.api.views import ActionView
from console.jobs.workers import STATES, at_work


class WatchedShown(serializers.Serializer):
    """The worker that the host's agent starts and watches."""

    running_s = serializers.FloatField(allow_null=True, help_text="null while there is none.")
    processes = serializers.IntegerField(help_text="Of its pool; 0 where the host does not tell.")
    starts = serializers.IntegerField(help_text="How often its agent has started it.")
    why = serializers.CharField(help_text="How the last one ended; empty while none has.")


class WorkersShown(serializers.Serializer):
    """The workers of one host."""

    host = serializers.CharField()
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="stuck: they do not begin what they were sent; ended: the watched one has, and is started again; "
        "silent: nothing is heard of the host.",
    )
    watched = WatchedShown(allow_null=True, help_text="null where the agent watches none.")
    running = serializers.IntegerField()
    sent = serializers.IntegerField(help_text="Jobs that were sent and are not begun.")
    since = serializers.DateTimeField(allow_null=True, help_text="When the oldest of these was placed.")
    succeeded = serializers.IntegerField(help_text="Jobs in the last ten minutes.")
    failed = serializers.IntegerField(help_text="Jobs in the last ten minutes.")


class Workers(ActionView):
    """The workers of every host that has some, those that need somebody first."""

    permission_classes = [Viewer]

    @extend_schema(responses=WorkersShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(WorkersShown(at_work(timezone.now(), time.monotonic()), many=True).data)
