"""The furnished cluster of the pages' tests."""

from console_furnished import Browsers, Things, browsers, furnished

__all__ = ["Browsers", "Things", "browsers", "furnished"]
