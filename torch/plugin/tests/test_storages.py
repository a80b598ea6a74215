# SPDX-License-Identifier: Apache-2.0
"""Storages of the device, and the tensors that are set to them. None of it runs on the host."""
import copy
import unittest
import warnings

import torch
from torch_xhal import _C

DEVICE = torch.device("xhal", 0)
two_devices = unittest.skipUnless(torch.xhal.device_count() > 1, "a second device is needed")


def _bytes(*values: int, device: torch.device | str = DEVICE) -> torch.UntypedStorage:
    return torch.UntypedStorage(list(values), device=device)


class Native(unittest.TestCase):
    def setUp(self) -> None:
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})


class Storages(Native):
    def test_what_it_tells(self) -> None:
        x = torch.ones(3, 4, device=DEVICE)
        storage = x[1:].untyped_storage()
        self.assertEqual((storage.device, storage.nbytes(), storage.data_ptr(), len(storage)), (DEVICE, 48, x.data_ptr(), 48))
        self.assertTrue(storage.is_xhal)
        self.assertTrue(storage.resizable())
        self.assertEqual(torch.UntypedStorage(4, device="xhal").device, DEVICE)
        self.assertEqual(torch.UntypedStorage(device=DEVICE).nbytes(), 0)
        self.assertIn("[torch.storage.UntypedStorage(device=xhal:0) of size 4]", repr(_bytes(1, 2, 3, 4)))

    def test_bytes(self) -> None:
        storage = _bytes(1, 2, 3, 4)
        self.assertEqual((storage.tolist(), storage[2], storage[1:3].tolist()), ([1, 2, 3, 4], 3, [2, 3]))
        storage[1] = 9
        self.assertEqual(storage.tolist(), [1, 9, 3, 4])
        self.assertEqual(storage.fill_(7).tolist(), [7] * 4)

    def test_copies(self) -> None:
        storage, empty = _bytes(1, 2, 3, 4), torch.UntypedStorage(4)
        self.assertEqual(empty.copy_(storage).tolist(), [1, 2, 3, 4])
        self.assertEqual(_bytes(0, 0, 0, 0).copy_(torch.UntypedStorage([5, 6, 7, 8])).tolist(), [5, 6, 7, 8])
        for clone in (storage.clone(), copy.copy(storage), copy.deepcopy(storage), storage.cpu(), storage.cpu().xhal()):
            self.assertEqual(clone.tolist(), [1, 2, 3, 4])
            self.assertNotEqual(clone.data_ptr(), storage.data_ptr())
        self.assertEqual((storage.clone().device, storage.cpu().device.type, storage.cpu().xhal().device), (DEVICE, "cpu", DEVICE))
        with self.assertRaisesRegex(RuntimeError, "size does not match"):
            _bytes(1).copy_(storage)

    @two_devices
    def test_another_device(self) -> None:
        other = torch.device("xhal", 1)
        storage = _bytes(1, 2, device=other)
        self.assertEqual((storage.device, storage.tolist()), (other, [1, 2]))
        self.assertEqual(_bytes(0, 0).copy_(storage).tolist(), [1, 2])
        self.assertEqual((_bytes(3).to(device=other).device, storage.xhal(0).device), (other, DEVICE))
        x = torch.ones(2, device=other)
        x.set_()
        self.assertEqual(x.device, other)
        x.untyped_storage().resize_(64)
        self.assertEqual((x.untyped_storage().device, x.untyped_storage().nbytes()), (other, 64))

    def test_let_go_and_taken_again(self) -> None:
        """As FSDP does between the uses of a parameter."""
        x = torch.ones(1 << 12, device=DEVICE)
        storage, before = x.untyped_storage(), torch.xhal.memory_allocated()
        size = storage.nbytes()
        storage.resize_(0)
        self.assertEqual((storage.nbytes(), storage.data_ptr(), before - torch.xhal.memory_allocated()), (0, 0, size))
        self.assertEqual(x.shape, (1 << 12,))
        with self.assertRaisesRegex(RuntimeError, "is null|out of bounds|not allocated"):
            x.cpu()
        storage.resize_(size)
        self.assertEqual((storage.nbytes(), torch.xhal.memory_allocated()), (size, before))
        self.assertEqual(x.fill_(3).sum().item(), 3 << 12)

    def test_bytes_go_along(self) -> None:
        x = torch.tensor([1.0, 2.0, 3.0]).to(DEVICE)
        view = x[1:]
        x.untyped_storage().resize_(1 << 16)
        self.assertEqual((x.tolist(), view.tolist(), x.untyped_storage().nbytes()), ([1, 2, 3], [2, 3], 1 << 16))
        self.assertEqual(view.data_ptr(), x.data_ptr() + 4)
        x.untyped_storage().resize_(8)
        self.assertEqual(x[:2].tolist(), [1, 2])

    def test_pinning_is_for_the_host(self) -> None:
        with self.assertRaisesRegex(TypeError, "only CPU memory can be pinned"):
            _bytes(1).pin_memory()
        self.assertFalse(_bytes(1).is_pinned())
        pinned = torch.UntypedStorage([1, 2]).pin_memory()
        self.assertTrue(pinned.is_pinned())
        self.assertEqual(pinned.tolist(), [1, 2])

    def test_typed(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            storage = torch.ones(3, device=DEVICE).storage()
            self.assertEqual((storage.dtype, storage.device, storage.tolist()), (torch.float32, DEVICE, [1, 1, 1]))
            self.assertEqual((storage.double().device, storage.long().tolist()), (DEVICE, [1, 1, 1]))
            storage[1] = 4
            self.assertEqual(storage.cpu().tolist(), [1, 4, 1])
            self.assertEqual(torch.TypedStorage(2, dtype=torch.int16, device="xhal").fill_(3).tolist(), [3, 3])


class Sets(Native):
    def test_to_a_storage(self) -> None:
        x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).to(DEVICE)
        y = torch.empty(0, device=DEVICE).set_(x.untyped_storage())
        self.assertEqual((y.data_ptr(), y.tolist()), (x.data_ptr(), x.tolist()))
        y.set_(x.untyped_storage(), 1, (2, 2), (3, 1))
        self.assertEqual(y.tolist(), [[2, 3], [5, 6]])
        y.fill_(0)
        self.assertEqual(x.tolist(), [1, 0, 0, 4, 0, 0])

    def test_to_a_tensor(self) -> None:
        x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).to(DEVICE)
        y = torch.empty(0, device=DEVICE).set_(x.t())
        self.assertEqual((y.data_ptr(), y.stride(), y.tolist()), (x.data_ptr(), (1, 2), [[1, 3], [2, 4]]))
        z = torch.ops.aten.set.source_Tensor(torch.empty(0, device=DEVICE), x)
        self.assertEqual((z.device, z.tolist()), (DEVICE, x.tolist()))

    def test_to_nothing(self) -> None:
        x = torch.ones(3, device=DEVICE)
        self.assertIs(x.set_(), x)
        self.assertEqual((x.shape, x.device, x.untyped_storage().nbytes()), ((0,), DEVICE, 0))
        self.assertEqual(x.resize_(2).fill_(1).tolist(), [1, 1])

    def test_what_does_not_fit(self) -> None:
        with self.assertRaisesRegex(RuntimeError, 'tensor on device "xhal:0" to a storage on different device "cpu"'):
            torch.empty(0, device=DEVICE).set_(torch.UntypedStorage(4))
        with self.assertRaisesRegex(RuntimeError, 'tensor on device "xhal:0" to a storage on different device "cpu"'):
            torch.empty(0, device=DEVICE).set_(torch.ones(4))
        with self.assertRaisesRegex(RuntimeError, "Could not set tensor of type double to a tensor of type float"):
            torch.empty(0, device=DEVICE).set_(torch.ones(4, device=DEVICE, dtype=torch.float64))


class Values(unittest.TestCase):
    def test_numbers(self) -> None:
        x = torch.tensor([[1.5, 2.0]]).to(DEVICE)
        one = x[0, 0]
        self.assertEqual((one.item(), x.tolist(), int(one), float(one), bool(one), f"{one:.2f}"), (1.5, [[1.5, 2.0]], 1, 1.5, True, "1.50"))
        self.assertEqual(torch.tensor(3, device=DEVICE).item(), 3)
        self.assertEqual(["a", "b"][torch.tensor(1, device=DEVICE)], "b")
        with self.assertRaisesRegex(RuntimeError, "a Tensor with 2 elements cannot be converted to Scalar"):
            x.item()

    def test_printing(self) -> None:
        for x in (
            torch.tensor([1.5, float("nan"), float("inf")]), torch.zeros(2000), torch.tensor([1 + 2j]), torch.ones(2, 2, dtype=torch.bfloat16),
            torch.tensor(True), torch.zeros(0, 3), torch.tensor([[1, -20], [300, 4]]), torch.tensor([1e-9, 1e9]), torch.tensor(2.5),
        ):
            with self.subTest(x):
                there = repr(x.to(DEVICE))
                self.assertIn("device='xhal:0'", there)
                # An empty tensor's type is told after its device, so all spaces go.
                self.assertEqual("".join(there.split()).replace(",device='xhal:0'", ""), "".join(repr(x).split()))

    def test_printing_with_gradients(self) -> None:
        x = torch.ones(1, device=DEVICE, requires_grad=True)
        self.assertEqual(repr(x), "tensor([1.], device='xhal:0', requires_grad=True)")
        self.assertEqual(repr(x * 2), "tensor([2.], device='xhal:0', grad_fn=<MulBackward0>)")
        self.assertIn("Parameter containing:\ntensor([1.], device='xhal:0', requires_grad=True)", repr(torch.nn.Parameter(x.detach())))


if __name__ == "__main__":
    unittest.main()
