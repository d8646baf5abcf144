"""Service: recordings and samples over HTTP, answered with sleep windows, events and pictures."""
