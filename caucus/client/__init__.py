"""A backbone over HTTP, for programs."""
