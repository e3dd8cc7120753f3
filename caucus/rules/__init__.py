"""The rules, pure: no reactor, no I/O, time comes in."""
