"""What is said: text, messages, records, stamps."""
