# SPDX-License-Identifier: Apache-2.0
"""Where values stand among sorted ones, which are among others, cross products: as the host's, none of it there."""
from __future__ import annotations

import unittest
import warnings

import torch
from test_operators import DEVICE, FLOATS, INTEGERS, to_device
from test_pooling import ATEN, Pooling

TYPES = (*FLOATS, *INTEGERS, torch.uint8)
NAN, INFINITY = float("nan"), float("inf")


class Sorted(Pooling):
    def setUp(self) -> None:
        super().setUp()
        warnings.filterwarnings("ignore", ".*is non-contiguous, this will lower the performance")

    def test_all_types_and_sides(self) -> None:
        boundaries, values = torch.tensor([1, 3, 3, 3, 7, 20, 90]), torch.tensor([[0, 1, 2, 3], [4, 7, 90, 91]])
        for dtype in TYPES:
            for right in (False, True):
                for narrow in (False, True):
                    self.compare(lambda b, v: torch.searchsorted(b, v, right=right, out_int32=narrow), boundaries.to(dtype), values.to(dtype))
                    self.compare(lambda b, v: torch.bucketize(v, b, right=right, out_int32=narrow), boundaries.to(dtype), values.to(dtype))
                    self.compare(lambda b: torch.searchsorted(b, 3, right=right, out_int32=narrow), boundaries.to(dtype))
                    self.compare(lambda b: torch.bucketize(7, b, right=right, out_int32=narrow), boundaries.to(dtype))
        for side in ("left", "right"):
            self.compare(lambda b, v: torch.searchsorted(b, v, side=side), boundaries, values)

    def test_rows_sorters_and_layouts(self) -> None:
        boundaries = torch.randn(3, 2, 9).sort().values
        values = torch.randn(3, 2, 5)
        shuffled = boundaries[..., torch.randperm(9)]
        self.compare(torch.searchsorted, boundaries, values)
        self.compare(torch.searchsorted, boundaries.transpose(0, 1).contiguous().transpose(0, 1), values[..., ::2])
        self.compare(lambda b, v, s: torch.searchsorted(b, v, sorter=s), shuffled, values, shuffled.sort().indices)
        self.compare(lambda b, v, s: torch.searchsorted(b, v, sorter=s, right=True), shuffled[0, 0], values, shuffled[0, 0].sort().indices)
        self.compare(torch.searchsorted, boundaries[0, 0], torch.tensor(0.5))
        self.compare(torch.searchsorted, boundaries[..., :0], values)
        self.compare(torch.searchsorted, boundaries, values[..., :0])
        self.compare(torch.searchsorted, torch.tensor([-INFINITY, 0.0, INFINITY, NAN]), torch.tensor([-INFINITY, -0.0, INFINITY, NAN, 1.0]))

    def test_types_are_promoted(self) -> None:
        self.compare(torch.searchsorted, torch.tensor([1, 2, 3]), torch.tensor([1.5, 2.0]))
        self.compare(torch.searchsorted, torch.tensor([1.5, 2.5]).half(), torch.tensor([2, 3]))
        self.compare(lambda b: torch.searchsorted(b, 1.5), torch.tensor([1, 2, 3]))
        self.compare(lambda b: torch.bucketize(True, b), torch.tensor([0.5, 2.0]))

    def test_outputs_that_are_given(self) -> None:
        boundaries, values = torch.arange(5.0), torch.tensor([[0.5, 2.0], [9.0, 3.5]])
        whole = torch.zeros(2, 2, 2, dtype=torch.int64, device=DEVICE)
        torch.searchsorted(boundaries.to(DEVICE), values.to(DEVICE), out=whole[..., 1])
        self.assertEqual(whole.tolist(), [[[0, 1], [0, 2]], [[0, 5], [0, 4]]])
        for function in (torch.searchsorted, lambda b, v, out: torch.bucketize(v, b, out=out)):
            out = torch.empty(0, dtype=torch.int64, device=DEVICE)
            function(boundaries.to(DEVICE), values.to(DEVICE), out=out)
            self.assertEqual(out.tolist(), [[1, 2], [5, 4]])
            self.message(lambda b, v, o: function(b, v, out=o), boundaries, values, out.cpu().int())

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        boundaries, values = torch.arange(6.0).view(2, 3), torch.ones(2, 2)
        search = torch.searchsorted
        self.message(search, boundaries, torch.ones(3, 2))
        self.message(search, boundaries, torch.tensor(1.0))
        self.message(search, torch.tensor(1.0), values)
        self.message(search, boundaries > 0, values > 0)
        self.message(lambda b, v: search(b, v, side="middle"), boundaries, values)
        self.message(lambda b, v: search(b, v, right=True, side="left"), boundaries, values)
        self.message(lambda b, v, s: search(b, v, sorter=s), boundaries, values, torch.zeros(2, 2, dtype=torch.int64))
        self.message(lambda b, v, s: search(b, v, sorter=s), boundaries, values, torch.zeros(2, 3, dtype=torch.int32))
        self.message(lambda b, v: torch.bucketize(v, b), boundaries, values)
        self.message(lambda b: torch.bucketize(1, b), boundaries)

    def test_a_sorter_beyond_its_row_stands_for_zero(self) -> None:
        found = torch.searchsorted(torch.ones(3, device=DEVICE), torch.ones(2, device=DEVICE), sorter=torch.tensor([0, 5, -7], device=DEVICE))
        self.assertEqual(found.cpu().tolist(), [3, 3])


class Among(Pooling):
    def test_all_types(self) -> None:
        elements, tests = torch.randint(0, 60, (4, 30)), torch.randint(0, 60, (2, 13))
        many = torch.randint(0, 60, (50, 100))
        for dtype in TYPES:
            for invert in (False, True):
                for unique in (False, True):
                    for left, right in ((elements, tests), (many.view(2500, 2), tests.repeat(2, 20)), (elements[:, ::3], tests.t()), (elements[:0], tests), (elements, tests[:0])):
                        self.compare(lambda a, b: torch.isin(a, b, assume_unique=unique and right.numel() < 1, invert=invert), left.to(dtype), right.to(dtype))
                self.compare(lambda a: torch.isin(a, 7, invert=invert), elements.to(dtype))
                self.compare(lambda a: torch.isin(7, a, invert=invert), elements.to(dtype))

    def test_many_tests_are_sorted_first(self) -> None:
        elements = torch.randint(0, 5000, (3000,)).double()
        tests = torch.randint(0, 5000, (900,)).double()
        elements[::100], tests[::50], elements[5], tests[7] = NAN, NAN, INFINITY, INFINITY
        for dtype in (torch.float32, torch.float64, torch.int32):
            for invert in (False, True):
                self.compare(lambda a, b: torch.isin(a, b, invert=invert), elements.nan_to_num(-1).to(dtype), tests.nan_to_num(-2).to(dtype))
        self.compare(torch.isin, elements, tests)

    def test_not_a_number_zeros_and_promotion(self) -> None:
        special = torch.tensor([NAN, 0.0, -0.0, INFINITY, 1.0])
        self.compare(torch.isin, special, torch.tensor([NAN, 0.0]))
        self.compare(torch.isin, special, torch.tensor([-0.0, INFINITY]))
        self.compare(torch.isin, torch.tensor([1, 2, 3]), torch.tensor([1.0, 2.5]))
        self.compare(lambda a: torch.isin(a, 2.5), torch.tensor([2, 3]))
        out = torch.zeros(3, 2, dtype=torch.bool, device=DEVICE)
        torch.isin(torch.tensor([1, 2, 3], device=DEVICE), torch.tensor([3], device=DEVICE), out=out[:, 1])
        self.assertEqual(out.tolist(), [[False, False], [False, False], [False, True]])

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        self.message(torch.isin, torch.tensor([True]), torch.tensor([True]))
        self.message(lambda a, b, o: torch.isin(a, b, out=o), torch.ones(2), torch.ones(2), torch.empty(2))


class Cross(Pooling):
    def test_values_and_gradients(self) -> None:
        for dtype in TYPES:
            a, b = (torch.randn(4, 3, 5) * 9).to(dtype), (torch.randn(4, 3, 5) * 9).to(dtype)
            self.compare(lambda x, y: torch.linalg.cross(x, y, dim=1), a, b, gradients=dtype.is_floating_point)
        a, b = torch.randn(2, 7, 3), torch.randn(1, 7, 3)
        self.compare(torch.linalg.cross, a, b, gradients=True)
        self.compare(torch.linalg.cross, a[:, ::2], b[:, :4], gradients=True)
        self.compare(lambda x, y: torch.linalg.cross(x, y, dim=0), a.transpose(0, 2), a.transpose(0, 2).contiguous(), gradients=True)
        self.compare(torch.linalg.cross, a[:0], b)
        self.compare(lambda x, y: torch.cross(x, y, dim=-1), a, a.flip(0))

    def test_outputs_and_what_is_wrong(self) -> None:
        a, b = torch.randn(2, 3), torch.randn(2, 3)
        whole = torch.zeros(2, 3, 2, device=DEVICE)
        torch.linalg.cross(a.to(DEVICE), b.to(DEVICE), out=whole[..., 0])
        torch.testing.assert_close(whole[..., 0].cpu(), torch.linalg.cross(a, b))
        self.assertEqual(int(whole[..., 1].count_nonzero()), 0)
        self.message(torch.linalg.cross, a.t(), b.t())
        self.message(torch.linalg.cross, a > 0, b > 0)
        self.message(lambda x, y, o: torch.linalg.cross(x, y, out=o), a, b, torch.empty(0, dtype=torch.double))


if __name__ == "__main__":
    unittest.main()
