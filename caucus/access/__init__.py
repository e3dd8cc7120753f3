"""Who may do what: tokens, and who mints them."""
