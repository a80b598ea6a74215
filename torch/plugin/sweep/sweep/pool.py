# SPDX-License-Identifier: Apache-2.0
"""Worker processes: what crashes or hangs costs one pair, and what fails behind others is run once more alone."""
from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Iterator

from sweep.pairs import Pair
from sweep.report import Report, short
from sweep.worker import lost, serve

# A worker ends then, so that what an operator leaves behind is not there for ever.
PAIRS_OF_A_WORKER = 400


@dataclass
class Options:
    device: str
    known: Path
    setup: Path | None = None
    jobs: int = 1
    seconds: float = 120.0


class _Worker:
    def __init__(self, options: Options) -> None:
        self.options = options
        # The parent has loaded PyTorch and its databases and used no device: a child begins where it stands.
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self.log = tempfile.TemporaryFile()
        self.process = context.Process(target=self._run, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.ran = 0
        self.pair: Pair | None = None
        self.deadline = 0.0

    def _run(self, connection: multiprocessing.connection.Connection) -> None:
        self.connection.close()
        os.dup2(self.log.fileno(), 1)
        os.dup2(self.log.fileno(), 2)
        serve(connection, self.options.device, self.options.known, self.options.setup)

    def give(self, pair: Pair) -> None:
        self.pair = pair
        self.deadline = time.monotonic() + self.options.seconds
        try:
            self.connection.send(tuple(pair))
        except OSError:
            # It has died since its last answer; reading tells of it.
            pass

    def answer(self) -> tuple[Report, bool]:
        """The report, and whether the worker lives."""
        try:
            report = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return lost(f"crash: {self._end()}"), False
        self.ran += 1
        return report, True

    def _end(self) -> str:
        code = self.process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self.log.seek(0)
        lines = [line for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        return f"{how}: {short(lines[-1])}" if lines else how

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        # Workers that were made later hold this end of the pipe too, so to close it would tell nothing.
        try:
            self.connection.send(None)
        except OSError:
            pass
        self.process.join(self.options.seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        self.log.close()


def _agreed(first: Report, alone: Report) -> Report:
    if alone.has_failed:
        return alone
    for check, reason in first.reasons.items():
        # A pair that is done in time alone was only slow among others.
        if first.verdicts[check] == "fail" and not reason.startswith("hang:"):
            alone.fail(check, f"behind other pairs, not alone: {reason}")
    return alone


def run(pairs: list[Pair], options: Options) -> Iterator[tuple[Pair, Report]]:
    queue = deque(pairs)
    # Pairs that failed in a used worker, with what they said there.
    again: deque[tuple[Pair, Report]] = deque()
    judged: dict[Pair, Report] = {}
    workers: list[_Worker] = []

    def next_for(worker: _Worker | None) -> _Worker | None:
        """Gives the next pair to this worker or to a fresh one; None when nothing is left."""
        if queue:
            if worker is None or worker.ran >= PAIRS_OF_A_WORKER:
                if worker is not None:
                    worker.close()
                worker = _Worker(options)
            worker.give(queue.popleft())
            return worker
        if worker is not None:
            worker.close()
        if not again:
            return None
        pair, report = again.popleft()
        judged[pair] = report
        worker = _Worker(options)
        worker.give(pair)
        return worker

    try:
        for _ in range(options.jobs):
            worker = next_for(None)
            if worker is not None:
                workers.append(worker)
        while workers:
            rest = max(0.0, min(worker.deadline for worker in workers) - time.monotonic())
            ready = wait([worker.connection for worker in workers], rest)
            for worker in list(workers):
                pair = worker.pair
                assert pair is not None
                if worker.connection in ready:
                    report, lives = worker.answer()
                elif time.monotonic() >= worker.deadline:
                    report, lives = lost(f"hang: no answer in {options.seconds:g} seconds"), False
                    worker.process.kill()
                else:
                    continue
                was_fresh = worker.ran <= (1 if lives else 0)
                if pair in judged:
                    yield pair, _agreed(judged.pop(pair), report)
                elif report.has_failed and not was_fresh:
                    again.append((pair, report))
                else:
                    yield pair, report
                if not lives:
                    worker.close()
                workers.remove(worker)
                following = next_for(worker if lives else None)
                if following is not None:
                    workers.append(following)
    finally:
        for worker in workers:
            worker.kill()
