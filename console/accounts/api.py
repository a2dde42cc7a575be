"""Tokens over the API, and who the caller is."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.actions.tokens import LONGEST_LIFE_DAYS, CreateToken, RevokeToken
from console.accounts.models import Role
from console.accounts.permissions import Admin, Viewer
from console.api.views import ActionView


class TokenRequest(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(Role.choices, required=False, default="")
    days = serializers.IntegerField(default=LONGEST_LIFE_DAYS)


class TokenShown(serializers.Serializer):
    key = serializers.CharField(source="token_key")
    username = serializers.CharField(source="user.username")
    role = serializers.CharField(source="user.role")
    created = serializers.DateTimeField()
    expiry = serializers.DateTimeField()


class NewToken(TokenShown):
    token = serializers.CharField(help_text="The secret. Shown this once.")


class Tokens(ActionView):
    """All tokens, without their secrets; make one."""

    permission_classes = [Admin]

    @extend_schema(responses=TokenShown(many=True))
    def get(self, request: Request) -> Response:
        tokens = AuthToken.objects.select_related("user").order_by("created")
        return Response(TokenShown(tokens, many=True).data)

    @extend_schema(request=TokenRequest, responses={201: NewToken})
    def post(self, request: Request) -> Response:
        asked = TokenRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        token, text = self.act(request, CreateToken(**asked.validated_data))
        return Response({**TokenShown(token).data, "token": text}, status=201)


class Token(ActionView):
    permission_classes = [Admin]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key: str) -> Response:
        self.act(request, RevokeToken(key))
        return Response(status=204)


class Caller(serializers.Serializer):
    username = serializers.CharField()
    role = serializers.CharField()


class WhoAmI(ActionView):
    """Who this token or session is."""

    permission_classes = [Viewer]

    @extend_schema(responses=Caller)
    def get(self, request: Request) -> Response:
        return Response(Caller(request.user).data)
