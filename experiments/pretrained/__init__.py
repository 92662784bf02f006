"""The weights that come with the package, made from run folders, and their attribute directions."""
