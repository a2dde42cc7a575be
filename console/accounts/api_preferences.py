"""The caller's own preferences over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.actions.preferences import ForgetPreference, SetPreference
from console.accounts.permissions import Viewer
from console.accounts.preferences import DECLARED, declared, preferences_of
from console.api.views import ActionView


class PreferenceShown(serializers.Serializer):
    key = serializers.CharField()
    document = serializers.JSONField(help_text="What was chosen, or the default.")
    chosen = serializers.BooleanField(help_text="False where the document is the default.")
    meaning = serializers.CharField()
    schema = serializers.JSONField(help_text="The JSON schema of the document.")


class PreferenceKept(serializers.Serializer):
    document = serializers.JSONField(help_text="What the key's schema says.")


def shown(request: Request, key: str) -> dict[str, Any]:
    """One preference of the caller. Raises Unknown."""
    rule, kept = declared(key), preferences_of(request.user)
    return {
        "key": key,
        "document": kept.get(key),
        "chosen": key in kept.chosen,
        "meaning": rule.meaning,
        "schema": rule.schema,
    }


class Preferences(ActionView):
    """The caller's preferences: those of every key, and those of families (KEY.*) that were chosen."""

    permission_classes = [Viewer]

    @extend_schema(responses=PreferenceShown(many=True))
    def get(self, request: Request) -> Response:
        single = {each.key for each in DECLARED if not each.key.endswith(".*")}
        return Response(
            [shown(request, key) for key in sorted(single | set(preferences_of(request.user).chosen))]
        )


class OnePreference(ActionView):
    """One key of the caller's."""

    permission_classes = [Viewer]

    @extend_schema(responses=PreferenceShown)
    def get(self, request: Request, key: str) -> Response:
        return Response(shown(request, key))

    @extend_schema(request=PreferenceKept, responses=PreferenceShown)
    def put(self, request: Request, key: str) -> Response:
        asked = PreferenceKept(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, SetPreference(key, asked.validated_data["document"]))
        return Response(shown(request, key))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key: str) -> Response:
        self.act(request, ForgetPreference(key))
        return Response(status=204)
