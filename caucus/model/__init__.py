"""What is said: fields, messages, channels, evidence, results, events, stamps, and what is wrong with it."""
