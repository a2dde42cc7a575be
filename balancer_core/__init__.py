"""Decides where loads go. No Django, no socket, no clock, no random number of its own, no environment.

README.md draws the pipeline. The doors: resources, cluster, placement, decision, lifecycle, steering.
"""
