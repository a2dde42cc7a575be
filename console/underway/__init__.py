"""What is under way in the whole cluster, for the strip at the foot of every page: drains, copies, rollouts, jobs.

task      one line of it
sources   where the lines come from: one function each, named in SOURCES
watch     this process's last look, rendered once for all its browsers
"""
