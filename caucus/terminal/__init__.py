"""What the command line shares: where the backbone is, how it is asked, and how answers are shown."""
