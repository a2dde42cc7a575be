"""A moment of the past for the live pages, in the live frames' own bytes, and what happened around it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Viewer
from console.actions import Unknown
from console.api.views import ActionView, find
from console.history.around import around
from console.history.models import Roster
from console.history.read import Moment, moment
from console.history.spans import YEARS
from console.live.frames import HEADER, MAGIC, SNAPSHOT


class PastTime(serializers.DateTimeField):
    """A time with room before and after it."""

    def to_internal_value(self, value: Any) -> datetime:
        found: datetime = super().to_internal_value(value)
        if found.year not in YEARS:
            raise serializers.ValidationError(f"lies outside the years {YEARS.start} to {YEARS.stop - 1}")
        return found


class When(serializers.Serializer):
    t = PastTime()


class AroundWhen(When):
    within_s = serializers.IntegerField(default=60, min_value=1, max_value=86_400)


class LineShown(serializers.Serializer):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    text = serializers.CharField()
    link = serializers.CharField()


class AroundShown(serializers.Serializer):
    events = LineShown(many=True)
    events_more = serializers.BooleanField()
    decisions = LineShown(many=True)
    decisions_more = serializers.BooleanField()


class RosterShown(serializers.Serializer):
    version = serializers.IntegerField(source="pk")
    hosts = serializers.JSONField()


def asked_of(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    asked = serializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def moment_at(request: Request) -> Moment:
    """The moment that ?t= asks for. Raises Unknown where nothing is kept of it."""
    t = asked_of(When, request)["t"]
    found = moment(t)
    if found is None:
        raise Unknown("moment", t.isoformat())
    return found


def encoded(found: Moment) -> bytes:
    """A moment as a snapshot of console.live.frames; its roster's number is the version of the directory."""
    header = HEADER.pack(MAGIC, SNAPSHOT, 0, 0, found.roster_id & 0xFFFFFFFF, len(found.table))
    columns = (found.table[:, :4], found.table[:, 4:8], found.table[:, 8], found.table[:, 9])
    return header + b"".join(column.tobytes() for column in columns)


class PastFrame(ActionView):
    """All hosts at t as one binary snapshot, the live feed's format. Steelyard-At: the moment that is shown."""

    permission_classes = [Viewer]

    @extend_schema(
        parameters=[OpenApiParameter("t", OpenApiTypes.DATETIME, required=True)],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponse:
        found = moment_at(request)
        answer = HttpResponse(encoded(found), content_type="application/octet-stream")
        answer["Steelyard-At"] = found.at.isoformat()
        answer["Steelyard-Tier"] = found.tier
        return answer


class OneRoster(ActionView):
    """The hosts that a snapshot's rows mean, as the live feed's directory."""

    permission_classes = [Viewer]

    @extend_schema(responses=RosterShown)
    def get(self, request: Request, roster: int) -> Response:
        return Response(RosterShown(find(Roster.objects.all(), "roster", pk=roster)).data)


class AroundMoment(ActionView):
    """Events and decisions nearest t, at most so many seconds before and after it."""

    permission_classes = [Viewer]

    @extend_schema(parameters=[AroundWhen], responses=AroundShown)
    def get(self, request: Request) -> Response:
        asked = asked_of(AroundWhen, request)
        return Response(AroundShown(around(asked["t"], timedelta(seconds=asked["within_s"]))).data)
