"""Process templates over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.templates import read
from console.accounts.permissions import OperateOrAdminister, Operator
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.jobs.actions.templates import PutTemplate, RemoveTemplate
from console.jobs.models import ProcessTemplate


class TemplateShown(serializers.Serializer):
    name = serializers.CharField()
    template = serializers.DictField(source="document")
    demand = serializers.DictField(child=serializers.FloatField())
    changed_at = serializers.DateTimeField()
    line = serializers.SerializerMethodField(help_text="Its line in the list of a host that may run it.")

    def get_line(self, kept: ProcessTemplate) -> str:
        return read(kept.document).line()


class TemplateRequest(StrictSerializer):
    template = serializers.DictField(
        help_text="argv, and where needed parameters, user, environment, timeout_s, output; see docs/jobs.md."
    )
    demand = serializers.DictField(
        child=serializers.FloatField(), default=dict, help_text="Left out: as learned from its runs."
    )
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class Templates(ActionView):
    """What administrators let jobs run on hosts as processes."""

    permission_classes = [Operator]

    @extend_schema(responses=TemplateShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(TemplateShown(ProcessTemplate.objects.all(), many=True).data)


class OneTemplate(ActionView):
    permission_classes = [OperateOrAdminister]

    @extend_schema(responses=TemplateShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(TemplateShown(find(ProcessTemplate.objects.all(), "template", pk=name)).data)

    @extend_schema(request=TemplateRequest, responses=TemplateShown)
    def put(self, request: Request, name: str) -> Response:
        asked = TemplateRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        said: dict[str, Any] = asked.validated_data
        return Response(TemplateShown(self.act(request, PutTemplate(name, **said))).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveTemplate(name))
        return Response(status=204)
