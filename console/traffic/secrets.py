"""What engines need to know and nobody else: unsealed here, for the target of one step."""

from __future__ import annotations

from dataclasses import dataclass

from console.engines.target import ApiKey as KeyTarget
from console.engines.target import Certificate as CertificateTarget
from console.sealing import Unsealable, unseal
from console.traffic.actions import api_keys, certificates
from console.traffic.models import ApiKey, Certificate


@dataclass(frozen=True)
class Secrets:
    """wrong: a sentence for each that can't be opened; services that name it go without."""

    certificates: tuple[CertificateTarget, ...] = ()
    api_keys: tuple[KeyTarget, ...] = ()
    wrong: tuple[str, ...] = ()


def secrets_now() -> Secrets:
    """All certificates and API keys, in two reads."""
    opened: list[CertificateTarget] = []
    keys: list[KeyTarget] = []
    wrong: list[str] = []
    for each in Certificate.objects.all():
        try:
            key = unseal(each.sealed_key, certificates.sealed_place(each.name)) if each.sealed_key else ""
        except Unsealable as error:
            wrong.append(str(error))
        else:
            opened.append(CertificateTarget(each.name, each.chain, key, each.ca))
    for one in ApiKey.objects.all():
        try:
            keys.append(KeyTarget(one.name, unseal(one.sealed, api_keys.sealed_place(one.name))))
        except Unsealable as error:
            wrong.append(str(error))
    return Secrets(tuple(opened), tuple(keys), tuple(wrong))
