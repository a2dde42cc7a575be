"""Envoy: rendered as typed protobuf, configured over delta ADS, started from a wheel, read by its admin socket."""
