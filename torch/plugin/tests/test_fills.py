# SPDX-License-Identifier: Apache-2.0
"""Tensors that are filled when they are made, of every type that PyTorch has: as the host's, none of it there."""
from __future__ import annotations

import unittest
import warnings
from typing import Any, Callable

import torch
from test_operators import DEVICE, Native, to_device

COMPLEX = (torch.complex64, torch.complex128, torch.complex32)
BITS = (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)


def readable(value: torch.Tensor) -> torch.Tensor:
    """In a type that tests can compare."""
    if value.is_complex():
        return value.to(torch.complex128)
    return value.to(torch.float64) if value.dtype.is_floating_point else value.to(torch.int64)


class Fills(Native):
    def setUp(self) -> None:
        super().setUp()
        warnings.filterwarnings("ignore", "ComplexHalf support is experimental")

    def check(self, function: Callable[[str], torch.Tensor]) -> None:
        expected, found = function("cpu"), function(DEVICE)
        self.assertEqual((found.dtype, found.shape, found.stride()), (expected.dtype, expected.shape, expected.stride()))
        torch.testing.assert_close(readable(found.cpu()), readable(expected))

    def test_factories(self) -> None:
        for dtype in COMPLEX + BITS:
            value = 2 - 3j if dtype.is_complex else 3
            with self.subTest(dtype=dtype):
                self.check(lambda device: torch.zeros(2, 3, dtype=dtype, device=device))
                self.check(lambda device: torch.ones(2, 3, dtype=dtype, device=device))
                self.check(lambda device: torch.full((4, 0), value, dtype=dtype, device=device))
                self.check(lambda device: torch.full((), value, dtype=dtype, device=device))
                self.check(lambda device: torch.scalar_tensor(value, dtype=dtype, device=device))
                self.check(lambda device: torch.full((4, 5), value, dtype=dtype, device=device).t())
                self.check(lambda device: torch.zeros_like(torch.empty(3, 4, dtype=dtype, device=device).t()))
                self.check(lambda device: torch.diag_embed(torch.ones(3, dtype=dtype, device=device)))
        for dtype in COMPLEX[:2]:
            self.check(lambda device: torch.eye(3, 4, dtype=dtype, device=device))
            self.check(lambda device: torch.eye(3, dtype=dtype, device=device))

    def test_parts_of_tensors_and_views_with_bits(self) -> None:
        start = torch.tensor([[1 + 2j, 3 - 4j, 5j], [6 + 0j, -7 - 8j, 9 + 1j]])
        changes: dict[str, Callable[[torch.Tensor], Any]] = {
            "whole": lambda x: x.fill_(1 - 2j),
            "real number": lambda x: x.fill_(4),
            "column": lambda x: x[:, 1].fill_(1 - 2j),
            "every other": lambda x: x[:, ::2].zero_(),
            "conjugate": lambda x: x.conj().fill_(1 - 2j),
            "part of a conjugate": lambda x: x.conj()[0].fill_(1 - 2j),
            "imaginary part of a conjugate": lambda x: x.conj().imag.fill_(5),
            "negative": lambda x: x._neg_view().fill_(1 - 2j),
            "both": lambda x: x._neg_view().conj()[:, 1].fill_(1 - 2j),
            "zero of both": lambda x: x._neg_view().conj()[:, 1].zero_(),
            "assignment": lambda x: x.__setitem__((0, slice(1, 3)), 2j),
            "tensor of the host": lambda x: x.fill_(torch.tensor(1 - 2j)),
            "conjugate tensor of the host": lambda x: x.fill_(torch.tensor(1 - 2j).conj()),
            "own element": lambda x: x.fill_(x[0, 1]),
            "own conjugate element": lambda x: x.fill_(x[0, 1].conj()),
            "real tensor": lambda x: x.fill_(torch.tensor(3, device=x.device)),
        }
        for name, change in changes.items():
            for dtype in COMPLEX[:2]:
                for order in (lambda x: x, lambda x: x.t().contiguous().t()):
                    with self.subTest(change=name, dtype=dtype):
                        host = order(start.to(dtype).clone())
                        device = to_device(host)
                        change(host)
                        change(device)
                        self.assertEqual(device.cpu().tolist(), host.tolist())

    def test_copies_and_views_of_what_was_filled(self) -> None:
        for dtype in COMPLEX[:2]:
            self.check(lambda device: torch.full((2, 3), 1 - 2j, dtype=dtype, device=device).conj().resolve_conj())
            self.check(lambda device: torch.full((2, 3), 1 - 2j, dtype=dtype, device=device).conj().t().clone())
            self.check(lambda device: torch.full((2, 3), 1 - 2j, dtype=dtype, device=device).mH.imag.contiguous())
            self.check(lambda device: torch.full((2, 3), 1 - 2j, dtype=dtype, device=device).expand(4, 2, 3).to(torch.complex64))

    def test_halves_of_a_device_word_keep_their_neighbours(self) -> None:
        for dtype in BITS[:1] + BITS[3:]:
            host = torch.ones(9).to(dtype)
            device = host.to(DEVICE)
            host[1::3] = 2
            device[1::3] = 2
            torch.testing.assert_close(readable(device.cpu()), readable(host))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        for dtype, value in ((torch.float32, 1j), (torch.int64, 1j), (torch.uint8, 300), (torch.int32, 2**40), (torch.int8, float("nan")), (torch.uint16, 70000), (torch.complex64, 1e300)):
            messages = []
            for device in ("cpu", DEVICE):
                with self.assertRaises(RuntimeError) as caught:
                    torch.zeros(3, dtype=dtype, device=device).fill_(value)
                messages.append(str(caught.exception).partition("\n")[0])
            self.assertEqual(*messages)
        for device in ("cpu", DEVICE):
            with self.assertRaisesRegex(RuntimeError, "fill_ only supports 0-dimension value tensor but got tensor with 1 dimensions"):
                torch.zeros(3, dtype=torch.complex64, device=device).fill_(torch.ones(1, device=device))

    def test_random_numbers_are_pairs_of_half_the_variance(self) -> None:
        for dtype in COMPLEX[:2]:
            torch.manual_seed(3)
            first = torch.randn(20000, dtype=dtype, device=DEVICE)
            torch.manual_seed(3)
            self.assertTrue(torch.equal(torch.randn(20000, dtype=dtype, device=DEVICE).cpu(), first.cpu()))
            pairs = torch.view_as_real(first).cpu()
            torch.testing.assert_close(pairs.var(0), torch.full((2,), 0.5, dtype=pairs.dtype), atol=0.03, rtol=0)
            torch.testing.assert_close(pairs.mean(0), torch.zeros(2, dtype=pairs.dtype), atol=0.03, rtol=0)
            both = torch.view_as_real(torch.rand(20000, dtype=dtype, device=DEVICE)).cpu()
            self.assertTrue(bool(((both >= 0) & (both < 1)).all()))
            torch.testing.assert_close(both.mean(0), torch.full((2,), 0.5, dtype=both.dtype), atol=0.02, rtol=0)

    def test_complex_numbers_of_their_parts(self) -> None:
        for function in (torch.complex, torch.polar):
            for dtype in (torch.float32, torch.float64):
                a, b = torch.randn(3, 4).to(dtype), torch.randn(4).to(dtype)
                self.check(lambda device: function(a.to(device), b.to(device)))
                self.check(lambda device: function(a.to(device).t(), b.to(device)[:3]))
                self.check(lambda device: function(a.to(device), b.to(device), out=torch.empty(0, dtype=dtype.to_complex(), device=device)))
            for wrong in (torch.ones(3), torch.ones(3, dtype=torch.int32)):
                messages = []
                for device in ("cpu", DEVICE):
                    with self.assertRaises(RuntimeError) as caught:
                        function(wrong.to(device), torch.ones(3, dtype=torch.float64, device=device))
                    messages.append(str(caught.exception).partition("\n")[0])
                self.assertEqual(*messages)


if __name__ == "__main__":
    unittest.main()
