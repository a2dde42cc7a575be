"""Search over REST: for the palette, for programs and for `steelyard search`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.actions.preferences import RememberOpened
from console.accounts.permissions import Viewer
from console.actions import Invalid
from console.api.views import ActionView
from console.search.answers import MOST, ORDER, answer
from console.search.kinds import KINDS

MOST_ASKED = 100


class FoundShown(serializers.Serializer):
    kind = serializers.ChoiceField(ORDER)
    key = serializers.CharField(help_text="Its name or identity within its kind.")
    title = serializers.CharField()
    detail = serializers.CharField()
    path = serializers.CharField(help_text="Its page on the console.")
    why_not = serializers.CharField(
        help_text="Of an action: why the caller can't do it; empty where they can."
    )


class AnswerShown(serializers.Serializer):
    query = serializers.CharField()
    results = FoundShown(many=True)
    took_ms = serializers.FloatField(help_text="To find them.")
    age_s = serializers.FloatField(help_text="Since the index was last compared with the database.")


class OpenedRequest(serializers.Serializer):
    kind = serializers.ChoiceField(tuple(KINDS))
    key = serializers.CharField(max_length=200)


class AskedFor(serializers.Serializer):
    q = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
    kind = serializers.ChoiceField(("", *KINDS, "action"), required=False, default="")
    limit = serializers.IntegerField(required=False, default=MOST, min_value=1, max_value=MOST_ASKED)
    typing = serializers.BooleanField(required=False, default=False)


class Search(ActionView):
    """Everything that has a name, and what can be done with it, nearest first."""

    permission_classes = [Viewer]

    @extend_schema(
        parameters=[
            AskedFor,
            OpenApiParameter(
                "q", str, description="Words; all must be there. Without any: what was opened last."
            ),
        ],
        responses=AnswerShown,
    )
    def get(self, request: Request) -> Response:
        asked = AskedFor(data=request.query_params)
        asked.is_valid(raise_exception=True)
        given: dict[str, Any] = asked.validated_data
        found = answer(
            given["q"], request.user, kind=given["kind"], most=given["limit"], wait=not given["typing"]
        )
        return Response({**asdict(found), "results": FoundShown(found.results, many=True).data})


class Opened(ActionView):
    """Say that one of the results was opened: it goes to the caller's recent things."""

    permission_classes = [Viewer]

    @extend_schema(request=OpenedRequest, responses={204: None})
    def post(self, request: Request) -> Response:
        asked = OpenedRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        if "\0" in asked.validated_data["key"]:
            raise Invalid("key", "invalid", "NUL is no part of a name")
        self.act(request, RememberOpened(asked.validated_data["kind"], asked.validated_data["key"]))
        return Response(status=204)
