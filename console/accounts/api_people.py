"""People over the API."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.actions.people import (
    ChangeRole,
    CreatePerson,
    DisablePerson,
    EnablePerson,
    IssuePasswordLink,
)
from console.accounts.actions.second_factor import ResetSecondFactor
from console.accounts.everybody import everybody
from console.accounts.models import Role, User
from console.accounts.permissions import Admin
from console.api.strict import StrictSerializer
from console.api.views import ActionView


class PersonShown(serializers.ModelSerializer):
    second_factor = serializers.BooleanField(help_text="Logging in asks for a code or a key.")
    single_sign_on = serializers.BooleanField(help_text="The OpenID provider says who it is, and its role.")

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "role",
            "is_active",
            "second_factor",
            "single_sign_on",
            "last_login",
            "date_joined",
        ]


class PersonRequest(StrictSerializer):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(Role.choices)


class RoleRequest(StrictSerializer):
    role = serializers.ChoiceField(Role.choices)


class PasswordLinkShown(serializers.Serializer):
    url = serializers.CharField(help_text="Shown this once; its owner sets a password there, within a day.")


def _shown(person: User) -> dict[str, Any]:
    shown: dict[str, Any] = PersonShown(everybody().get(pk=person.pk)).data
    return shown


class People(generics.ListAPIView, ActionView):
    """The accounts of people and programs; make one, without a password."""

    permission_classes = [Admin]
    queryset = everybody()
    serializer_class = PersonShown
    filterset_fields = ["username", "role", "is_active"]

    @extend_schema(request=PersonRequest, responses={201: PersonShown})
    def post(self, request: Request) -> Response:
        asked = PersonRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made = self.act(request, CreatePerson(**asked.validated_data))
        return Response(_shown(made), status=201)


class PersonRole(ActionView):
    """Give an account another role."""

    permission_classes = [Admin]

    @extend_schema(request=RoleRequest, responses=PersonShown)
    def post(self, request: Request, person: int) -> Response:
        asked = RoleRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(_shown(self.act(request, ChangeRole(person, **asked.validated_data))))


class _Switch(ActionView):
    permission_classes = [Admin]
    verb: type[Any]

    @extend_schema(request=None, responses=PersonShown)
    def post(self, request: Request, person: int) -> Response:
        return Response(_shown(self.act(request, self.verb(person))))


class DisableOnePerson(_Switch):
    """Switch an account off."""

    verb = DisablePerson


class EnableOnePerson(_Switch):
    """Switch an account on again."""

    verb = EnablePerson


class ResetPersonSecondFactor(_Switch):
    """Take away an account's second factor, whose owner has lost it."""

    verb = ResetSecondFactor


class PersonPasswordLink(ActionView):
    """A one-time link for setting a password."""

    permission_classes = [Admin]

    @extend_schema(request=None, responses={201: PasswordLinkShown})
    def post(self, request: Request, person: int) -> Response:
        secret = self.act(request, IssuePasswordLink(person))
        url = request.build_absolute_uri(reverse("set-password", args=[secret]))
        return Response({"url": url}, status=201)
