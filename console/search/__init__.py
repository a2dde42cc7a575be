"""Search: one index in each web process over everything that has a name, and what can be done with it.

shelf     the entries of one kind, and how a query finds them (pure)
nearly    what is only nearly typed right: abbreviations and slips (pure)
kinds     what is indexed, where it is read from, where its page is
index     the shelves of this process, and when they are read again
doings    what can be done, by name, with the reason where it can't be
answers   the one question: text -> ranked results, for the palette, REST, the command and the page
"""
