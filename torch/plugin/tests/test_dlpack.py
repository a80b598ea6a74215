# SPDX-License-Identifier: Apache-2.0
"""DLPack both ways: the same memory, in the order of streams, for as long as anybody holds it."""
import ctypes
import unittest
from typing import Any

import numpy
import torch
from gate import Gate
from torch.utils import dlpack
from torch_xhal import _C

DEVICE = torch.device("xhal", 0)
EXTERNAL = dlpack.DLDeviceType.kDLExtDev
two_devices = unittest.skipUnless(torch.xhal.device_count() > 1, "a second device is needed")


class Library:
    """An array of some other library."""

    def __init__(self, tensor: torch.Tensor, device: Any = None) -> None:
        self.tensor, self.device, self.asked = tensor, device, []

    def __dlpack_device__(self) -> Any:
        return self.device or self.tensor.__dlpack_device__()

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any:
        self.asked.append(stream)
        return self.tensor.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def _numbers(*shape: int) -> torch.Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape).to(DEVICE)


class Contents(unittest.TestCase):
    def tearDown(self) -> None:
        torch.accelerator.synchronize()

    def test_the_same_memory(self) -> None:
        x = _numbers(3, 4)
        for y in (torch.from_dlpack(x), torch.from_dlpack(dlpack.to_dlpack(x)), dlpack.from_dlpack(Library(x)), torch.from_dlpack(x.__dlpack__())):
            self.assertEqual((y.device, y.data_ptr(), y.stride()), (x.device, x.data_ptr(), x.stride()))
            y[0, 0] += 5
        self.assertEqual(x[0, 0].item(), 20)

    def test_layouts(self) -> None:
        x = _numbers(2, 3, 4)
        for name, view in (
            ("transposed", x.transpose(0, 2)), ("sliced", x[:, 1:, ::2]), ("broadcast", x[0, 0].expand(3, 4)), ("scalar", x[1, 2, 3]),
            ("empty", x[:0]), ("nothing", torch.empty(0, device=DEVICE)),
        ):
            with self.subTest(name):
                y = torch.from_dlpack(view)
                self.assertEqual((y.shape, y.device), (view.shape, DEVICE))
                torch.testing.assert_close(y.cpu(), view.cpu())
                if view.numel() > 1:
                    self.assertEqual((y.data_ptr(), y.stride()), (view.data_ptr(), view.stride()))

    def test_types(self) -> None:
        for dtype in (
            torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64,
            torch.complex64, torch.uint16, torch.uint64,
        ):
            x = torch.ones(3).to(dtype).to(DEVICE)
            y = torch.from_dlpack(x)
            self.assertEqual((y.dtype, y.cpu().tolist()), (dtype, x.cpu().tolist()))

    def test_devices(self) -> None:
        x = _numbers(2)
        self.assertEqual(x.__dlpack_device__(), (EXTERNAL, 0))
        self.assertIsInstance(x.__dlpack_device__()[0], dlpack.DLDeviceType)
        # Others' are answered as ever; for PyTorch pinned memory is CUDA's, whoever pinned it.
        self.assertEqual(torch.ones(2).__dlpack_device__(), (dlpack.DLDeviceType.kDLCPU, 0))
        self.assertEqual(torch.ones(2).pin_memory().__dlpack_device__(), (dlpack.DLDeviceType.kDLCUDAHost, 0))

    def test_versions(self) -> None:
        x = _numbers(2)
        self.assertIn('"dltensor"', repr(x.__dlpack__()))
        self.assertIn('"dltensor"', repr(x.__dlpack__(max_version=(0, 8))))
        self.assertIn('"dltensor_versioned"', repr(x.__dlpack__(max_version=(1, 0))))

    def test_copies(self) -> None:
        x = _numbers(3)
        copied = torch.from_dlpack(x, copy=True)
        self.assertNotEqual(copied.data_ptr(), x.data_ptr())
        self.assertEqual((copied.device, copied.tolist()), (DEVICE, [0, 1, 2]))
        self.assertEqual(torch.from_dlpack(x, copy=False).data_ptr(), x.data_ptr())
        self.assertEqual(torch.from_dlpack(x, device=DEVICE).data_ptr(), x.data_ptr())
        there = torch.from_dlpack(x, device="cpu")
        self.assertEqual((there.device.type, there.tolist()), ("cpu", [0, 1, 2]))
        back = torch.from_dlpack(torch.arange(3), device=DEVICE)
        self.assertEqual((back.device, back.tolist()), (DEVICE, [0, 1, 2]))
        with self.assertRaisesRegex(ValueError, "without copying"):
            torch.from_dlpack(x, device="cpu", copy=False)
        # What the array API has a consumer of the host ask for.
        on_host = torch.from_dlpack(x.__dlpack__(dl_device=(dlpack.DLDeviceType.kDLCPU, 0), max_version=(1, 0)))
        self.assertEqual((on_host.device.type, on_host.tolist()), ("cpu", [0, 1, 2]))

    def test_what_cannot_be_exported(self) -> None:
        x = _numbers(2)
        with self.assertRaisesRegex(BufferError, "require gradient, use tensor.detach"):
            torch.from_dlpack(torch.ones(2, device=DEVICE, requires_grad=True))
        with self.assertRaisesRegex(BufferError, "conjugate bit"):
            torch.from_dlpack(x.to(torch.complex64).conj())
        with self.assertRaisesRegex(TypeError, "stream must be ``int`` or ``none``"):
            x.__dlpack__(stream=torch.xhal.Stream())
        for number in (0, 1, 2):
            with self.assertRaisesRegex(BufferError, f"{number} is no XHAL stream: expected an xhal_stream_t"):
                x.__dlpack__(stream=number)
        with self.assertRaisesRegex(ValueError, "cannot move .* tensor from"):
            x.__dlpack__(dl_device=(dlpack.DLDeviceType.kDLCPU, 0), copy=False)

    def test_numpy(self) -> None:
        x = _numbers(3)
        # NumPy knows the host alone, and does not ask for a copy on its own.
        with self.assertRaisesRegex((RuntimeError, BufferError), "Unsupported device in DLTensor"):
            numpy.from_dlpack(x)
        with self.assertRaisesRegex(TypeError, r"can't convert xhal:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
            numpy.asarray(x)
        self.assertEqual(numpy.from_dlpack(x.cpu()).tolist(), [0, 1, 2])
        self.assertEqual(numpy.from_dlpack(x, device="cpu").tolist(), [0, 1, 2])

    def test_hosts_tensors_go_as_ever(self) -> None:
        x = torch.ones(3)
        self.assertEqual(torch.from_dlpack(x).data_ptr(), x.data_ptr())
        self.assertEqual(torch.from_dlpack(numpy.ones(3)).tolist(), [1, 1, 1])
        with self.assertRaisesRegex(AssertionError, "stream should be None on cpu"):
            x.__dlpack__(stream=5)

    def test_subclasses(self) -> None:
        seen = []

        class Mine(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                seen.append(function.__name__)
                return super().__torch_function__(function, types, args, kwargs)

        x = _numbers(3).as_subclass(Mine)
        self.assertEqual(x.__dlpack_device__(), (EXTERNAL, 0))
        self.assertEqual(torch.from_dlpack(x).data_ptr(), x.data_ptr())
        seen.clear()
        x.__dlpack_device__()
        x.__dlpack__(stream=None)
        self.assertEqual([name for name in seen if "dlpack" in name], ["__dlpack_device__", "__dlpack__"])

    def test_memory_that_is_no_devices_is_refused(self) -> None:
        class Disguised(Library):
            def __dlpack__(self, **options: Any) -> Any:
                capsule = torch.ones(3).__dlpack__()
                pointer = ctypes.pythonapi.PyCapsule_GetPointer
                pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
                # DLTensor: data, then the device's kind and index.
                ctypes.c_int.from_address(pointer(capsule, b"dltensor") + 8).value = int(EXTERNAL)
                return capsule

        with self.assertRaisesRegex(ValueError, "the pointer is not of a XHAL device"):
            torch.from_dlpack(Disguised(torch.ones(3), (EXTERNAL, 0)))

    @two_devices
    def test_two_devices(self) -> None:
        x = torch.arange(3.0).to("xhal:1")
        y = torch.from_dlpack(x)
        self.assertEqual((x.__dlpack_device__(), y.device, y.data_ptr()), ((EXTERNAL, 1), x.device, x.data_ptr()))
        moved = torch.from_dlpack(x, device="xhal:0")
        self.assertEqual((moved.device, moved.tolist()), (DEVICE, [0, 1, 2]))
        asked = torch.from_dlpack(x.__dlpack__(dl_device=(EXTERNAL, 0), max_version=(1, 0)))
        self.assertEqual((asked.device, asked.tolist()), (DEVICE, [0, 1, 2]))
        with self.assertRaisesRegex(ValueError, "the stream is of another device than 1"):
            x.__dlpack__(stream=torch.xhal.Stream(0).xhal_stream)


class Streams(unittest.TestCase):
    def setUp(self) -> None:
        self.producer, self.consumer = torch.xhal.Stream(), torch.xhal.Stream()
        self.x = torch.zeros(64, device=DEVICE)
        torch.accelerator.synchronize()

    def tearDown(self) -> None:
        torch.accelerator.synchronize()

    def test_the_consumers_stream_waits(self) -> None:
        with Gate(self.producer), self.producer:
            self.x.fill_(7)
            self.x.__dlpack__(stream=-1)
            self.x.__dlpack__()
            # The producer's own needs nothing.
            self.x.__dlpack__(stream=self.producer.xhal_stream)
            self.assertTrue(self.consumer.query())
            capsule = self.x.__dlpack__(stream=self.consumer.xhal_stream)
            self.assertFalse(self.consumer.query())
            self.assertTrue(torch.xhal.default_stream().query())
        with self.consumer:
            self.assertEqual(torch.from_dlpack(capsule).sum().item(), 7 * 64)

    def test_none_is_the_default_stream(self) -> None:
        with Gate(self.producer), self.producer:
            self.x.fill_(7)
            self.x.__dlpack__(stream=None)
            self.assertTrue(self.consumer.query())
            self.assertFalse(torch.xhal.default_stream().query())

    def test_the_consumer_waits_for_a_copy_too(self) -> None:
        with Gate(self.producer), self.producer:
            capsule = self.x.fill_(7).__dlpack__(stream=self.consumer.xhal_stream, copy=True)
            self.assertFalse(self.consumer.query())
        with self.consumer:
            self.assertEqual(torch.from_dlpack(capsule).sum().item(), 7 * 64)

    @two_devices
    def test_the_consumer_waits_for_a_copy_to_its_device(self) -> None:
        consumer = torch.xhal.Stream(1)
        with Gate(self.producer), self.producer:
            capsule = self.x.fill_(7).__dlpack__(stream=consumer.xhal_stream, dl_device=(EXTERNAL, 1))
            self.assertFalse(consumer.query())
        with consumer:
            self.assertEqual(torch.from_dlpack(capsule).sum().item(), 7 * 64)

    def test_a_library_is_told_our_stream(self) -> None:
        library = Library(self.x)
        with self.consumer:
            torch.from_dlpack(library)
            torch.from_dlpack(library, copy=True)
        torch.from_dlpack(library)
        default = _C.stream_handle(0, 0)
        self.assertEqual(library.asked, [self.consumer.xhal_stream, self.consumer.xhal_stream, default])

    def test_our_stream_waits_for_a_librarys(self) -> None:
        producer = self.producer

        class Streamed(Library):
            def __dlpack__(self, **options: Any) -> Any:
                with producer:
                    return super().__dlpack__(**options)

        with Gate(producer):
            with producer:
                self.x.fill_(7)
            with self.consumer:
                y = torch.from_dlpack(Streamed(self.x))
            self.assertFalse(self.consumer.query())
        with self.consumer:
            self.assertEqual(y.sum().item(), 7 * 64)


class Lifetime(unittest.TestCase):
    SIZE = 5 << 10

    def test_memory_lives_with_the_last_holder(self) -> None:
        x = torch.zeros(self.SIZE, device=DEVICE)
        address = x.data_ptr()
        y = torch.from_dlpack(x)
        del x
        other = torch.empty(self.SIZE, device=DEVICE)
        self.assertNotEqual(other.data_ptr(), address)
        del other, y
        held = [torch.empty(self.SIZE, device=DEVICE) for _ in range(2)]
        self.assertIn(address, [one.data_ptr() for one in held])

    def test_a_capsule_that_nobody_takes_lets_go(self) -> None:
        before = torch.xhal.memory_allocated()
        capsule = torch.zeros(self.SIZE, device=DEVICE).__dlpack__()
        self.assertGreater(torch.xhal.memory_allocated(), before)
        del capsule
        self.assertEqual(torch.xhal.memory_allocated(), before)

    def test_the_consumers_stream_keeps_memory(self) -> None:
        consumer = torch.xhal.Stream()
        with Gate(consumer):
            x = torch.zeros(self.SIZE, device=DEVICE)
            address = x.data_ptr()
            capsule = x.__dlpack__(stream=consumer.xhal_stream)
            del x, capsule
            self.assertNotEqual(torch.empty(self.SIZE, device=DEVICE).data_ptr(), address)
        consumer.synchronize()
        held = [torch.empty(self.SIZE, device=DEVICE) for _ in range(3)]
        self.assertIn(address, [one.data_ptr() for one in held])

    def test_what_came_may_be_recorded(self) -> None:
        y = torch.from_dlpack(torch.zeros(4, device=DEVICE))
        y.record_stream(torch.xhal.Stream())
        self.assertEqual(y.tolist(), [0] * 4)


if __name__ == "__main__":
    unittest.main()
