"""Many recordings: files in, tables of nights and people out."""
