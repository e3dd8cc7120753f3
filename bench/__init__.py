"""Measurements of a running backbone, over real sockets: ``python -m bench --help``. None asserts a time."""
