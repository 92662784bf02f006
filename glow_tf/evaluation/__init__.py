"""Evaluation of a trained `Glow`, one measurement per file; `commands` holds the sub-commands of `evaluate.py`."""
