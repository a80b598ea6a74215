# SPDX-License-Identifier: Apache-2.0
"""torch.compile: Inductor's generated kernels run on the device, in its order. TORCH_XHAL_TESTS=nightly adds what takes long to compile."""
from __future__ import annotations

import subprocess
import sys
import unittest
from typing import Any, Callable

import torch
from gate import Gate, nightly
from torch_xhal import _C

DEVICE = torch.device("xhal")
HAS_NATIVE = torch.xhal.is_available() and bool(_C.targets_of(0, "native"))
needs_native = unittest.skipUnless(HAS_NATIVE, "the device loads no native images")


class Launches:
    """Counts the launches of generated kernels: without it a graph that fell back to eager operators would pass."""

    def __enter__(self) -> "Launches":
        from torch_xhal.compile.native import NativeKernel

        self.count, self._former = 0, NativeKernel.__call__

        def counted(kernel: Any, *arguments: Any) -> None:
            self.count += 1
            self._former(kernel, *arguments)

        NativeKernel.__call__ = counted
        return self

    def __exit__(self, *_: object) -> None:
        from torch_xhal.compile.native import NativeKernel

        NativeKernel.__call__ = self._former


def scaled(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.relu(a * 2 + b) - a


@needs_native
class Inductor(unittest.TestCase):
    def setUp(self) -> None:
        torch._dynamo.reset()
        torch.manual_seed(0)

    def same(self, function: Callable[..., torch.Tensor], compiled: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> int:
        with Launches() as launches:
            out = compiled(*(one.to(DEVICE) for one in inputs))
        self.assertEqual(out.device.type, "xhal")
        torch.testing.assert_close(out.cpu(), function(*inputs), rtol=1e-4, atol=1e-5)
        return launches.count

    def test_pointwise_is_one_launch_in_the_order_of_its_stream(self) -> None:
        compiled = torch.compile(scaled, dynamic=False)
        a, b = torch.randn(64, 33), torch.randn(64, 33)
        self.assertEqual(self.same(scaled, compiled, a, b), 1)

        side, source = torch.Stream(DEVICE), torch.randn(64, 33).pin_memory()
        on_a, on_b = torch.zeros(64, 33, device=DEVICE), b.to(DEVICE)
        torch.accelerator.synchronize()
        with Gate(side) as gate:
            with side:
                on_a.copy_(source, non_blocking=True)
                out = compiled(on_a, on_b)
            # The call came back, and has not happened; the default stream goes on meanwhile.
            self.assertFalse(side.query())
            self.assertEqual(on_a.cpu().sum().item(), 0)
            gate.open()
        side.synchronize()
        torch.testing.assert_close(out.cpu(), scaled(source, b))

        if _C.has_feature(0, "activity"):
            with torch.profiler.profile(activities=list(torch.profiler.supported_activities())) as profiler:
                compiled(on_a, on_b)
            kernels = [event for event in profiler.events() if event.device_type == torch.autograd.DeviceType.PrivateUse1]
            self.assertRegex([event.name for event in kernels][0], "^cpp_fused.*relu")

    @nightly
    def test_on_another_device(self) -> None:
        if torch.xhal.device_count() < 2:
            self.skipTest("there is one device")
        a, b = torch.randn(64, 33), torch.randn(64, 33)
        with Launches() as launches:
            out = torch.compile(scaled, dynamic=False)(a.to("xhal:1"), b.to("xhal:1"))
        self.assertEqual((out.device, launches.count), (torch.device("xhal:1"), 1))
        torch.testing.assert_close(out.cpu(), scaled(a, b))

    @nightly
    def test_dynamic_shapes(self) -> None:
        def function(a: torch.Tensor) -> torch.Tensor:
            return (a * a.shape[0]).sum(1) + 1

        compiled = torch.compile(function, dynamic=True)
        torch._dynamo.utils.counters.clear()
        for rows in (5, 8, 13):
            self.assertGreater(self.same(function, compiled, torch.randn(rows, rows + 2)), 0)
        self.assertEqual(torch._dynamo.utils.counters["stats"]["unique_graphs"], 1)

    @nightly
    def test_a_training_step(self) -> None:
        def network() -> torch.nn.Module:
            torch.manual_seed(1)
            return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))

        x, y = torch.randn(12, 8), torch.randn(12, 4)
        losses: dict[str, list[float]] = {}
        for device in ("cpu", "xhal"):
            model = network().to(device)
            step = torch.compile(model, dynamic=False) if device == "xhal" else model
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            losses[device] = []
            with Launches() as launches:
                for _ in range(3):
                    loss = ((step(x.to(device)) - y.to(device)) ** 2).mean()
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    losses[device].append(loss.item())
        # Forward and backward have a kernel each at least, in every step.
        self.assertGreaterEqual(launches.count, 6)
        torch.testing.assert_close(torch.tensor(losses["xhal"]), torch.tensor(losses["cpu"]), rtol=1e-4, atol=1e-5)

    @nightly
    def test_products_and_softmax(self) -> None:
        def function(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.softmax(torch.nn.functional.gelu(a @ b), -1)

        self.assertGreater(self.same(function, torch.compile(function, dynamic=False), torch.randn(16, 24), torch.randn(24, 40)), 0)

    @nightly
    def test_integers_and_halves(self) -> None:
        def function(a: torch.Tensor) -> torch.Tensor:
            return (a // 3 + a % 5).to(torch.bfloat16) * 2

        self.assertEqual(self.same(function, torch.compile(function, dynamic=False), torch.arange(-50, 50)), 1)

    def test_what_another_version_generated_does_not_run_on_the_host(self) -> None:
        from torch._inductor.async_compile import AsyncCompile
        from torch_xhal.compile.native import NativeCompile

        with self.assertRaisesRegex(RuntimeError, "TORCHINDUCTOR_CACHE_DIR"):
            NativeCompile(AsyncCompile()).cpp_pybinding(["float*"], "")

    @nightly
    def test_a_division_by_zero_is_a_failure_of_the_launch(self) -> None:
        """In a process of its own, as the device is lost with it."""
        script = (
            "import torch\n"
            "f = torch.compile(lambda a, b: a // b, dynamic=False)\n"
            "a, b = torch.ones(64, dtype=torch.int64, device='xhal'), torch.ones(64, dtype=torch.int64, device='xhal')\n"
            "print(f(a, b).cpu().sum().item())\n"
            "b.zero_()\n"
            "try:\n"
            "    f(a, b).cpu()\n"
            "except Exception as e:\n"
            "    print(type(e).__name__, e)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        self.assertRegex(done.stdout, r"(?s)64\n.*XHAL")

    def test_a_kernel_refuses_memory_of_another_device(self) -> None:
        from torch_xhal.compile.native import NativeKernel

        kernel = NativeKernel("one", "bb", "", b"")
        with self.assertRaisesRegex(ValueError, "the compiled kernel one runs on xhal, and its first tensor is on cpu"):
            kernel(torch.ones(1), torch.ones(1))
        if _C.targets_of(0, "builtin"):
            loaded = _C.Kernel(0, "builtin", "", b"xhal", "xhal_iota_f32", "wffq")
            with self.assertRaisesRegex(ValueError, "xhal_iota_f32 to be on xhal:0, but argument 0 is on cpu"):
                loaded.launch((1, 1, 1), (8, 1, 1), (torch.ones(8), 0.0, 1.0, 8))
            with self.assertRaisesRegex(TypeError, "argument 1 is a tensor, and the kernel takes a number"):
                loaded.launch((1, 1, 1), (8, 1, 1), (torch.ones(8, device=DEVICE), torch.ones(1), 1.0, 8))
            with self.assertRaisesRegex(ValueError, "takes 4 arguments, not 1"):
                loaded.launch((1, 1, 1), (8, 1, 1), (torch.ones(8, device=DEVICE),))


class OtherBackends(unittest.TestCase):
    def test_eager_and_aot_eager(self) -> None:
        a, b = torch.randn(8), torch.randn(8)
        for backend in ("eager", "aot_eager"):
            torch._dynamo.reset()
            out = torch.compile(scaled, backend=backend)(a.to(DEVICE), b.to(DEVICE))
            torch.testing.assert_close(out.cpu(), scaled(a, b))

    @unittest.skipIf(HAS_NATIVE, "the device loads native images")
    def test_without_native_images(self) -> None:
        with self.assertRaisesRegex(Exception, "needs a device that loads native images .* takes none"):
            torch.compile(scaled)(torch.ones(8, device=DEVICE), torch.ones(8, device=DEVICE))

    def test_dynamo_is_not_imported_before_it_is_used(self) -> None:
        script = (
            "import sys, torch\n"
            "print('torch._dynamo' in sys.modules)\n"
            "import torch._dynamo.device_interface as d\n"
            "i = d.get_interface_for_device('xhal')\n"
            "print(i.device_count() == torch.xhal.device_count(), i.get_device_properties(0).multi_processor_count > 0)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.split("\n")[:2], ["False", "True True"])


if __name__ == "__main__":
    unittest.main()
