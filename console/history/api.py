"""The past over REST: ranges of one host and of the cluster, and all hosts at one time."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Viewer
from console.api.pages import Pages
from console.api.views import ActionView, find
from console.fleet.models import Host
from console.history import marks, read
from console.history.api_moments import PastTime, moment_at
from console.history.models import Roster
from console.history.spans import RANGES, USUAL
from console.live.frames import BARS, FULL, UNKNOWN


class Stretch(serializers.Serializer):
    range = serializers.ChoiceField(list(RANGES), required=False)
    begin = PastTime(required=False)
    end = PastTime(required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        end = data.get("end", timezone.now())
        begin = data.get("begin", end - RANGES[data.get("range", USUAL)])
        if begin >= end:
            raise serializers.ValidationError({"begin": "lies not before the end"})
        return {"begin": begin, "end": end, "now": timezone.now()}


def stretch_of(request: Request) -> dict[str, Any]:
    asked = Stretch(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


class HostPast(ActionView):
    """One host's bars from begin to end, or over a usual range until now (the last hour): of each step least, p95 and
    most, never only a mean."""

    permission_classes = [Viewer]

    @extend_schema(parameters=[Stretch], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, name: str) -> Response:
        find(Host.objects.all(), "host", name=name)
        return Response(read.of_host(name, **stretch_of(request)))


class MarkShown(serializers.Serializer):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    count = serializers.IntegerField()
    text = serializers.CharField()
    link = serializers.CharField()


class HostMarks(ActionView):
    """What happened to one host from begin to end: its own events, and placements that came and went, bunched where
    there are many."""

    permission_classes = [Viewer]

    @extend_schema(parameters=[Stretch], responses=MarkShown(many=True))
    def get(self, request: Request, name: str) -> Response:
        host = find(Host.objects.all(), "host", name=name)
        stretch = stretch_of(request)
        found = marks.of_host(host, stretch["begin"], stretch["end"])
        return Response(MarkShown(found, many=True).data)


class ClusterPast(ActionView):
    """The same over all hosts."""

    permission_classes = [Viewer]

    @extend_schema(parameters=[Stretch], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(read.of_cluster(**stretch_of(request)))


class PastMoment(ActionView):
    """The hosts as they were at t, a page of them: words of state, age of the report, used and reserved as shares of
    capacity."""

    permission_classes = [Viewer]

    @extend_schema(
        parameters=[
            OpenApiParameter("t", OpenApiTypes.DATETIME, required=True),
            OpenApiParameter("limit", OpenApiTypes.INT),
            OpenApiParameter("offset", OpenApiTypes.INT),
        ],
        responses=dict,
    )
    def get(self, request: Request) -> Response:
        found = moment_at(request)
        names = [host["name"] for host in Roster.objects.get(pk=found.roster_id).hosts]
        pages = Pages()
        rows = pages.paginate_queryset(list(zip(names, found.table.tolist(), strict=True)), request)
        answer = pages.get_paginated_response([shown_host(name, row) for name, row in rows]).data
        return Response({"at": found.at, "tier": found.tier, **answer})


def shown_host(name: str, row: list[int]) -> dict[str, Any]:
    """Ten bytes in words and shares; what a silent host used is unknown."""
    state = read.state_words(row[8])
    used = [UNKNOWN] * 4 if "silent" in state else row[:4]
    shares = [None if byte == UNKNOWN else byte / FULL for byte in (*used, *row[4:8])]
    return {
        "name": name,
        "state": state,
        "age_s": None if row[9] == UNKNOWN else row[9],
        "used": dict(zip(BARS, shares[:4], strict=True)),
        "reserved": dict(zip(BARS, shares[4:], strict=True)),
    }
