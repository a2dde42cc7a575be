"""What tests of pages share."""

from console_furnished import HOSTILE, Browsers, Things, browsers, furnished

__all__ = ["HOSTILE", "Browsers", "Things", "browsers", "furnished"]
