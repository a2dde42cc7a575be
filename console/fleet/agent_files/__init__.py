"""The agent as the console hands it out: an archive that needs nothing but Python, a wheel, and an installer.

Made of what is installed here, so that a console without any way to the internet can add hosts, and always of the
version that this console speaks with. The same bytes in each process and at each start: their digests are in commands.
"""
