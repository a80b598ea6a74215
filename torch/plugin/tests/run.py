# SPDX-License-Identifier: Apache-2.0
"""Runs the test modules that are named, or all of this folder, in JOBS processes side by side: `python run.py [--jobs N] [MODULE...]`.

A process takes one module after the other, so that PyTorch is imported once in each. What a module printed is shown when it is done. A
process that dies fails the module it ran, and another takes its place. Exit codes: 0 all passed, 1 a test failed, 2 wrong usage."""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What takes longest comes first: else the others would wait for it at the end.
FIRST = ("test_check", "test_package", "test_compile", "test_memory", "test_convolution", "test_training")
END_OF_MODULE = "-- end of module --"


def worker() -> int:
    import unittest

    sys.path.insert(0, str(HERE))
    for line in sys.stdin:
        suite = unittest.defaultTestLoader.loadTestsFromName(line.strip())
        result = unittest.TextTestRunner(stream=sys.stderr, verbosity=1).run(suite)
        sys.stdout.flush()
        sys.stderr.flush()
        passed = result.wasSuccessful() and result.testsRun > 0
        os.write(1, f"\n{END_OF_MODULE} {int(passed)} {result.testsRun} {len(result.skipped)}\n".encode())
    return 0


class Runner:
    def __init__(self, modules: list[str]) -> None:
        self.waiting = modules[::-1]
        self.lock = threading.Lock()
        self.tests = self.skipped = 0
        self.failed: list[str] = []

    def next(self) -> str | None:
        with self.lock:
            return self.waiting.pop() if self.waiting else None

    def start(self) -> subprocess.Popen:
        command = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), str(HERE / "run.py"), "--worker"]
        return subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors="replace")

    def lane(self) -> None:
        process = None
        while (module := self.next()) is not None:
            if process is None:
                process = self.start()
            begin = time.monotonic()
            output, verdict = self.one(process, module)
            if verdict is None:
                code = process.wait()
                process = None
                output.append(f"the process that ran {module} ended with {code}\n")
            with self.lock:
                if verdict is not None:
                    self.tests += verdict[1]
                    self.skipped += verdict[2]
                if verdict is None or not verdict[0]:
                    self.failed.append(module)
                print(f"== {module} ({time.monotonic() - begin:.1f} s)", *(line.rstrip("\n") for line in output if line.strip()),
                      sep="\n", flush=True)
        if process is not None:
            process.stdin.close()
            rest = process.stdout.read()
            if (code := process.wait()) != 0:
                with self.lock:
                    print(f"a process ended with {code} after its tests\n{rest}", flush=True)
                    self.failed.append("the end of a process")

    def one(self, process: subprocess.Popen, module: str) -> tuple[list[str], tuple[int, int, int] | None]:
        output: list[str] = []
        try:
            process.stdin.write(module + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return output, None
        for line in process.stdout:
            if line.startswith(END_OF_MODULE):
                passed, tests, skipped = map(int, line.removeprefix(END_OF_MODULE).split())
                return output, (passed, tests, skipped)
            output.append(line)
        return output, None


def main() -> int:
    if sys.argv[1:] == ["--worker"]:
        return worker()
    parser = argparse.ArgumentParser(description="Runs test modules of torch_xhal side by side.")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS") or os.cpu_count() or 1))
    parser.add_argument("modules", nargs="*", help="test_x, or test_x.Class.test (default: every module of this folder)")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs is at least 1")
    modules = arguments.modules or sorted(path.stem for path in HERE.glob("test_*.py"))
    modules.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    runner = Runner(modules)
    begin = time.monotonic()
    lanes = [threading.Thread(target=runner.lane) for _ in range(min(arguments.jobs, len(modules)))]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    print(f"{runner.tests} tests in {time.monotonic() - begin:.0f} s, {runner.skipped} skipped, "
          f"{'all others passed' if not runner.failed else 'FAILED in: ' + ', '.join(sorted(runner.failed))}")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
