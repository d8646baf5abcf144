"""Data: files of recordings and events, read, validated, prepared and cut into windows."""
