"""The demo: the whole of Steelyard on a rack of unequal hosts, with real load of every kind."""
