"""Train where no file may be larger than 4 kB, as on a full disk: `python -m helpers.full_disk OPTIONS`."""

import resource
import runpy

from helpers.forks import ROOT

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
