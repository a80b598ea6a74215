# SPDX-License-Identifier: Apache-2.0
"""What was saved on the device comes back, here, on another device and where there is no driver at all."""
import copy
import io
import os
import pickle
import subprocess
import sys
import tempfile
import unittest
from typing import Any

import torch
from torch_xhal import _C

DEVICE = torch.device("xhal", 0)
two_devices = unittest.skipUnless(torch.xhal.device_count() > 1, "a second device is needed")


def _round(value: Any, **options: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, **options)


class Native(unittest.TestCase):
    def setUp(self) -> None:
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})

    def assert_same(self, actual: torch.Tensor, expected: torch.Tensor) -> None:
        self.assertEqual((actual.device, actual.dtype, actual.stride()), (expected.device, expected.dtype, expected.stride()))
        # Their bytes: NaNs count too.
        pair = [value.cpu().contiguous().untyped_storage().tolist() for value in (actual, expected)]
        self.assertEqual(*pair)


class Tensors(Native):
    def test_every_type(self) -> None:
        words = torch.arange(-8, 8, dtype=torch.int8)
        for dtype in (
            torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64,
            torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128, torch.float8_e4m3fn,
        ):
            with self.subTest(dtype):
                x = words.view(dtype).to(DEVICE) if dtype.itemsize <= 16 else words.to(dtype).to(DEVICE)
                self.assert_same(_round(x), x)

    def test_layouts(self) -> None:
        x = torch.arange(24.0).to(DEVICE).reshape(2, 3, 4)
        for name, view in (
            ("transposed", x.transpose(0, 2)), ("sliced", x[:, 1:, ::2]), ("broadcast", x[0, 0].expand(3, 4)), ("scalar", x[1, 2, 3]),
            ("empty", x[:0]), ("nothing", torch.empty(0, device=DEVICE)), ("last channels", x[None].to(memory_format=torch.channels_last)),
        ):
            with self.subTest(name):
                self.assert_same(_round(view), view)

    def test_views_of_one_storage_share_it_again(self) -> None:
        x = torch.zeros(3, 4, device=DEVICE)
        for saved in (_round, copy.deepcopy):
            a, b = saved((x, x[1]))
            self.assertEqual(a.untyped_storage().data_ptr(), b.untyped_storage().data_ptr())
            self.assertNotEqual(a.data_ptr(), x.data_ptr())
            b.fill_(7)
            self.assertEqual(a.sum().item(), 28)
            self.assertEqual(x.sum().item(), 0)

    def test_views_of_one_storage_share_it_on_the_host(self) -> None:
        x = torch.zeros(3, 4, device=DEVICE)
        a, b = _round((x, x[1]), map_location="cpu")
        self.assertEqual(a.device.type, "cpu")
        b.fill_(7)
        self.assertEqual(a.sum().item(), 28)

    def test_gradients_and_parameters(self) -> None:
        parameter = torch.nn.Parameter(torch.ones(3, device=DEVICE))
        for again in (_round(parameter), pickle.loads(pickle.dumps(parameter)), copy.deepcopy(parameter)):
            self.assertIsInstance(again, torch.nn.Parameter)
            self.assertTrue(again.requires_grad)
            self.assertEqual(again.device, DEVICE)
        leaf = torch.ones(3, device=DEVICE).requires_grad_()
        (leaf * 2).sum().backward()
        self.assertEqual(copy.deepcopy(leaf).grad.tolist(), [2, 2, 2])
        with self.assertRaisesRegex(RuntimeError, "Only Tensors created explicitly by the user"):
            copy.deepcopy(parameter * 2)

    def test_the_old_format(self) -> None:
        x = torch.arange(6.0).to(DEVICE).reshape(2, 3).t()
        buffer = io.BytesIO()
        torch.save(x, buffer, _use_new_zipfile_serialization=False)
        buffer.seek(0)
        self.assert_same(torch.load(buffer), x)


class Locations(Native):
    def test_where_it_goes(self) -> None:
        x = torch.arange(4.0).to(DEVICE)
        seen = []

        def keep(storage: torch.UntypedStorage, location: str) -> torch.UntypedStorage:
            seen.append((storage.device.type, location))
            return storage

        for location, device in (
            (None, DEVICE), ("cpu", torch.device("cpu")), ("xhal", DEVICE), ("xhal:0", DEVICE), (DEVICE, DEVICE),
            ({"xhal:0": "cpu"}, torch.device("cpu")), (keep, torch.device("cpu")), (lambda storage, _: storage.xhal(), DEVICE),
        ):
            with self.subTest(location):
                y = _round(x, map_location=location)
                self.assertEqual(y.device, device)
                self.assertEqual(y.tolist(), [0, 1, 2, 3])
                self.assertEqual(_round({"host": x.cpu()}, map_location=location)["host"].tolist(), [0, 1, 2, 3])
        self.assertEqual(seen, [("cpu", "xhal:0"), ("cpu", "cpu")])

    def test_meta(self) -> None:
        self.assertEqual(_round(torch.ones(4, device=DEVICE), map_location="meta").device.type, "meta")

    @two_devices
    def test_another_device(self) -> None:
        x = torch.arange(4.0).to(DEVICE)
        other = torch.device("xhal", 1)
        for location in ("xhal:1", other, {"xhal:0": "xhal:1"}, lambda storage, _: storage.xhal(1)):
            y = _round(x, map_location=location)
            self.assertEqual((y.device, y.tolist()), (other, [0, 1, 2, 3]))
        self.assertEqual(_round(y).device, other)
        # Without a number it is the current one.
        with torch.xhal.device(1):
            self.assertEqual(_round(x, map_location="xhal").device, other)

    def test_a_device_that_is_not_there(self) -> None:
        with self.assertRaisesRegex(RuntimeError, r"deserialize object on XHAL device 99 but torch.xhal.device_count\(\) is"):
            _round(torch.ones(2, device=DEVICE), map_location="xhal:99")


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "saved.pt")

    def test_mapped(self) -> None:
        x = torch.arange(1000.0).to(DEVICE)
        torch.save({"x": x, "part": x[10:20]}, self.path)
        for location, device in (("cpu", "cpu"), ("xhal", "xhal"), (None, "xhal")):
            loaded = torch.load(self.path, mmap=True, map_location=location)
            self.assertEqual(loaded["x"].device.type, device)
            torch.testing.assert_close(loaded["x"].cpu(), x.cpu())
            self.assertEqual(loaded["part"].tolist(), list(range(10, 20)))

    def test_a_module_and_its_optimizer(self) -> None:
        def trained(steps: int, state: Any = None) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
            torch.manual_seed(5)
            model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).to(DEVICE)
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            if state is not None:
                model.load_state_dict(state["model"])
                optimizer.load_state_dict(state["optimizer"])
            for _ in range(steps):
                optimizer.zero_grad()
                model(torch.ones(3, 4, device=DEVICE)).square().sum().backward()
                optimizer.step()
            return model, optimizer

        straight, _ = trained(6)
        model, optimizer = trained(3)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, self.path)
        for location in (None, "cpu"):
            resumed, _ = trained(3, torch.load(self.path, weights_only=True, map_location=location))
            for one, other in zip(resumed.parameters(), straight.parameters()):
                self.assertEqual(one.device.type, "xhal")
                torch.testing.assert_close(one, other)
        on_host = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        on_host.load_state_dict(torch.load(self.path, map_location="cpu")["model"])
        torch.testing.assert_close(on_host(torch.ones(1, 4)), model(torch.ones(1, 4, device=DEVICE)).cpu())

    def test_a_whole_module(self) -> None:
        model = torch.nn.BatchNorm1d(3).to(DEVICE)
        torch.save(model, self.path)
        again = torch.load(self.path, weights_only=False)
        self.assertEqual({value.device for value in again.state_dict().values()}, {DEVICE})
        twin = copy.deepcopy(model)
        twin.weight.data.fill_(9)
        self.assertEqual(model.weight.tolist(), [1, 1, 1])

    def _without_driver(self, program: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "XHAL_DRIVERS": "nothing"}
        return subprocess.run(
            [sys.executable, "-c", f"import torch\npath = {self.path!r}\n{program}"], env=environment, capture_output=True, text=True, timeout=120
        )

    def test_without_a_driver(self) -> None:
        torch.save({"weight": torch.arange(4.0).to(DEVICE)}, self.path)
        loaded = self._without_driver("print(torch.xhal.device_count(), torch.load(path, map_location='cpu')['weight'].tolist())")
        self.assertEqual((loaded.stdout, loaded.returncode), ("0 [0.0, 1.0, 2.0, 3.0]\n", 0), loaded.stderr)
        refused = self._without_driver("torch.load(path)")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Attempting to deserialize object on a XHAL device but torch.xhal.is_available() is False.", refused.stderr)
        self.assertIn("use torch.load with map_location=torch.device('cpu')", refused.stderr)


if __name__ == "__main__":
    unittest.main()
