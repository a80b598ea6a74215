# SPDX-License-Identifier: Apache-2.0
"""Padding by what is in an image, and images of another size by their nearest values or sums of them: as the host's, none of it there."""
from __future__ import annotations

import unittest

import torch
import torch.nn.functional as F
from test_operators import DEVICE, FLOATS, INTEGERS
from test_pooling import ATEN, Pooling, images
from torch_xhal import _C

PADS = {
    1: ([1, 2], [3, 0], [-1, 2], [0, -3]),
    2: ([1, 2, 3, 0], [0, 4, -2, 1], [-1, -1, -1, 5]),
    3: ([1, 2, 3, 0, 2, 2], [0, 4, -2, 1, 3, -1]),
}


class Pads(Pooling):
    def test_values_and_gradients(self) -> None:
        for mode in ("reflect", "replicate"):
            for dims, pads in PADS.items():
                for pad in pads:
                    for i, value in enumerate(images(dims)):
                        # Three places are not enough for a reflection of four.
                        if i == 2 and mode == "reflect" and max(pad) > 2:
                            continue
                        for dtype in FLOATS if i == 0 else FLOATS[:1]:
                            with self.subTest(mode=mode, pad=pad, image=i, dtype=dtype):
                                self.compare(lambda x: F.pad(x, pad, mode=mode), value.to(dtype), gradients=True)

    def test_more_than_the_image_is_wide(self) -> None:
        self.compare(lambda x: F.pad(x, (9, 7, 4, 5), mode="replicate"), torch.randn(2, 1, 3, 1), gradients=True)
        self.compare(lambda x: F.pad(x, (4, 4), mode="reflect"), torch.randn(1, 2, 5), gradients=True)

    def test_all_types(self) -> None:
        value = torch.randint(0, 100, (2, 3, 5, 6))
        value[0, 0, 0, 0] = torch.iinfo(torch.int64).max
        for dtype in (*INTEGERS, torch.uint8):
            for mode in ("reflect", "replicate"):
                self.compare(lambda x: F.pad(x, (2, 1, 0, 3), mode=mode), value.to(dtype))
        for mode in ("reflect", "replicate"):
            self.message(lambda x: F.pad(x, (2, 1, 0, 3), mode=mode), value.bool())

    def test_outputs_that_are_given(self) -> None:
        value = torch.randn(2, 3, 5, 6)
        for operator in (ATEN.reflection_pad2d, ATEN.replication_pad2d):
            expected = operator(value, [1, 2, 3, 0])
            for out in (torch.empty(0, device=DEVICE), torch.empty(expected.shape[::-1], device=DEVICE).permute(3, 2, 1, 0)):
                operator.out(value.to(DEVICE), [1, 2, 3, 0], out=out)
                torch.testing.assert_close(out.cpu(), expected)
            whole = torch.zeros(*expected.shape, 2).to(DEVICE)
            operator.out(value.to(DEVICE), [1, 2, 3, 0], out=whole[..., 0])
            torch.testing.assert_close(whole.cpu(), torch.stack((expected, torch.zeros_like(expected)), -1))
            self.message(lambda x, o: operator.out(x, [1, 2, 3, 0], out=o), value, torch.empty(0, dtype=torch.double))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        image, whole = torch.randn(1, 2, 4, 4), torch.randn(1, 2, 4, 4, 4)
        pad = ATEN.reflection_pad2d
        for padding in ([1, 1], [4, 0, 0, 0], [0, 0, 0, 4], [4] * 4):
            with self.subTest(padding=padding):
                self.message(lambda x: pad(x, padding), image)
        self.message(lambda x: pad(x, [1] * 4), image[0, 0])
        self.message(lambda x: pad(x, [1] * 4), image[:, :, :0])
        for operator in (ATEN.reflection_pad2d_backward, ATEN.replication_pad2d_backward):
            for size in ((1, 2, 6, 5), (1, 2, 5, 6)):
                self.message(lambda g, x: operator(g, x, [1] * 4), torch.randn(size), image)
        for size in ((1, 2, 6, 6, 5), (1, 2, 6, 5, 6), (1, 2, 5, 6, 6), (1, 3, 6, 6, 6)):
            self.message(lambda g, x: ATEN.replication_pad3d_backward(g, x, [1] * 6), torch.randn(size), whole)
        self.message(lambda g, x: ATEN.replication_pad3d_backward(g, x, [1] * 2), whole, whole)


class Nearest(Pooling):
    def test_values_and_gradients(self) -> None:
        for mode in ("nearest", "nearest-exact"):
            for dims in (1, 2, 3):
                for i, value in enumerate(images(dims)):
                    if value.dim() != dims + 2:
                        continue
                    for size in (*({"size": size} for size in (1, 7, 22)), *({"scale_factor": factor} for factor in (2.0, 0.4, 1.7))):
                        for dtype in FLOATS if i == 0 else FLOATS[:1]:
                            with self.subTest(mode=mode, dims=dims, image=i, size=size, dtype=dtype):
                                self.compare(lambda x: F.interpolate(x, mode=mode, **size), value.to(dtype), gradients=True)

    def test_every_pair_of_sizes(self) -> None:
        # Where an output's place is nearly a whole number, how it is computed decides.
        for mode in ("nearest", "nearest-exact"):
            for dtype in (torch.float32, torch.float64, torch.uint8):
                for width in range(1, 13):
                    for size in range(1, 31):
                        value = torch.arange(width).to(dtype)[None, None]
                        found = F.interpolate(value.to(DEVICE), size, mode=mode)
                        self.assertEqual(found.cpu().tolist(), F.interpolate(value, size, mode=mode).tolist(), (mode, dtype, width, size))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        for value, size in ((torch.randn(1, 2, 0), 3), (torch.randn(1, 2, 4), 0), (torch.randint(0, 9, (1, 2, 4)), 3)):
            self.message(lambda x: F.interpolate(x, size, mode="nearest"), value)


class Blends(Pooling):
    MODES = {1: ("linear",), 2: ("bilinear", "bicubic"), 3: ("trilinear",)}

    def test_values_and_gradients(self) -> None:
        for dims, modes in self.MODES.items():
            for mode in modes:
                for i, value in enumerate(images(dims)):
                    if value.dim() != dims + 2:
                        continue
                    sizes = ({"size": size} for size in (1, 7, 22))
                    for size in (*sizes, *({"scale_factor": factor} for factor in (2.0, 0.4, 1.7))):
                        for aligns in (False, True):
                            for dtype in FLOATS if i == 0 else FLOATS[:1]:
                                with self.subTest(mode=mode, image=i, size=size, aligns=aligns, dtype=dtype):
                                    # The host's gradients of half precision are rounded at each sum.
                                    gradients = dtype.itemsize > 2 or "size" not in size
                                    self.compare(
                                        lambda x: F.interpolate(x, mode=mode, align_corners=aligns, **size), value.to(dtype), gradients=gradients
                                    )

    def test_given_scale_factors_are_used(self) -> None:
        value = torch.randn(1, 2, 9, 7, dtype=torch.double)
        for mode in self.MODES[2]:
            for scale in ((1.3, 2.6), (0.45, 1.0), (1.0, 1.0)):
                self.compare(lambda x: F.interpolate(x, mode=mode, scale_factor=scale, recompute_scale_factor=False), value, gradients=True)

    def test_every_pair_of_sizes(self) -> None:
        # An input's gradient gathers from the outputs that took it: none may be missed, whatever the scale.
        for mode, value_of in (("linear", lambda n: torch.randn(1, 1, n)), ("bicubic", lambda n: torch.randn(1, 1, n, 1))):
            for aligns in (False, True):
                for width in (1, 2, 3, 5, 8, 100):
                    for size in (1, 2, 3, 7, 50, 301):
                        shape = size if mode == "linear" else (size, 1)
                        with self.subTest(mode=mode, aligns=aligns, width=width, size=size):
                            self.compare(lambda x: F.interpolate(x, shape, mode=mode, align_corners=aligns), value_of(width).double(), gradients=True)

    def test_outputs_that_are_given(self) -> None:
        value = torch.randn(2, 3, 5, 6)
        for operator in (ATEN.upsample_bilinear2d, ATEN.upsample_bicubic2d):
            expected = operator(value, [7, 4], False)
            whole = torch.zeros(*expected.shape, 2).to(DEVICE)
            operator.out(value.to(DEVICE), [7, 4], False, out=whole[..., 0])
            torch.testing.assert_close(whole.cpu(), torch.stack((expected, torch.zeros_like(expected)), -1))
            self.message(lambda x, o: operator.out(x, [7, 4], False, out=o), value, torch.empty(0, dtype=torch.double))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        for mode, value in (("linear", torch.ones(1, 2, 4)), ("bilinear", torch.ones(1, 2, 4, 4)), ("bicubic", torch.ones(1, 2, 4, 4)),
                            ("trilinear", torch.ones(1, 2, 4, 4, 4))):  # fmt: skip
            self.message(lambda x: F.interpolate(x, 0, mode=mode), value)
            self.message(lambda x: F.interpolate(x, 3, mode=mode), value[..., :0])
            for dtype in (torch.int64, torch.bool):
                self.message(lambda x: F.interpolate(x, 3, mode=mode), value.to(dtype))
        self.message(lambda g: ATEN.upsample_bilinear2d_backward(g, [3, 3], [1, 2, 4, 4], False), torch.ones(1, 2, 3, 4))
        self.message(lambda g: ATEN.upsample_bilinear2d_backward(g, [3, 3], [1, 2, 4, 4], False), torch.ones(1, 2, 3, 3).int())

    def test_bytes_are_weighed_on_the_host(self) -> None:
        value = torch.randint(0, 256, (1, 3, 9, 8), dtype=torch.uint8)
        for mode in self.MODES[2]:
            found = F.interpolate(value.to(DEVICE), (5, 20), mode=mode)
            self.assertTrue(torch.equal(found.cpu(), F.interpolate(value, (5, 20), mode=mode)))
        self.assertEqual(_C.fallback_counts(), {"aten::upsample_bilinear2d": 1, "aten::upsample_bicubic2d": 1})
        _C.reset_fallback_counts()


if __name__ == "__main__":
    unittest.main()
