"""Django's own admin over every table, for when no page of the console helps: administrators only, each change in the
audit trail.

tables    the site and what it shows of each table
acts      the actions behind its buttons
"""
