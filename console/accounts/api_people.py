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
from console.accounts.models import Role, User
from console.accounts.permissions import Admin
from console.api.strict import StrictSerializer
from console.api.views import ActionView


class PersonShown(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "username", "role", "is_active", "last_login", "date_joined"]


class PersonRequest(StrictSerializer):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(Role.choices)


class RoleRequest(StrictSerializer):
    role = serializers.ChoiceField(Role.choices)


class PasswordLinkShown(serializers.Serializer):
    url = serializers.CharField(help_text="Shown this once; its owner sets a password there, within a day.")


class People(generics.ListAPIView, ActionView):
    """The accounts of people and programs; make one, without a password."""

    permission_classes = [Admin]
    queryset = User.objects.order_by("username")
    serializer_class = PersonShown
    filterset_fields = ["username", "role", "is_active"]

    @extend_schema(request=PersonRequest, responses={201: PersonShown})
    def post(self, request: Request) -> Response:
        asked = PersonRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made = self.act(request, CreatePerson(**asked.validated_data))
        return Response(PersonShown(made).data, status=201)


class PersonRole(ActionView):
    """Give an account another role."""

    permission_classes = [Admin]

    @extend_schema(request=RoleRequest, responses=PersonShown)
    def post(self, request: Request, person: int) -> Response:
        asked = RoleRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(PersonShown(self.act(request, ChangeRole(person, **asked.validated_data))).data)


class _Switch(ActionView):
    permission_classes = [Admin]
    verb: type[Any]

    @extend_schema(request=None, responses=PersonShown)
    def post(self, request: Request, person: int) -> Response:
        return Response(PersonShown(self.act(request, self.verb(person))).data)


class DisableOnePerson(_Switch):
    """Switch an account off."""

    verb = DisablePerson


class EnableOnePerson(_Switch):
    """Switch an account on again."""

    verb = EnablePerson


class PersonPasswordLink(ActionView):
    """A one-time link for setting a password."""

    permission_classes = [Admin]

    @extend_schema(request=None, responses={201: PasswordLinkShown})
    def post(self, request: Request, person: int) -> Response:
        secret = self.act(request, IssuePasswordLink(person))
        url = request.build_absolute_uri(reverse("set-password", args=[secret]))
        return Response({"url": url}, status=201)
