"""Alerts: rules over the live state, with hysteresis; silences; and the channels by which people hear of them."""
