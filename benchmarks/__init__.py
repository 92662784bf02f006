"""Speed and memory of Glow, compared with other implementations: `python -m benchmarks`. See README.md."""
