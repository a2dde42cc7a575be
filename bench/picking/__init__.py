"""What a pick costs inside Envoy: by itself, and in Envoy's throughput."""
