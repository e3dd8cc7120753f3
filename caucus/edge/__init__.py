"""HTTP without routes: what carries requests, and what it holds its peers to."""
