"""How fast Glow is here, beside other implementations: `python -m benchmarks`. See README.md beside this file."""
