# SPDX-License-Identifier: Apache-2.0
"""What runs in a worker: one pair after another, each from the same seeds."""
from __future__ import annotations

import random
import runpy
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import numpy
import torch

from sweep.case import SEED
from sweep.known import CHECKS, read_known
from sweep.modules import check_module, check_optimizer
from sweep.operators import check_operator
from sweep.pairs import Pair
from sweep.report import Report, Subject, Target, short

# Device memory that is cached is of many sizes after a while.
PAIRS_BETWEEN_CLEANING = 50


def run_pair(pair: Pair, target: Target) -> Report:
    subject = Subject(pair, target, target.known)
    start = time.monotonic()
    random.seed(SEED)
    numpy.random.seed(SEED)
    try:
        {"op": check_operator, "module": check_module, "optim": check_optimizer}[pair.suite](subject)
    except Exception as error:
        subject.report.fail("forward", f"no samples: {type(error).__name__}: {error}")
    report = subject.report
    report.seconds = time.monotonic() - start
    if report.samples == 0 and not report.has_failed:
        report.fail("forward", "no sample runs on the CPU")
    if report.verdicts["strided"] == "fallback" and report.verdicts["forward"] == "native":
        report.reasons["strided"] = "only with holes between elements"
    return report


def serve(connection: Connection, device: str, known: Path, setup: Path | None) -> None:
    """Answers each pair with its report until there is none. setup: a Python file that is run first (tests plant faults so)."""
    # The parent has one thread and has run nothing, so that a child may.
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    target = Target(device, read_known(known))
    if setup is not None:
        runpy.run_path(str(setup))
    count = 0
    while True:
        pair = connection.recv()
        if pair is None:
            return
        connection.send(run_pair(Pair(*pair), target))
        count += 1
        if target.device.type != "cpu" and count % PAIRS_BETWEEN_CLEANING == 0:
            torch.accelerator.empty_cache()


def lost(text: str) -> Report:
    """The report of a pair whose worker did not answer."""
    report = Report()
    report.verdicts = {check: "fail" if check == "forward" else "-" for check in CHECKS}
    report.reasons["forward"] = short(text)
    return report
