"""A service's settings over REST: read, replaced, changed in parts, tried without effect."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import ReadOrOperate, Viewer
from console.actions import Invalid
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.traffic.actions.settings import ConfigureService, proposed
from console.traffic.models import Service
from console.traffic.references import checked_settings
from console.traffic.schema import REFERENCE

DOCUMENT = {"application/json": REFERENCE}
PATCH = {
    "application/json": {"type": "object", "description": "A JSON merge patch (RFC 7396) of the settings."}
}


class ServiceSettings(ActionView):
    """The settings document of a service; what it leaves out has its usual value."""

    permission_classes = [ReadOrOperate]

    @extend_schema(responses={(200, "application/json"): REFERENCE})
    def get(self, request: Request, name: str) -> Response:
        return Response(find(Service.objects.all(), "service", name=name).settings)

    @extend_schema(request=DOCUMENT, responses={(200, "application/json"): REFERENCE})
    def put(self, request: Request, name: str) -> Response:
        return self._configured(request, ConfigureService(name, request.data))

    @extend_schema(request=PATCH, responses={(200, "application/json"): REFERENCE})
    def patch(self, request: Request, name: str) -> Response:
        return self._configured(request, ConfigureService(name, request.data, patch=True))

    def _configured(self, request: Request, action: ConfigureService) -> Response:
        return Response(self.act(request, action).settings)


class PreviewRequest(StrictSerializer):
    """settings: a whole document; patch: changes of the present one; neither: as it is."""

    settings = serializers.JSONField(required=False)
    patch = serializers.JSONField(required=False)


class Preview(ActionView):
    """What an engine would be told of the service with other settings. Nothing is changed."""

    permission_classes = [Viewer]

    @extend_schema(request=PreviewRequest, responses={200: dict[str, Any]})
    def post(self, request: Request, name: str) -> Response:
        asked = PreviewRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        if len(values) > 1:
            raise Invalid("patch", "invalid", "settings are there already; one of them")
        service: Service = find(Service.objects.all(), "service", name=name)
        document = values.get("settings", values.get("patch", {}))
        settings = checked_settings(service, proposed(service, document, patch="settings" not in values))
        # The engine's messages are many megabytes, which a process that is never asked for them need not have.
        from console.traffic.preview import preview

        return Response(preview(service, settings))
