# SPDX-License-Identifier: Apache-2.0
"""Tensors whose elements follow from where they stand: as on the host, and nothing of it runs there."""
from __future__ import annotations

import re
import unittest
import warnings
from typing import Any, Callable

import torch
from torch_xhal import _C

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
DEVICE = torch._C._get_privateuse1_backend_name()


class Native(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        warnings.simplefilter("ignore")
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})
        warnings.resetwarnings()

    def same(self, function: Callable[..., Any], *inputs: torch.Tensor) -> None:
        """`function` of a device and tensors there."""
        try:
            expected = function("cpu", *(value.clone() for value in inputs))
        except Exception as error:
            text = str(error).splitlines()[0]
            with self.assertRaises(type(error)) as caught:
                function(DEVICE, *(value.to(DEVICE) for value in inputs))
            # The host's kernels have names of their own.
            self.assertEqual(re.sub("_?cpu_?", "", str(caught.exception).splitlines()[0]), re.sub("_?cpu_?", "", text))
            return
        found = function(DEVICE, *(value.to(DEVICE) for value in inputs))
        self.assertEqual((found.dtype, found.device.type), (expected.dtype, DEVICE))
        torch.testing.assert_close(found.cpu(), expected, equal_nan=True)


class Steps(Native):
    def test_of_every_type(self) -> None:
        for dtype in (*FLOATS, *INTEGERS):
            for arguments in ((7,), (2, 9), (1, 100, 7), (0, 0), (3, 4, 5)):
                self.same(lambda device: torch.arange(*arguments, dtype=dtype, device=device))
            for steps in (0, 1, 2, 5, 50, 101):
                self.same(lambda device: torch.linspace(3, 100, steps, dtype=dtype, device=device))
                self.same(lambda device: torch.logspace(0, 4, steps, base=2, dtype=dtype, device=device))
            self.same(lambda device: torch.range(2, 11, 3, dtype=dtype, device=device))
        for dtype in (*FLOATS, torch.int64, torch.int8):
            self.same(lambda device: torch.arange(9, -9, -2, dtype=dtype, device=device))
            self.same(lambda device: torch.linspace(50, -7, 20, dtype=dtype, device=device))
            self.same(lambda device: torch.range(5, -5, -2, dtype=dtype, device=device))
        self.same(lambda device: torch.arange(0.5, 3, 0.25, device=device))
        self.same(lambda device: torch.arange(0, 1, 1e-4, dtype=torch.float64, device=device))
        self.same(lambda device: torch.arange(1 << 40, (1 << 40) + 3, device=device))
        self.same(lambda device: torch.logspace(0, 3, 4, dtype=torch.int64, device=device))
        self.same(lambda device: torch.range(0.5, 2.6, 0.25, device=device))
        self.same(lambda device, a: torch.linspace(a, 9, 5, device=device), torch.tensor(2.0))

    def test_outputs_and_errors(self) -> None:
        for function in (lambda out: torch.arange(0, 10, 2, out=out), lambda out: torch.linspace(0, 9, 5, out=out), lambda out: torch.logspace(0, 2, 5, out=out),
                         lambda out: torch.range(1, 5, out=out), lambda out: torch.eye(2, 3, out=out)):  # fmt: skip
            for out in (torch.empty(0), torch.empty(5), torch.empty(0, dtype=torch.float64)):
                self.same(lambda device, o: function(o), out)
            self.same(lambda device, o: function(o[::2]), torch.zeros(9))
        for function in (
            lambda device: torch.arange(3, 0, device=device), lambda device: torch.arange(0, 3, 0, device=device), lambda device: torch.arange(0, float("inf"), device=device),
            lambda device: torch.linspace(0, 1, -1, device=device), lambda device: torch.logspace(0, 1, -1, device=device), lambda device: torch.range(0, 3, 0, device=device),
            lambda device: torch.range(3, 0, device=device), lambda device: torch.range(0, float("nan"), device=device), lambda device: torch.eye(-1, device=device), lambda device: torch.eye(2, -1, device=device),
            lambda device: torch.tril_indices(-1, 2, device=device), lambda device: torch.triu_indices(2, 2, dtype=torch.float32, device=device), lambda device: torch.tril(torch.zeros(3, device=device)),
            lambda device: torch.zeros(2, 2, device=device).flip(2), lambda device: torch.zeros(2, 2, device=device).flip((0, 0)), lambda device: torch.trace(torch.zeros(2, device=device)),
            lambda device: torch.roll(torch.zeros(2, 2, device=device), (1, 2), 0), lambda device: torch.range(0, 3, dtype=torch.bool, device=device),
        ):  # fmt: skip
            self.same(function)


class Triangles(Native):
    def test_of_matrices_in_every_layout(self) -> None:
        for dtype in (*FLOATS, *INTEGERS, torch.bool):
            whole = torch.randint(0, 9, (3, 5, 7)).to(dtype)
            for diagonal in (-9, -2, 0, 1, 6, 20):
                for name in ("tril", "triu"):
                    self.same(lambda device, a: getattr(a, name)(diagonal), whole)
                    self.same(lambda device, a: getattr(a.transpose(0, 2), name)(diagonal), whole)
                    self.same(lambda device, a: getattr(a[:, 1:, ::2], name + "_")(diagonal), whole)
                    self.same(lambda device, a: (getattr(a, name + "_")(diagonal), a)[1], whole)
                    self.same(lambda device, a, out: getattr(torch, name)(a, diagonal, out=out.transpose(1, 2)), whole, torch.zeros(3, 7, 5).to(dtype))
        self.same(lambda device, a: a[:0].tril(), torch.randn(3, 2, 2))
        leaf, device = torch.randn(4, 4).requires_grad_(), torch.zeros(4, 4, device=DEVICE, requires_grad=True)
        leaf.triu(1).sum().backward()
        device.triu(1).sum().backward()
        torch.testing.assert_close(device.grad.cpu(), leaf.grad)

    def test_indices_and_units(self) -> None:
        for rows, columns in ((0, 3), (3, 0), (1, 1), (4, 7), (7, 4), (5, 5)):
            for diagonal in (-8, -3, -1, 0, 1, 2, 5, 8):
                for dtype in (torch.int64, torch.int32):
                    self.same(lambda device: torch.tril_indices(rows, columns, diagonal, dtype=dtype, device=device))
                    self.same(lambda device: torch.triu_indices(rows, columns, diagonal, dtype=dtype, device=device))
            for dtype in (*FLOATS, *INTEGERS, torch.bool):
                self.same(lambda device: torch.eye(rows, columns, dtype=dtype, device=device))
        self.same(lambda device: torch.eye(3, device=device))
        self.same(lambda device, a: a.trace(), torch.randn(3, 5))
        self.same(lambda device, a: a.trace(), torch.randint(0, 9, (5, 3)))
        self.same(lambda device, a: torch.diag_embed(a, 1), torch.randn(2, 3))
        self.same(lambda device, a: torch.diagonal_copy(a, -1), torch.randn(4, 3))
        self.same(lambda device, a: torch.diag(a) + torch.diag(torch.diag(a.diagflat())), torch.randn(4))


class Orders(Native):
    def test_opposite_and_rotated(self) -> None:
        for dtype in (*FLOATS, *INTEGERS, torch.bool):
            whole = torch.randint(0, 9, (3, 4, 5)).to(dtype)
            for dims in ((), (0,), (1,), (-1, 0), (0, 1, 2)):
                self.same(lambda device, a: a.flip(dims), whole)
                self.same(lambda device, a: a.transpose(0, 2)[:, ::2].flip(dims), whole)
            for shifts, dims in ((1, 0), (-2, 1), ((1, 3), (0, 2)), (7, ())):
                self.same(lambda device, a: a.roll(shifts, dims), whole)
                self.same(lambda device, a: a.t().roll(shifts, dims) if a.dim() == 2 else a.transpose(0, 1).roll(shifts, dims), whole)
            self.same(lambda device, a: a.rot90(1, (0, 2)), whole)
        self.same(lambda device, a: a.flip(0), torch.tensor([2.0]))
        self.same(lambda device, a: a.flip(()), torch.tensor(2.0))
        self.same(lambda device, a: a[:0].flip(0), torch.randn(3, 2))
        host, device = (torch.ones(3, 2, device=where, requires_grad=True) for where in ("cpu", DEVICE))
        for leaf in (host, device):
            (leaf.flip(0).roll(1, 1) * torch.arange(6.0, device=leaf.device).view(3, 2)).sum().backward()
        torch.testing.assert_close(device.grad.cpu(), host.grad)


if __name__ == "__main__":
    unittest.main()
