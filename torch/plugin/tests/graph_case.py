# SPDX-License-Identifier: Apache-2.0
"""What the tests of graphs share."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import unittest
from typing import Any, Callable

import torch

DEVICE = torch.device("xhal")


def device_of(index: int) -> torch.device:
    return torch.device("xhal", index)


def full(value: float) -> torch.Tensor:
    """On the device, without a kernel."""
    return torch.full((64,), float(value)).to(DEVICE)


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env={**os.environ, **environment})


def why_no_graphs() -> str:
    if not hasattr(torch.accelerator, "Graph"):
        return "this PyTorch has no torch.accelerator.Graph"
    try:
        with torch.Stream(DEVICE), torch.accelerator.Graph():
            pass
    except NotImplementedError as error:
        return str(error)
    return ""


class GraphCase(unittest.TestCase):
    def setUp(self) -> None:
        if why := why_no_graphs():
            self.skipTest(why)
        self.stream = torch.Stream(DEVICE)
        self.one, self.target = full(1), full(0)

    def tearDown(self) -> None:
        torch.accelerator.synchronize()

    def capture(self, body: Callable[[], Any], **options: Any) -> torch.accelerator.Graph:
        graph = torch.accelerator.Graph(**options)
        with self.stream, graph:
            body()
        return graph

    def refused(self, call: Callable[[], Any]) -> None:
        with self.assertRaisesRegex(RuntimeError, "XHAL_ERROR_CAPTURE_UNSUPPORTED"):
            call()

    def join_from(self, there: torch.Stream) -> None:
        """In a capture of self.stream: the stream of another device joins it, where the driver lets it."""
        fork = torch.Event(DEVICE)
        fork.record(self.stream)
        try:
            there.wait_event(fork)
        except RuntimeError as error:
            self.skipTest(str(error))

    def join_back(self, there: torch.Stream) -> None:
        event = torch.Event(there.device)
        event.record(there)
        self.stream.wait_event(event)

    def give_turns(self) -> None:
        """What is wrongly not held back has its chance to happen before a test looks; a right plug-in passes however many there are."""
        source, target = torch.ones(64).pin_memory(), full(0)
        with torch.Stream(DEVICE) as stream:
            for _ in range(200):
                target.copy_(source, non_blocking=True)
                stream.synchronize()

    def empty_caches(self) -> None:
        torch.accelerator.empty_cache()
        torch.accelerator.empty_host_cache()

    def dump(self, graph: torch.accelerator.Graph) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "graph.dot")
            graph.debug_dump(path)
            with open(path) as file:
                return file.read()

    def in_thread(self, call: Callable[[], Any]) -> Exception | None:
        """What the call raised in a thread of its own."""
        raised: list[Exception] = []

        def guarded() -> None:
            try:
                call()
            except Exception as error:
                raised.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
        return raised[0] if raised else None
