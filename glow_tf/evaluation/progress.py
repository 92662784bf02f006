"""The progress bar of the sub-commands."""

import tqdm


def progress(total, what):
    """A bar over `total` images on standard error, gone when it is done; none where that is not a terminal."""
    return tqdm.tqdm(total=total, desc=what, unit=" images", leave=False, disable=None, dynamic_ncols=True)
