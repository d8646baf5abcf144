"""Live detection: samples as they come, events and sleep windows as they are known."""
