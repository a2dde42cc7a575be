"""What tests of storage's pages share with those of all pages."""

from console_furnished import Browsers, browsers

__all__ = ["Browsers", "browsers"]
