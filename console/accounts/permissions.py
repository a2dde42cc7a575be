"""Who may call an API view. A view without one of these lets nobody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from console.accounts.models import Role

if TYPE_CHECKING:
    # DRF reads its settings, and with them this module, while it imports its views.
    from rest_framework.views import APIView


class NobodyYet(BasePermission):
    """The default: a view that names no role is closed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return False


class _HasRole(BasePermission):
    role: Role

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        self.message = f"This asks for the role {self.role}; {user.get_username()} is {user.role}."
        return user.has_role(self.role)


class Viewer(_HasRole):
    role = Role.VIEWER


class Operator(_HasRole):
    role = Role.OPERATOR


class PolicyAdmin(_HasRole):
    role = Role.POLICY_ADMIN


class Admin(_HasRole):
    role = Role.ADMIN


class _ReadOrWrite(BasePermission):
    """One role reads, another writes."""

    readers: type[_HasRole]
    writers: type[_HasRole]

    def has_permission(self, request: Request, view: APIView) -> bool:
        chosen = (self.readers if request.method in ("GET", "HEAD", "OPTIONS") else self.writers)()
        allowed = chosen.has_permission(request, view)
        self.message = getattr(chosen, "message", None)
        return allowed


class ReadOrOperate(_ReadOrWrite):
    """Viewers read; operators write."""

    readers, writers = Viewer, Operator


class ReadOrSetPolicies(_ReadOrWrite):
    """Viewers read; policy administrators write."""

    readers, writers = Viewer, PolicyAdmin


class OperateOrAdminister(_ReadOrWrite):
    """Operators read; administrators write."""

    readers, writers = Operator, Admin
