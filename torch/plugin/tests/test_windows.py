# SPDX-License-Identifier: Apache-2.0
"""Windows as columns and back, and gradients of windows along one dimension: as the host's, none of it there."""
from __future__ import annotations

import unittest

import torch
import torch.nn.functional as F
from test_operators import DEVICE, FLOATS, INTEGERS
from test_pooling import ATEN, Pooling

WINDOWS = (
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "padding": (1, 2), "stride": (2, 1)},
    {"kernel_size": (2, 3), "dilation": (3, 2), "padding": 2, "stride": (1, 3)},
    {"kernel_size": (1, 4), "stride": (5, 2), "padding": (0, 3)},
)


class Columns(Pooling):
    def test_unfold(self) -> None:
        whole = torch.randn(2, 3, 8, 9)
        for window in WINDOWS:
            for i, value in enumerate((whole, whole[0], whole.transpose(2, 3), whole[:, :, 1::2], whole[:0])):
                for dtype in FLOATS if i == 0 else FLOATS[:1]:
                    with self.subTest(window=window, image=i, dtype=dtype):
                        self.compare(lambda x: F.unfold(x, **window), value.to(dtype), gradients=True)
        self.compare(lambda x: F.unfold(x, 2), whole > 0)
        self.compare(lambda x: F.unfold(x.expand(2, 4, 8, 9), 3), whole[:, :1], gradients=True)

    def test_fold(self) -> None:
        for window in WINDOWS:
            columns = F.unfold(torch.randn(2, 3, 8, 9), **window)
            for i, value in enumerate((columns, columns[0], columns.transpose(0, 1).contiguous().transpose(0, 1), columns[:0])):
                for dtype in FLOATS if i == 0 else FLOATS[:1]:
                    with self.subTest(window=window, columns=i, dtype=dtype):
                        self.compare(lambda x: F.fold(x, (8, 9), **window), value.to(dtype), gradients=True)
            self.compare(lambda x: F.fold(x, (8, 9), **window), columns > 0)

    def test_outputs_that_are_given(self) -> None:
        image, columns = torch.randn(2, 3, 6, 5), torch.randn(2, 12, 20)
        for operator, value, arguments in ((ATEN.im2col, image, ([2, 2], [1, 1], [0, 0], [1, 1])),
                                           (ATEN.col2im, columns, ([6, 5], [2, 2], [1, 1], [0, 0], [1, 1]))):  # fmt: skip
            expected = operator(value, *arguments)
            whole = torch.zeros(*expected.shape, 2).to(DEVICE)
            operator.out(value.to(DEVICE), *arguments, out=whole[..., 1])
            torch.testing.assert_close(whole.cpu(), torch.stack((torch.zeros_like(expected), expected), -1))
            out = torch.empty(0, device=DEVICE)
            operator.out(value[0].to(DEVICE), *arguments, out=out)
            torch.testing.assert_close(out.cpu(), expected[0])
            self.message(lambda x, o: operator.out(x, *arguments, out=o), value, torch.empty(0, dtype=torch.double))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        image, columns = torch.randn(2, 3, 6, 5), torch.randn(2, 12, 20)
        one, no = [1, 1], [0, 0]
        for arguments in (([2], one, no, one), ([2, 2], [1], no, one), ([2, 2], one, [0], one), ([2, 2], one, no, [1]), ([0, 2], one, no, one),
                          ([2, 2], one, no, [0, 1]), ([2, 2], [0, 1], no, one), ([2, 2], one, [0, -1], one), ([9, 2], one, no, one)):  # fmt: skip
            self.message(lambda x: ATEN.im2col(x, *arguments), image)
        for arguments in (([6], [2, 2], one, no, one), ([6, 5], [2], one, no, one), ([6, 5], [5, 2], one, no, one), ([7, 5], [2, 2], one, no, one),
                          ([6, 5], [2, 2], one, no, [0, 1]), ([6, 5], [2, 2], one, [-1, 0], one)):  # fmt: skip
            self.message(lambda x: ATEN.col2im(x, *arguments), columns)
        for dtype in INTEGERS:
            self.message(lambda x: F.unfold(x, 2), image.to(dtype))
            self.message(lambda x: F.fold(x, (6, 5), 2), columns.to(dtype))
        self.message(lambda x: F.unfold(x, 2), image[:, :0])


class AlongOneDimension(Pooling):
    def test_gradients(self) -> None:
        whole = torch.randn(4, 7, 5)
        for dim in (0, 1, -1):
            for size, step in ((1, 1), (2, 1), (3, 2), (2, 3), (4, 4), (0, 1)):
                for i, value in enumerate((whole, whole.transpose(0, 2), whole[:, ::2])):
                    for dtype in FLOATS if i == 0 else FLOATS[:1]:
                        if size > value.size(dim):
                            continue
                        with self.subTest(dim=dim, size=size, step=step, value=i, dtype=dtype):
                            self.compare(lambda x: x.unfold(dim, size, step) * 1, value.to(dtype), gradients=True)
        self.compare(lambda x: x.unfold(0, 1, 1) * 1, torch.tensor(2.5), gradients=True)

    def test_all_types(self) -> None:
        gradient = torch.randint(-100, 100, (3, 2, 4))
        for dtype in (*INTEGERS, torch.uint8, torch.bool):
            self.compare(lambda g: ATEN.unfold_backward(g, [6, 2], 0, 4, 1), gradient.to(dtype))


if __name__ == "__main__":
    unittest.main()
