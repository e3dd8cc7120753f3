"""HTTP in front of a backbone: routes, and what carries them."""
