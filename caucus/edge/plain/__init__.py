"""HTTP on Twisted's own server."""
