"""What each harness needs to take part: entries in its own files. A harness a file."""
