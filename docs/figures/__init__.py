"""The paper's figures, small: `python -m docs.figures`. See README.md beside this file."""
