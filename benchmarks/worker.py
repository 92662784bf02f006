"""One implementation in a process of its own.

Each line of standard input is a task and a number of repeats; each line of output is the list of seconds, as JSON.
"""

import json
import sys
import time

from benchmarks import implementations
from benchmarks.work import Work


def main():
    """Print the versions of the implementation's packages, then answer lines until the input ends."""
    name, work = sys.argv[1], Work.from_json(sys.argv[2])
    implementation = implementations.make(name, work)
    print(json.dumps(implementation.versions), flush=True)
    for line in sys.stdin:
        task, repeats = line.split()
        print(json.dumps(run(implementation, task, int(repeats))), flush=True)


def run(implementation, task, repeats):
    """Run a task of an implementation several times; return the seconds of each."""
    function, seconds = implementation.tasks[task], []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
