"""The commands: one module each, and how a command starts, reports an error and ends."""
