"""A fleet that is not there: simulated hosts with which every screen can be tried, marked, gone at one click."""
