"""One address: a DRF view with the console's authentication and permission, and no work."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.accounts.permissions import ReadOrOperate


class Empty(APIView):
    permission_classes = [ReadOrOperate]

    def post(self, request: Request) -> Response:
        return Response({}, status=201)


urlpatterns = [path("empty/", Empty.as_view())]
