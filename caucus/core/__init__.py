"""The rules put together over a journal and a clock."""
