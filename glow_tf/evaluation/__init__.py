"""What `evaluate.py` measures and draws, one idea a file."""
