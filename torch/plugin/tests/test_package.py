# SPDX-License-Identifier: Apache-2.0
"""The package from outside: each case in a process of its own, because what is registered stays."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path


def run(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


class Package(unittest.TestCase):
    def says(self, expected: str, program: str, **environment: str) -> None:
        done = run(program, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.strip(), expected)

    def refuses(self, expected: str, program: str, **environment: str) -> None:
        done = run(program, **environment)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(expected, done.stderr)

    def test_torch_loads_it_by_itself(self) -> None:
        self.says("xhal 8.0", "import torch; print(torch.device('xhal').type, torch.ones(8, device='xhal').sum().item())")

    def test_without_autoload_it_is_imported_by_hand(self) -> None:
        self.says("False True", "import torch; print(hasattr(torch, 'xhal'), end=' '); import torch_xhal; print(torch.xhal.is_available())",
                  TORCH_DEVICE_BACKEND_AUTOLOAD="0")

    def test_the_example_of_the_readme(self) -> None:
        text = (Path(__file__).parents[3] / "README.md").read_text()
        example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        self.assertEqual(len(example), 1)
        self.assertEqual(example[0].count("\n"), 5)
        done = run(example[0])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^\S.*: loss \d+\.\d+, on the host: \{\}\n$")

    def test_import_and_count_open_no_context(self) -> None:
        self.says("True False", "import torch; print(torch.xhal.device_count() > 0, torch.xhal.is_initialized())")

    def test_its_name_can_be_chosen(self) -> None:
        self.says("acme:0", "import torch; print(torch.ones(1, device='acme').device)", TORCH_XHAL_DEVICE_NAME="acme")

    def test_names_of_others_are_refused(self) -> None:
        for name in ("cuda2", "cpux", "Acme", "a b", ""):
            self.refuses("TORCH_XHAL_DEVICE_NAME", "import torch_xhal", TORCH_XHAL_DEVICE_NAME=name, TORCH_DEVICE_BACKEND_AUTOLOAD="0")

    def test_a_second_plugin_is_refused_by_both_names(self) -> None:
        program = "import torch; torch.utils.rename_privateuse1_backend('other'); import torch_xhal"
        done = run(program, TORCH_DEVICE_BACKEND_AUTOLOAD="0")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "ImportError: torch_xhal cannot be a device beside 'other'")

    def test_without_a_driver_there_is_no_device(self) -> None:
        self.says("False 0 True", "import torch; print(torch.xhal.is_available(), torch.xhal.device_count(), 'nonesuch' in torch.xhal.why_none())",
                  XHAL_DRIVERS="nonesuch")
        self.says("", "import torch; torch.manual_seed(1); torch.xhal.manual_seed(1); torch.accelerator.empty_cache(); torch.accelerator.empty_host_cache()",
                  XHAL_DRIVERS="nonesuch")
        self.refuses("No XHAL devices are available: xhal_instance_create: XHAL_ERROR_DRIVER_NOT_FOUND",
                     "import torch; torch.ones(1, device='xhal')", XHAL_DRIVERS="nonesuch")

    def test_counting_before_a_fork_leaves_the_child_whole(self) -> None:
        self.says("3.0", "import os, torch; torch.xhal.device_count(); pid = os.fork()\n"
                  "if pid == 0: print(torch.ones(3, device='xhal').sum().item(), flush=True); os._exit(0)\n"
                  "assert os.waitpid(pid, 0)[1] == 0")

    def test_a_fork_after_use_is_told_of(self) -> None:
        self.says("Cannot re-initialize XHAL in forked subprocess.",
                  "import os, torch; torch.ones(3, device='xhal'); torch.xhal.synchronize(); pid = os.fork()\n"
                  "if pid == 0:\n"
                  " try: torch.ones(3, device='xhal')\n"
                  " except RuntimeError as error: print(str(error).split(' To')[0], flush=True)\n"
                  " os._exit(0)\n"
                  "assert os.waitpid(pid, 0)[1] == 0")

    def test_what_lives_at_exit_harms_nothing(self) -> None:
        self.says("done", "import torch; a = torch.ones(9, device='xhal'); s = torch.Stream(); e = torch.Event(); e.record(s)\n"
                  "p = torch.empty(9, pin_memory=True); print('done')")

    def test_the_package_can_be_imported_first(self) -> None:
        self.says("xhal", "import torch_xhal, torch; print(torch._C._get_privateuse1_backend_name())")

    def test_an_import_behind_a_backward_says_what_it_costs(self) -> None:
        done = run("import torch; x = torch.ones(1, requires_grad=True); (x * 2).backward(); import torch_xhal\n"
                   "print(torch.ones(1, device='xhal').item())", TORCH_DEVICE_BACKEND_AUTOLOAD="0")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "1.0"), done.stderr)
        self.assertIn("a backward ran before torch_xhal was imported", done.stderr)

    def test_autograds_threads_end_before_the_interpreter(self) -> None:
        # Handlers run from the last to the first: this one behind the package's.
        self.says("2.0 True\nFalse", "import atexit, glob\n"
                  "def has_threads(): return any(open(name).read().startswith('pt_autograd_') for name in glob.glob('/proc/self/task/*/comm'))\n"
                  "atexit.register(lambda: print(has_threads()))\n"
                  "import torch; x = torch.ones(1, device='xhal', requires_grad=True); (x * 2).backward(); print(x.grad.item(), has_threads())")


if __name__ == "__main__":
    unittest.main()
