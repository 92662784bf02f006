"""One side in a process of its own: reads a figure and a number of repeats a line, answers with seconds as JSON."""

import json
import sys
import time

from benchmarks import sides
from benchmarks.work import Work


def main():
    name, work = sys.argv[1], Work.from_json(sys.argv[2])
    side = sides.make(name, work)
    print(json.dumps(side.versions), flush=True)
    for line in sys.stdin:
        figure, repeats = line.split()
        call, seconds = side.figures[figure], []
        for _ in range(int(repeats)):
            began = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - began)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
