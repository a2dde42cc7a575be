"""The accounts with how their owners log in, for lists."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db.models import Exists, OuterRef, QuerySet

from console.accounts.models import User


def everybody() -> QuerySet[User]:
    """By name; each with second_factor and single_sign_on."""
    of_them = {"user": OuterRef("pk")}
    factors = Authenticator.objects.filter(**of_them).exclude(type=Authenticator.Type.RECOVERY_CODES)
    return User.objects.annotate(
        second_factor=Exists(factors), single_sign_on=Exists(SocialAccount.objects.filter(**of_them))
    ).order_by("username")
