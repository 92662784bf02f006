"""Provide the cases, reference values and commands that several tests share."""
