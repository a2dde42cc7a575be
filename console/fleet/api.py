"""Hosts over REST."""

from __future__ import annotations

import ipaddress
from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Admin, Operator, Viewer
from console.api.views import ActionView, find
from console.fleet.actions.lifecycle import Cordon, Drain, Remove, Uncordon
from console.fleet.actions.tokens import DEFAULT_LIFE_S, IssueHostToken
from console.fleet.listing import HOSTS as HOSTS_LISTING
from console.fleet.models import Host
from console.live.parts import document_of
from console.live.picture import SILENT_AFTER_S, picture
from console.placements.models import Ledger


class LedgerShown(serializers.ModelSerializer):
    used = serializers.SerializerMethodField(help_text="Measured; null while the host is silent.")

    class Meta:
        model = Ledger
        fields = ["resource", "capacity", "reserved", "used"]

    def get_used(self, line: Ledger) -> float | None:
        name = line.host.name
        age = picture.age_s(name)
        if age is None or age > SILENT_AFTER_S:
            return None
        return picture.used(name).get(line.resource)


class HostShown(serializers.ModelSerializer):
    resources = LedgerShown(source="ledger", many=True)
    report_age_s = serializers.SerializerMethodField(
        help_text="Seconds since the last report; null if none came."
    )
    lost = serializers.SerializerMethodField()

    class Meta:
        model = Host
        fields = [
            "name", "address", "labels", "state", "lost", "lost_since", "report_age_s", "agent_version", "joined_at",
            "drain_ends_at", "drain_ended_at", "resources",
        ]  # fmt: skip

    def get_report_age_s(self, host: Host) -> float | None:
        age = picture.age_s(host.name)
        return None if age is None else round(age, 3)

    def get_lost(self, host: Host) -> bool:
        return host.lost_since is not None


#: In the order in which they were declared; without one PostgreSQL gives those last written last.
HOSTS = Host.objects.prefetch_related(
    Prefetch("ledger", Ledger.objects.select_related("host").order_by("pk"))
)


class MountShown(serializers.Serializer):
    path = serializers.CharField()
    used_bytes = serializers.FloatField()
    size_bytes = serializers.FloatField(help_text="what can be used")
    used_share = serializers.FloatField()
    full = serializers.BooleanField()


class DiskShown(serializers.Serializer):
    name = serializers.CharField()
    read_per_s = serializers.FloatField(help_text="bytes")
    written_per_s = serializers.FloatField(help_text="bytes")


class CardShown(serializers.Serializer):
    name = serializers.CharField()
    in_per_s = serializers.FloatField(help_text="bytes")
    out_per_s = serializers.FloatField(help_text="bytes")


class PartsShown(serializers.Serializer):
    """At most sixteen of each: the fullest mounts, the busiest disks and network cards."""

    age_s = serializers.FloatField()
    mounts = MountShown(many=True)
    disks = DiskShown(many=True)
    cards = CardShown(many=True)


class HostDocument(HostShown):
    """parts: its single disks and cards; null while they are not known, as of an older agent."""

    parts = serializers.SerializerMethodField()

    class Meta(HostShown.Meta):
        fields = [*HostShown.Meta.fields, "parts"]

    @extend_schema_field(PartsShown(allow_null=True))
    def get_parts(self, host: Host) -> dict[str, Any] | None:
        known = picture.parts(host.name)
        return document_of(*known) if known else None


class HostFilter(django_filters.FilterSet):
    lost = django_filters.BooleanFilter(field_name="lost_since", lookup_expr="isnull", exclude=True)

    address = django_filters.CharFilter(method="at_address")

    class Meta:
        model = Host
        fields = ["name", "address"]

    def at_address(self, hosts: QuerySet[Host], _: str, text: str) -> QuerySet[Host]:
        """None where text is no address: PostgreSQL would not compare the two."""
        try:
            return hosts.filter(address=str(ipaddress.ip_address(text)))
        except ValueError:
            return hosts.none()


class Hosts(generics.ListAPIView):
    """The hosts: what they have, what is promised, what they use."""

    permission_classes = [Viewer]
    queryset = HOSTS
    serializer_class = HostShown
    filterset_class = HostFilter
    listing = HOSTS_LISTING


class OneHost(ActionView):
    permission_classes = [Viewer]

    @extend_schema(responses=HostDocument)
    def get(self, request: Request, name: str) -> Response:
        return Response(HostDocument(find(HOSTS, "host", name=name)).data)


class Reason(serializers.Serializer):
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class _HostVerb(ActionView):
    """One verb on one host; the reason goes into the audit trail."""

    permission_classes = [Operator]
    verb: type[Any]  # not "action", which means something to the schema generator

    @extend_schema(request=Reason, responses=HostShown)
    def post(self, request: Request, name: str) -> Response:
        asked = Reason(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, self.verb(name, **asked.validated_data))
        return Response(HostShown(find(HOSTS, "host", name=name)).data)


class CordonHost(_HostVerb):
    verb = Cordon


class UncordonHost(_HostVerb):
    verb = Uncordon


class DrainRequest(Reason):
    deadline_s = serializers.FloatField(
        default=None, allow_null=True, help_text="By when it shall be empty; what is late is said."
    )
    then_end = serializers.BooleanField(
        default=False,
        help_text="What is late is ended: jobs start anew elsewhere, endpoints are closed.",
    )


class DrainHost(_HostVerb):
    verb = Drain

    @extend_schema(request=DrainRequest, responses=HostShown)
    def post(self, request: Request, name: str) -> Response:
        asked = DrainRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, Drain(name, **asked.validated_data))
        return Response(HostShown(find(HOSTS, "host", name=name)).data)


class RemoveHost(ActionView):
    """Forget a host that holds nothing any more."""

    permission_classes = [Admin]

    @extend_schema(request=Reason, responses={204: None})
    def post(self, request: Request, name: str) -> Response:
        asked = Reason(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, Remove(name, **asked.validated_data))
        return Response(status=204)


class HostTokenRequest(serializers.Serializer):
    host_name = serializers.CharField(max_length=63, default="", allow_blank=True)
    life_s = serializers.IntegerField(default=DEFAULT_LIFE_S)


class HostTokenShown(serializers.Serializer):
    token = serializers.CharField(help_text="Shown this once.")
    life_s = serializers.IntegerField()


class HostTokens(ActionView):
    """A single-use token with which one agent joins."""

    permission_classes = [Operator]

    @extend_schema(request=HostTokenRequest, responses={201: HostTokenShown})
    def post(self, request: Request) -> Response:
        asked = HostTokenRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        token = self.act(request, IssueHostToken(**asked.validated_data))
        return Response({"token": token, "life_s": asked.validated_data["life_s"]}, status=201)
