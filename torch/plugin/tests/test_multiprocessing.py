# SPDX-License-Identifier: Apache-2.0
"""Device memory is not shared between processes, and nothing pretends that it is."""
import subprocess
import sys
import tempfile
import unittest
from multiprocessing.reduction import ForkingPickler

import torch
import torch.multiprocessing as multiprocessing

DEVICE = torch.device("xhal")
REFUSED = r"XHAL memory is not shared between processes. Send a copy on the host, tensor.cpu\(\)"


class Sharing(unittest.TestCase):
    def test_share_memory_is_refused(self) -> None:
        x = torch.ones(3, device=DEVICE)
        for share in (
            x.share_memory_, x.untyped_storage().share_memory_, torch.nn.Parameter(x).share_memory_,
            torch.nn.Linear(2, 2).to(DEVICE).share_memory, torch.empty(0, device=DEVICE).share_memory_,
        ):
            with self.assertRaisesRegex(NotImplementedError, r"share_memory_\(\): " + REFUSED):
                share()
        self.assertFalse(x.is_shared())
        self.assertFalse(x.untyped_storage().is_shared())

    def test_the_host_shares_as_ever(self) -> None:
        x = torch.ones(3)
        self.assertFalse(x.is_shared())
        self.assertIs(x.share_memory_(), x)
        self.assertTrue(x.is_shared())
        self.assertTrue(torch.nn.Linear(2, 2).share_memory().weight.is_shared())

    def test_sending_is_refused(self) -> None:
        x = torch.ones(3, device=DEVICE)
        strategy = multiprocessing.get_sharing_strategy()
        self.addCleanup(multiprocessing.set_sharing_strategy, strategy)
        for strategy in multiprocessing.get_all_sharing_strategies():
            multiprocessing.set_sharing_strategy(strategy)
            for what in (
                x, x[1:], torch.nn.Parameter(x), {"nested": [x]}, torch.nn.Linear(2, 2).to(DEVICE), x.untyped_storage(),
                # PyTorch alone would send this one as a tensor of the host.
                torch.empty(0, device=DEVICE),
            ):
                with self.assertRaisesRegex(NotImplementedError, "sending a tensor to another process: " + REFUSED):
                    ForkingPickler.dumps(what)

    def test_sending_by_a_queue_and_to_a_process(self) -> None:
        x = torch.ones(3, device=DEVICE)
        context = multiprocessing.get_context("spawn")
        with self.assertRaisesRegex(NotImplementedError, REFUSED):
            context.SimpleQueue().put(x)
        with self.assertRaisesRegex(NotImplementedError, REFUSED):
            context.Process(target=print, args=(x,)).start()

    def test_the_host_sends_as_ever(self) -> None:
        queue = multiprocessing.get_context("spawn").SimpleQueue()
        for x in (torch.arange(3.0).to(DEVICE).cpu(), torch.empty(0), torch.nn.Parameter(torch.ones(2))):
            queue.put(x)
            y = queue.get()
            self.assertEqual((type(y), y.tolist()), (type(x), x.tolist()))


# A spawned process begins anew, with a device of its own.
_SPAWN = """
import torch
import torch.multiprocessing as multiprocessing

def work(results, x):
    results.put((x.to("xhal") * 2).tolist())

if __name__ == "__main__":
    on_device = torch.ones(3, device="xhal")
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=work, args=(results, on_device.cpu()))
    process.start()
    print(results.get())
    process.join()
    print(process.exitcode)
"""

_FORK = """
import os
import torch
import torch.multiprocessing as multiprocessing

def work(results, x):
    try:
        torch.ones(2, device="xhal")
    except RuntimeError as error:
        results.put(str(error))

if __name__ == "__main__":
    on_device = torch.ones(3, device="xhal")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=work, args=(results, on_device))
    process.start()
    print(results.get())
    process.join()
"""


class Processes(unittest.TestCase):
    def _run(self, program: str) -> str:
        # What spawn starts looks for the program in its file.
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(program)
            file.flush()
            done = subprocess.run([sys.executable, file.name], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_spawned_process_has_a_device_of_its_own(self) -> None:
        self.assertEqual(self._run(_SPAWN), "[2.0, 2.0, 2.0]\n0\n")

    def test_a_forked_process_is_told(self) -> None:
        self.assertIn("Cannot re-initialize XHAL in forked subprocess", self._run(_FORK))


if __name__ == "__main__":
    unittest.main()
