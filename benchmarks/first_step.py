"""Any side, from the start of its process to its first finished training step: `SIDE WORK` prints seconds."""

import json
import sys

from benchmarks import sides
from benchmarks.processes import since_start
from benchmarks.work import Work


def main(name, work):
    sides.make(name, work).figures["train"]()
    print(json.dumps(since_start()))


if __name__ == "__main__":
    main(sys.argv[1], Work.from_json(sys.argv[2]))
