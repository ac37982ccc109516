"""What gates ask: Prometheus, a URL of the operator's, GitHub, a cluster. Nothing here writes anything."""
