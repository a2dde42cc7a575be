"""Services over REST: what was asked for beside what the engine does."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate
from console.actions import Invalid, is_storable
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.engines.target import MAX_PRIORITY
from console.traffic import listing
from console.traffic.actions.endpoints import CloseEndpoint, DrainEndpoint, ResumeEndpoint
from console.traffic.actions.services import (
    AddEndpoint,
    CreateService,
    RemoveEndpoint,
    RemoveService,
    SetTier,
)
from console.traffic.models import Endpoint, Service
from console.traffic.schema import SettingsDocument
from console.traffic.view import joined_health, seen, warnings_now


@extend_schema_field({"type": "string", "pattern": r"^.+:\d{1,5}$"})
class HostPort(serializers.Field):
    """HOST:PORT, where HOST is a host's name or its address (IPv6 in brackets)."""

    def to_internal_value(self, data: Any) -> tuple[str, int]:
        host, colon, port = str(data).rpartition(":")
        # isdigit() alone takes digits of every script, and powers, which int() does not.
        if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5) or not 0 < len(host) <= 63:
            raise serializers.ValidationError("HOST:PORT is needed, for instance web-1:8080")
        if not is_storable(host):
            raise serializers.ValidationError("a host's name, or its address")
        return host.strip("[]"), int(port)

    def to_representation(self, value: tuple[str, int]) -> str:
        return f"{value[0]}:{value[1]}"


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "pattern": r"^.+:\d{1,5}$"},
            {
                "type": "object",
                "properties": {"endpoint": {"type": "string"}, "priority": {"type": "integer"}},
                "required": ["endpoint"],
            },
        ]
    }
)
class NewEndpoint(HostPort):
    """HOST:PORT, or {"endpoint": HOST:PORT, "priority": 1} for one that waits until too few of 0 are well."""

    def to_internal_value(self, data: Any) -> tuple[str, int] | tuple[str, int, int]:
        if not isinstance(data, dict):
            return super().to_internal_value(data)
        asked = EndpointRequest(data=data)
        asked.is_valid(raise_exception=True)
        return *asked.validated_data["endpoint"], asked.validated_data["priority"]


class ServiceRequest(StrictSerializer):
    name = serializers.CharField(max_length=63)
    protocol = serializers.ChoiceField(Service.Protocol.choices)
    listen = HostPort(help_text="ADDR:PORT; without it, a pool for other services", required=False)
    endpoints = serializers.ListField(child=NewEndpoint(), default=list)
    settings = SettingsDocument(default=dict)
    tier = serializers.ChoiceField(Service.Tier.choices, default=Service.Tier.OTHER)


class TierRequest(StrictSerializer):
    tier = serializers.ChoiceField(Service.Tier.choices)


class EndpointRequest(StrictSerializer):
    endpoint = HostPort()
    priority = serializers.IntegerField(
        default=0, min_value=0, max_value=MAX_PRIORITY, help_text="of a new one"
    )


class EndpointShown(serializers.ModelSerializer):
    """health: one state from operators' wishes, engines' findings and the host's agent; health_reasons: theirs.

    engine: weight, share, rates and its own word, of the last second; null while no engine has spoken.
    """

    host = serializers.CharField(source="host.name")
    address = serializers.CharField(source="host.address")
    port = serializers.IntegerField()  # else the schema would say what the database at hand can count to
    priority = serializers.IntegerField()
    weight_percent = serializers.IntegerField(help_text="what operators leave of the learnt weight")
    health = serializers.SerializerMethodField()
    health_reasons = serializers.SerializerMethodField()
    engine = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            "host", "address", "port", "state", "priority", "draining_since", "weight_percent", "health",
            "health_reasons", "engine",
        ]  # fmt: skip

    def get_health(self, endpoint: Endpoint) -> str:
        return joined_health(endpoint, seen().known(endpoint)).state

    def get_health_reasons(self, endpoint: Endpoint) -> list[str]:
        return list(joined_health(endpoint, seen().known(endpoint)).reasons)

    def get_engine(self, endpoint: Endpoint) -> dict[str, Any] | None:
        return seen().endpoint(endpoint)


class RefusedShown(serializers.Serializer):
    """node: an engine; what: listener, routes, pool, endpoints or certificate; text: the engine's words."""

    node = serializers.CharField()
    what = serializers.CharField()
    text = serializers.CharField()


class ServiceShown(serializers.ModelSerializer):
    """refused: what of the service engines do not take at present; they go on with what they took before.
    warnings: what its settings ask for and is hardly meant.
    """

    listen_port = serializers.IntegerField(allow_null=True)
    endpoints = EndpointShown(many=True)
    settings = SettingsDocument()
    refused = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()

    class Meta:
        model = Service
        fields = [
            "name",
            "protocol",
            "listen_address",
            "listen_port",
            "tier",
            "endpoints",
            "settings",
            "refused",
            "warnings",
            "created_at",
        ]

    @extend_schema_field(RefusedShown(many=True))
    def get_refused(self, service: Service) -> list[dict[str, str]]:
        return [msgspec.structs.asdict(each) for each in seen().refused(service.name)]

    def get_warnings(self, service: Service) -> list[str]:
        return warnings_now(service)


SERVICES = Service.objects.prefetch_related("endpoints__host")


class Services(ActionView, generics.ListAPIView):
    """The services; POST makes one."""

    permission_classes = [ReadOrOperate]
    queryset = SERVICES
    serializer_class = ServiceShown
    listing = listing.SERVICES
    filterset_fields = ["protocol", "tier"]

    @extend_schema(request=ServiceRequest, responses={201: ServiceShown})
    def post(self, request: Request) -> Response:
        asked = ServiceRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        address, port = values.get("listen", (None, None))
        action = CreateService(
            values["name"],
            values["protocol"],
            address,
            port,
            values["endpoints"],
            values["settings"],
            values["tier"],
        )
        service = self.act(request, action)
        return Response(ServiceShown(SERVICES.get(pk=service.pk)).data, status=201)


class OneService(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses=ServiceShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(ServiceShown(find(SERVICES, "service", name=name)).data)

    @extend_schema(request=TierRequest, responses=ServiceShown)
    def patch(self, request: Request, name: str) -> Response:
        asked = TierRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        service = self.act(request, SetTier(name, asked.validated_data["tier"]))
        return Response(ServiceShown(SERVICES.get(pk=service.pk)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveService(name))
        return Response(status=204)


class EndpointAction(ActionView):
    """Add, remove, drain, close or resume one endpoint of a service."""

    permission_classes = [Operator]
    verb = "add"

    @extend_schema(request=EndpointRequest, responses=ServiceShown)
    def post(self, request: Request, name: str) -> Response:
        asked = EndpointRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        host, port = asked.validated_data["endpoint"]
        match self.verb:
            case "add":
                action: Any = AddEndpoint(name, host, port, asked.validated_data["priority"])
            case "remove":
                action = RemoveEndpoint(name, host, port)
            case "drain":
                action = DrainEndpoint(name, host, port)
            case "close":
                action = CloseEndpoint(name, host, port)
            case "resume":
                action = ResumeEndpoint(name, host, port)
            case other:
                raise Invalid("verb", "unknown", other)
        service = self.act(request, action)
        return Response(ServiceShown(SERVICES.get(pk=service.pk)).data)
