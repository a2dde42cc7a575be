"""The demo fleet over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import ReadOrOperate
from console.api.strict import StrictSerializer
from console.api.views import ActionView
from console.demo.actions.fleet import RemoveDemoFleet, StartDemoFleet
from console.demo.figures import MOST_HOSTS
from console.demo.models import SimulatedHost


class DemoShown(serializers.Serializer):
    hosts = serializers.IntegerField(help_text="Simulated hosts here.")


class DemoRequest(StrictSerializer):
    hosts = serializers.IntegerField(default=MOST_HOSTS)


class Demo(ActionView):
    """Simulated hosts for trying everything; never beside real ones."""

    permission_classes = [ReadOrOperate]

    @extend_schema(responses=DemoShown)
    def get(self, request: Request) -> Response:
        return Response({"hosts": SimulatedHost.objects.count()})

    @extend_schema(request=DemoRequest, responses={201: DemoShown})
    def post(self, request: Request) -> Response:
        asked = DemoRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"hosts": self.act(request, StartDemoFleet(**asked.validated_data))}, status=201)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        self.act(request, RemoveDemoFleet())
        return Response(status=204)
