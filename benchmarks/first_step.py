"""Time from the start of a process to the first finished training step, of any implementation.

`python -m benchmarks.first_step IMPLEMENTATION WORK` prints seconds.
"""

import json
import sys

from benchmarks import implementations
from benchmarks.processes import since_start
from benchmarks.work import Work


def main(name, work):
    """Take one training step and print the seconds since the process was started."""
    implementations.make(name, work).tasks["train"]()
    print(json.dumps(since_start()))


if __name__ == "__main__":
    main(sys.argv[1], Work.from_json(sys.argv[2]))
