"""The implementations that are compared, one per file.

An implementation is a class over a `Work` with `versions` `{package: version}` and `tasks` `{name: function}`; a
function does the task once and returns when it is done. Tasks: train (forward, backward, Adamax update), train_average
(the same with an EMA of the weights), log_prob, sample.
"""

import importlib

IMPLEMENTATIONS = {
    "ours": "benchmarks.implementations.ours:Ours",
    "ours bfloat16": "benchmarks.implementations.ours:OursBfloat16",
    "tfp.bijectors.Glow": "benchmarks.implementations.tfp_glow:TfpGlow",
    "normflows": "benchmarks.implementations.normflows_glow:NormflowsGlow",
    "tensorflow products": "benchmarks.implementations.products:TensorFlowProducts",
    "torch products": "benchmarks.implementations.products:TorchProducts",
    "numpy products": "benchmarks.implementations.products:NumpyProducts",
}
"""Name -> module and class; a module is imported only in the process that runs it."""
PEERS = [name for name in IMPLEMENTATIONS if name != "ours" and not name.endswith(" products")]
"""Names of the implementations that can be compared with ours."""


def make(name, work):
    """Return the implementation of that name for a `Work`."""
    module, attribute = IMPLEMENTATIONS[name].split(":")
    return getattr(importlib.import_module(module), attribute)(work)
