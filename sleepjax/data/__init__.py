"""From recordings and events to windows: reading, validating, features, store, labels, splits."""
