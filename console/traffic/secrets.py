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


class SecretsReader:
    """Reads them all as often as asked, and opens each seal once: what did not change is handed on as it was.

    One that can't be opened is tried again each time: the key may be put back.
    """

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], str] = {}

    def now(self) -> Secrets:
        """All certificates and API keys, in two reads."""
        held: list[CertificateTarget] = []
        keys: list[KeyTarget] = []
        wrong: list[str] = []
        before, self._opened = self._opened, {}
        for each in Certificate.objects.all():
            try:
                key = (
                    self._open(before, each.sealed_key, certificates.sealed_place(each.name))
                    if each.sealed_key
                    else ""
                )
            except Unsealable as error:
                wrong.append(str(error))
            else:
                held.append(CertificateTarget(each.name, each.chain, key, each.ca))
        for one in ApiKey.objects.all():
            try:
                keys.append(
                    KeyTarget(one.name, self._open(before, one.sealed, api_keys.sealed_place(one.name)))
                )
            except Unsealable as error:
                wrong.append(str(error))
        return Secrets(tuple(held), tuple(keys), tuple(wrong))

    def _open(self, before: dict[tuple[str, str], str], sealed: str, place: str) -> str:
        """Kept under its seal and its place: another seal is another secret, and what is gone is forgotten."""
        opened = before.get((sealed, place))
        if opened is None:
            opened = unseal(sealed, place)
        self._opened[sealed, place] = opened
        return opened
