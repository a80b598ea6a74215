# SPDX-License-Identifier: Apache-2.0
"""Sorting, what follows from it, and running values: as on the host, and none of it runs there."""
from __future__ import annotations

import unittest
from typing import Any, Callable

import torch
from torch_xhal import _C

from test_operators import DEVICE, FLOATS, INTEGERS, to_device

TYPES = (*FLOATS, *INTEGERS, torch.uint8)
NAN = float("nan")


class Ordered(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        _C.reset_fallback_counts()

    def tearDown(self) -> None:
        self.assertEqual(_C.fallback_counts(), {})

    def same(self, function: Callable[..., Any], *inputs: Any) -> None:
        expected = function(*inputs)
        found = function(*(to_device(value) for value in inputs))
        if isinstance(expected, torch.Tensor):
            expected, found = (expected,), (found,)
        for one, other in zip(expected, found, strict=True):
            self.assertEqual((other.device.type, other.shape, other.dtype), (DEVICE, one.shape, one.dtype))
            torch.testing.assert_close(other.cpu(), one, equal_nan=True)

    def numbers(self, dtype: torch.dtype, *size: int) -> torch.Tensor:
        # Few values, so that there are equal ones.
        return (torch.randint(0, 9, size) if dtype == torch.uint8 else torch.randint(-9, 9, size)).to(dtype)


class Sorting(Ordered):
    def test_equal_ones_keep_their_order_in_every_type_and_layout(self) -> None:
        for dtype in (*TYPES, torch.bool):
            whole = self.numbers(dtype, 5, 40, 3)
            for value in (whole, whole.transpose(0, 1), whole[:, ::3], whole[1, 2, 0], torch.zeros(0, 4, dtype=dtype), torch.zeros(4, 0, dtype=dtype)):
                for dim in range(-1, value.dim()):
                    for descending in (False, True):
                        with self.subTest(dtype=dtype, size=tuple(value.shape), dim=dim, descending=descending):
                            self.same(lambda x: torch.sort(x, dim=dim, descending=descending, stable=True), value)

    def test_rows_longer_than_what_is_sorted_by_insertion(self) -> None:
        for length in (31, 32, 33, 64, 65, 1000, 4097):
            value = torch.randn(2, length).round(decimals=1)
            for descending in (False, True):
                with self.subTest(length=length, descending=descending):
                    self.same(lambda x: torch.sort(x, descending=descending, stable=True), value)
                    self.same(lambda x: torch.sort(x, dim=0, descending=descending, stable=True), value.t())

    def test_nan_is_beyond_all(self) -> None:
        value = torch.tensor([[1.0, NAN, -float("inf"), 3.0, NAN, float("inf"), -0.0, 0.0]]).repeat(2, 9)
        for dtype in FLOATS:
            for descending in (False, True):
                self.same(lambda x: torch.sort(x, descending=descending, stable=True), value.to(dtype))

    def test_outputs_that_are_given(self) -> None:
        value = torch.randn(4, 6)
        device = value.to(DEVICE)
        values, indices = torch.empty(0, device=DEVICE), torch.empty(0, dtype=torch.int64, device=DEVICE)
        torch.sort(device, dim=0, out=(values, indices))
        torch.testing.assert_close((values.cpu(), indices.cpu()), tuple(torch.sort(value, dim=0)))
        gaps = torch.zeros(4, 12, device=DEVICE)
        torch.sort(device, out=(gaps[:, ::2], indices))
        torch.testing.assert_close(gaps.cpu()[:, ::2], value.sort().values)
        self.assertFalse(gaps.cpu()[:, 1::2].any())
        with self.assertRaisesRegex(RuntimeError, "Expected out tensor to have dtype long|expected.*dtype"):
            torch.sort(device, out=(values, torch.empty(0, device=DEVICE)))
        with self.assertRaisesRegex(IndexError, "Dimension out of range"):
            device.sort(dim=2)

    def test_the_largest_and_the_kth(self) -> None:
        value = torch.randperm(120).view(4, 30).float()
        for dim in (0, 1):
            for k in (1, 3, 4):
                for largest in (False, True):
                    self.same(lambda x: torch.topk(x, k, dim=dim, largest=largest), value)
                self.same(lambda x: torch.kthvalue(x, k, dim=dim), value)
                self.same(lambda x: torch.kthvalue(x, k, dim=dim, keepdim=True), value.to(torch.int32))
        self.same(lambda x: torch.topk(x, 1), torch.tensor(4.0))
        self.same(lambda x: torch.argsort(x, dim=0), value)
        self.same(torch.msort, value)
        with self.assertRaisesRegex(RuntimeError, "selected index k out of range"):
            torch.topk(value.to(DEVICE), 31)
        with self.assertRaisesRegex(RuntimeError, r"kthvalue\(\): selected number k out of range for dimension 1"):
            torch.kthvalue(value.to(DEVICE), 31)


class Chosen(Ordered):
    def test_the_greatest_and_the_least_with_their_place(self) -> None:
        for dtype in (*TYPES, torch.bool):
            whole = self.numbers(dtype, 5, 40, 3)
            for value in (whole, whole.transpose(0, 2), whole[:, ::7], whole[1, 2, 0]):
                for dim in range(-1, value.dim()):
                    with self.subTest(dtype=dtype, size=tuple(value.shape), dim=dim):
                        for function in (torch.max, torch.min):
                            # Of equal ones the host takes the first, too, where the dimension lies densely or not.
                            self.same(lambda x: function(x, dim=dim), value)
                            self.same(lambda x: function(x, dim=dim, keepdim=True), value)
                        self.same(lambda x: torch.aminmax(x, dim=dim), value)
                for function in (torch.max, torch.min, torch.aminmax):
                    self.same(function, value)
        value = torch.tensor([[1.0, NAN, 3.0, NAN], [4.0, 2.0, 9.0, 9.0]])
        for function in (lambda x: torch.max(x, 1), lambda x: torch.min(x, 1), lambda x: torch.max(x, 0), torch.max, torch.aminmax):
            self.same(function, value)
        with self.assertRaisesRegex(IndexError, "Expected reduction dim 1 to have non-zero size"):
            torch.max(torch.zeros(3, 0, device=DEVICE), 1)
        with self.assertRaisesRegex(RuntimeError, "Expected reduction dim to be specified for input.numel\\(\\) == 0"):
            torch.max(torch.zeros(3, 0, device=DEVICE))

    def test_medians(self) -> None:
        for dtype in TYPES:
            # Each value once, so that its place is one.
            value = torch.stack([torch.randperm(37) for _ in range(6)]).to(dtype)
            for length in (37, 36, 1):
                for function in (torch.median, torch.nanmedian):
                    with self.subTest(dtype=dtype, length=length, function=function.__name__):
                        self.same(lambda x: function(x, dim=1), value[:, :length])
                        self.same(lambda x: function(x, dim=0, keepdim=True)[0], value[:, :length])
                        self.same(function, value[:, :length])
        with_nan = torch.tensor([[3.0, NAN, 1.0, NAN, 2.0], [NAN, NAN, NAN, NAN, NAN], [5.0, 1.0, 4.0, 2.0, 3.0]])
        for function in (torch.median, torch.nanmedian):
            self.same(lambda x: function(x, dim=1)[0], with_nan)
            self.same(function, with_nan)
        self.assertEqual(torch.median(with_nan.to(DEVICE), dim=1).indices.tolist(), [1, 0, 4])
        self.same(torch.median, torch.zeros(0))
        self.same(torch.median, torch.tensor(3))
        with self.assertRaisesRegex(IndexError, r"median\(\): Expected reduction dim 1 to have non-zero size"):
            torch.median(torch.zeros(3, 0, device=DEVICE), 1)

    def test_the_most_frequent(self) -> None:
        for dtype in (*TYPES, torch.bool):
            value = self.numbers(dtype, 6, 50)
            for dim in (0, 1):
                self.same(lambda x: torch.mode(x, dim=dim).values, value)
                self.same(lambda x: torch.mode(x, dim=dim, keepdim=True).values, value)
                found = torch.mode(value.to(DEVICE), dim=dim)
                there = value.gather(dim, found.indices.cpu().unsqueeze(dim)).squeeze(dim)
                torch.testing.assert_close(there, found.values.cpu())
        out = torch.empty(0, device=DEVICE), torch.empty(0, dtype=torch.int64, device=DEVICE)
        torch.mode(torch.tensor([[1.0, 2.0, 2.0]], device=DEVICE), out=out)
        self.assertEqual(out[0].tolist(), [2.0])


class Running(Ordered):
    def test_sums_and_products_in_every_type_and_layout(self) -> None:
        for dtype in (*TYPES, torch.bool):
            whole = self.numbers(dtype, 3, 9, 4)
            for value in (whole, whole.transpose(0, 1), whole[:, ::2], whole[1, 2, 0], torch.zeros(3, 0, dtype=dtype)):
                for dim in range(-1, value.dim()):
                    with self.subTest(dtype=dtype, size=tuple(value.shape), dim=dim):
                        self.same(lambda x: torch.cumsum(x, dim), value)
                        self.same(lambda x: torch.cumprod(x, dim), value)
        value = torch.randint(0, 100, (50,))
        self.same(lambda x: torch.cumsum(x, 0, dtype=torch.float32), value)
        self.same(lambda x: x.clone().cumsum_(0), value)
        self.same(lambda x: torch.cumprod(x, 0), value.to(torch.int64))

    def test_long_rows_of_f32_lose_nothing_that_the_host_keeps(self) -> None:
        self.same(lambda x: torch.cumsum(x, 0), torch.rand(200_000) + 1)
        self.same(lambda x: torch.logcumsumexp(x, 0), torch.randn(5_000))

    def test_logarithms_of_sums(self) -> None:
        for dtype in FLOATS:
            value = torch.tensor([[0.5, -1.0, 300.0, -8.0], [-float("inf"), -float("inf"), 2.0, 1.0], [float("inf"), 1.0, NAN, 1.0]])
            for dim in (0, 1):
                self.same(lambda x: torch.logcumsumexp(x, dim), value.to(dtype))
                self.same(lambda x: torch.logcumsumexp(x, dim, out=torch.empty(0, dtype=x.dtype, device=x.device)), value.to(dtype))

    def test_the_greatest_and_the_least_so_far(self) -> None:
        for dtype in TYPES:
            whole = self.numbers(dtype, 4, 30)
            for value in (whole, whole.t(), whole[:, ::3]):
                for dim in (0, 1):
                    self.same(lambda x: torch.cummax(x, dim), value)
                    self.same(lambda x: torch.cummin(x, dim), value)
        self.same(lambda x: torch.cummax(x, 0), torch.tensor([1.0, NAN, 3.0, NAN, 0.0]))
        self.same(lambda x: torch.cummin(x, 0), torch.tensor([1.0, NAN, 0.0]))


if __name__ == "__main__":
    unittest.main()
