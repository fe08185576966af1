"""The networks, assembled."""
