"""`steelyard up`: all processes of the control plane on one machine, started in order and kept running.

Theory of operation. Each part is a process of its own, the same that a larger installation runs on several
machines; this supervisor only starts them, restarts one that ends (soon, then less and less eagerly), and ends
them in the reverse order. It holds no state that matters: killed, it leaves nothing half done,
and a new one sweeps what the old one left running.
"""
