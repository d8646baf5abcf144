"""What is measured and drawn of a model: event AP and figures."""
