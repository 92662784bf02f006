"""Small versions of the paper's figures: `python -m experiments.paper_figures`. See README.md in this folder."""
