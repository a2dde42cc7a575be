"""The host agent: samples what the host has and uses, reports it, and carries out what it is told.

Runs on every host with psutil, websockets and msgspec, nothing else.
It has no listener of its own at rest: it dials out, and an agent that is not paired exits.
"""
