"""What tests of jobs share."""

from attempts_rig import host

__all__ = ["host"]
