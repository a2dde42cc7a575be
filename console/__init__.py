"""The control plane: Django apps of one anatomy, the controller, the engines and the command line."""

import sys

import pysqlite3
import pysqlite3.dbapi2

# Debian 12's SQLite 3.40.1 can corrupt a WAL when it is reset under concurrent writers (fixed in 3.51.3).
# The wheel carries a newer one; Django imports whatever stands under this name.
sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2
