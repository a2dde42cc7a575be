"""Certificates and API keys over REST. Keys go in, or are said once; they are never read again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import ReadOrOperate
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.traffic import pem
from console.traffic.actions.api_keys import MakeApiKey, RemoveApiKey
from console.traffic.actions.certificates import PutCertificate, RemoveCertificate
from console.traffic.models import ApiKey, Certificate
from console.traffic.references import api_key_users, certificate_users


class CertificateRequest(StrictSerializer):
    """PEM texts: a chain (the server's own first) with its key, or a CA that signs clients' certificates, or both."""

    name = serializers.CharField(max_length=63)
    chain = serializers.CharField(default="", allow_blank=True, max_length=pem.LONGEST)
    key = serializers.CharField(default="", allow_blank=True, max_length=pem.LONGEST, write_only=True)
    ca = serializers.CharField(default="", allow_blank=True, max_length=pem.LONGEST)


class CertificateShown(serializers.ModelSerializer):
    """Without its key. names: of a chain, those it is for; of a CA alone, its own."""

    names = serializers.ListField(child=serializers.CharField())
    warnings = serializers.SerializerMethodField()
    used_by = serializers.SerializerMethodField()

    class Meta:
        model = Certificate
        fields = [
            "name",
            "names",
            "fingerprint",
            "valid_from",
            "valid_until",
            "chain",
            "ca",
            "changed_at",
            "warnings",
            "used_by",
        ]

    def get_warnings(self, certificate: Certificate) -> list[str]:
        return warnings_of(certificate)

    def get_used_by(self, certificate: Certificate) -> list[str]:
        return self.context["users"].get(certificate.name, [])


def shown(certificate: Certificate) -> dict[str, Any]:
    """One certificate as the API says it."""
    data: dict[str, Any] = CertificateShown(certificate, context={"users": certificate_users()}).data
    return data


def warnings_of(certificate: Certificate) -> list[str]:
    """What is wrong with it now."""
    return pem.warnings(
        pem.Facts(certificate.names, certificate.fingerprint, certificate.valid_from, certificate.valid_until)
    )


class Certificates(ActionView, generics.ListAPIView):
    """The certificates; POST puts one there or renews it."""

    permission_classes = [ReadOrOperate]
    queryset = Certificate.objects.all()
    serializer_class = CertificateShown

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "users": certificate_users()}

    @extend_schema(request=CertificateRequest, responses={201: CertificateShown})
    def post(self, request: Request) -> Response:
        asked = CertificateRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made = self.act(request, PutCertificate(**asked.validated_data))
        return Response(shown(made), status=201)


class OneCertificate(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses=CertificateShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(shown(find(Certificate.objects.all(), "certificate", name=name)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveCertificate(name))
        return Response(status=204)


class ApiKeyRequest(StrictSerializer):
    name = serializers.CharField(max_length=63)


class ApiKeyShown(serializers.ModelSerializer):
    """Without the key itself."""

    used_by = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields = ["name", "created_at", "used_by"]

    def get_used_by(self, key: ApiKey) -> list[str]:
        return self.context["users"].get(key.name, [])


class ApiKeyMade(serializers.Serializer):
    """The key, this once."""

    name = serializers.CharField()
    key = serializers.CharField()


class ApiKeys(ActionView, generics.ListAPIView):
    """Keys with which clients of services name themselves; POST makes one."""

    permission_classes = [ReadOrOperate]
    queryset = ApiKey.objects.all()
    serializer_class = ApiKeyShown

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "users": api_key_users()}

    @extend_schema(request=ApiKeyRequest, responses={201: ApiKeyMade})
    def post(self, request: Request) -> Response:
        asked = ApiKeyRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        name: Any = asked.validated_data["name"]
        key = self.act(request, MakeApiKey(name))
        return Response({"name": name, "key": key}, status=201)


class OneApiKey(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveApiKey(name))
        return Response(status=204)
