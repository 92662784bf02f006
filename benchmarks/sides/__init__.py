"""The sides of the race, one implementation a file.

A side is a class over a `Work` with `versions` `{package: version}` and `figures` `{name: call}`; a call does the
work of that figure once and returns when it is done. Figures: train (forward, backward, Adamax update), train_average
(the same with a moving average of the weights), log_prob, sample.
"""

import importlib

SIDES = {
    "ours": "benchmarks.sides.ours:Ours",
    "ours bfloat16": "benchmarks.sides.ours:OursBfloat16",
    "tfp.bijectors.Glow": "benchmarks.sides.tfp_glow:TfpGlow",
    "normflows": "benchmarks.sides.normflows_glow:NormflowsGlow",
    "tensorflow products": "benchmarks.sides.products:TensorFlowProducts",
    "torch products": "benchmarks.sides.products:TorchProducts",
    "numpy products": "benchmarks.sides.products:NumpyProducts",
}


def make(name, work):
    """The side of that name."""
    module, attribute = SIDES[name].split(":")
    return getattr(importlib.import_module(module), attribute)(work)
