"""A service's front in Envoy's words: its listeners, and for HTTP its routes.

    connections.py  where it listens, limits on connections, what carries TCP and UDP
    tls.py          where TLS ends, and the certificates, which are resources of their own
    requests.py     HTTP connections and the filters that their settings ask for
    routes.py       host names and routes in order; actions.py what each does with a request
    treatments.py   what is done to a request on the way: per-route settings of the filters

HTTP routes are a resource apart from the listener: a changed route then takes effect at once, where a changed
listener would drain every connection it has. What can stand with the routes therefore does; filters are in the
listener only where something uses them, and do nothing on a route that says nothing.
"""

from console.engines.envoy.listeners.connections import listeners
from console.engines.envoy.listeners.routes import routes
from console.engines.envoy.listeners.tls import secrets

__all__ = ["listeners", "routes", "secrets"]
