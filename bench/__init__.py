"""Benchmarks, and what they share with the demo: a rack of hosts on one machine, and a load generator."""
