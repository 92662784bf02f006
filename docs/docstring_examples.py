"""Extension of Griffe: reads the section `Example:` of our docstrings as its `Examples:`, that is, as Python code."""

import re

import griffe


class ExampleSections(griffe.Extension):
    """Rename the section before the docstring is parsed."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = re.sub(r"(?m)^( *)Example:$", r"\1Examples:", obj.docstring.value)
