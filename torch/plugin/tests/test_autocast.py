# SPDX-License-Identifier: Apache-2.0
"""Autocast casts as CUDA's does, and gradients are scaled: types by PyTorch's policies, values against the CPU in the same type."""
import unittest
import warnings

import torch
from torch.nn import functional as F

DEVICE = torch.device("xhal")
LOWER = (torch.float16, torch.bfloat16)


def _on_device(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape) + 1)
    return torch.randn(shape, generator=generator).to(dtype).to(DEVICE)


class Policies(unittest.TestCase):
    """Operator by operator: the type that goes in, the type that comes out."""

    def _expect(self, outputs: dict[str, torch.Tensor], dtype: torch.dtype) -> None:
        self.assertEqual({name: y.dtype for name, y in outputs.items()}, dict.fromkeys(outputs, dtype))

    def test_lower_precision(self) -> None:
        x, w, v = _on_device(4, 6), _on_device(5, 6), _on_device(6)
        images, filters = _on_device(2, 3, 8, 8), _on_device(4, 3, 3, 3)
        heads = _on_device(1, 2, 4, 8)
        for dtype in LOWER:
            with self.subTest(dtype), torch.autocast("xhal", dtype=dtype):
                outputs = {
                    "linear": F.linear(x, w, _on_device(5)),
                    "matmul": x @ w.T,
                    "mm": torch.mm(x, w.T),
                    "mv": torch.mv(x, v),
                    "addmm": torch.addmm(_on_device(5), x, w.T),
                    "bmm": torch.bmm(x[None], w.T[None]),
                    "baddbmm": torch.baddbmm(_on_device(1, 4, 5), x[None], w.T[None]),
                    "einsum": torch.einsum("ij,kj->ik", x, w),
                    "conv1d": F.conv1d(images[:, :, 0], filters[:, :, 0]),
                    "conv2d": F.conv2d(images, filters),
                    "conv_transpose2d": F.conv_transpose2d(images, filters.transpose(0, 1)),
                    "prelu": F.prelu(x, _on_device(1)),
                    "attention": F.scaled_dot_product_attention(heads, heads, heads),
                }
                self._expect(outputs, dtype)

    def test_single_precision(self) -> None:
        for dtype in LOWER:
            x = _on_device(4, 6, dtype=dtype)
            y = _on_device(4, 6, dtype=dtype).abs() + 1
            target = torch.tensor([0, 1, 2, 3], device=DEVICE)
            with self.subTest(dtype), torch.autocast("xhal", dtype=dtype):
                outputs = {
                    "exp": torch.exp(x),
                    "log": torch.log(y),
                    "pow": torch.pow(y, 2),
                    "rsqrt": torch.rsqrt(y),
                    "softplus": F.softplus(x),
                    "layer_norm": F.layer_norm(x, (6,)),
                    "group_norm": F.group_norm(x, 2),
                    "mse_loss": F.mse_loss(x, y),
                    "l1_loss": F.l1_loss(x, y),
                    "nll_loss": F.nll_loss(x, target),
                    "cross_entropy": F.cross_entropy(x, target),
                    "bce_with_logits": F.binary_cross_entropy_with_logits(x, x.sigmoid()),
                    "upsample": F.interpolate(x[None, None], scale_factor=2),
                    # By the dtype that they may be told, and by one that is appended.
                    "softmax": F.softmax(x, -1),
                    "log_softmax": F.log_softmax(x, -1),
                    "sum": x.sum(),
                    "sum_dim": x.sum(1),
                    "cumsum": x.cumsum(0),
                    "prod": x.prod(),
                    "vector_norm": torch.linalg.vector_norm(x),
                    "norm": torch.ops.aten.norm.Scalar(x, 2),
                    "norm_dim": torch.ops.aten.norm.ScalarOpt_dim(x, 2, [0], False),
                }
                self._expect(outputs, torch.float32)
                self.assertEqual(F.softmax(x, -1, dtype=dtype).dtype, dtype)
                self.assertEqual(torch.ones(3, dtype=torch.int64, device=DEVICE).sum().dtype, torch.int64)

    def test_promotion(self) -> None:
        for dtype in LOWER:
            low, single = _on_device(3, 4, dtype=dtype), _on_device(3, 4)
            at = (torch.tensor([0, 2], device=DEVICE),)
            with self.subTest(dtype), torch.autocast("xhal", dtype=dtype):
                outputs = {
                    "addcmul": torch.addcmul(low, single, low),
                    "addcdiv": torch.addcdiv(low, low, single),
                    "atan2": torch.atan2(low, single),
                    "dot": torch.dot(low[0], single[0]),
                    "cross": torch.cross(low[:, :3], single[:, :3], dim=1),
                    "tensordot": torch.tensordot(low, single.T, 1),
                    "index_put": torch.index_put(single, at, low[:2]),
                    "scatter_add": torch.scatter_add(single, 0, torch.zeros(1, 4, dtype=torch.int64, device=DEVICE), low),
                    "cat": torch.cat([low, single]),
                    "stack": torch.stack([low, single]),
                }
                self._expect(outputs, torch.float32)
                self.assertEqual(torch.atan2(low, low).dtype, dtype)

    def test_the_rest_is_left_alone(self) -> None:
        with torch.autocast("xhal", dtype=torch.float16):
            self.assertEqual(torch.relu(_on_device(4)).dtype, torch.float32)
            self.assertEqual((_on_device(4) + _on_device(4, dtype=torch.float16)).dtype, torch.float32)
            # f64 is nobody's business, nor are other devices' tensors.
            double = _on_device(3, 3, dtype=torch.float64)
            self.assertEqual((double @ double).dtype, torch.float64)
            self.assertEqual((torch.ones(3, 3) @ torch.ones(3, 3)).dtype, torch.float32)

    def test_in_place_and_out_are_not_cast(self) -> None:
        with torch.autocast("xhal", dtype=torch.float16):
            out = torch.empty(4, 5, device=DEVICE)
            torch.mm(_on_device(4, 6), _on_device(6, 5), out=out)
            self.assertEqual(out.dtype, torch.float32)
            with self.assertRaisesRegex(RuntimeError, "must have the same dtype, but got Float and Half"):
                torch.addmm(_on_device(5), _on_device(4, 6), _on_device(6, 5, dtype=torch.float16), out=out)

    def test_binary_cross_entropy_is_refused(self) -> None:
        x = _on_device(4).sigmoid()
        with torch.autocast("xhal"), self.assertRaisesRegex(RuntimeError, "are unsafe to autocast"):
            F.binary_cross_entropy(x, x)
        F.binary_cross_entropy(x, x)

    def test_values_are_those_of_the_lower_type(self) -> None:
        x, w = _on_device(8, 16), _on_device(4, 16)
        for dtype in LOWER:
            with self.subTest(dtype):
                with torch.autocast("xhal", dtype=dtype):
                    y = F.linear(x, w)
                expected = F.linear(x.cpu().to(dtype), w.cpu().to(dtype))
                torch.testing.assert_close(y.cpu(), expected)


class PyTorchsOwnLists(unittest.TestCase):
    """What PyTorch tests CUDA's autocast with: types, and values against the same operator on inputs that were cast by hand."""

    # cuDNN's are CUDA's alone; einsum's arguments are not in this list's form, and Policies has it.
    ELSEWHERE = {"cudnn_convolution", "cudnn_convolution_transpose", "einsum"}

    def _cases(self, lists, dtype: torch.dtype):
        neural, single = torch._C._nn, torch.float32
        for module, run_as, cases in (
            (torch, dtype, lists.torch_fp16), (neural, dtype, lists.nn_fp16), (None, dtype, lists.methods_fp16),
            (torch, single, lists.torch_fp32), (neural, single, lists.nn_fp32), (None, single, lists.methods_fp32),
        ):
            for name, args, *more in cases:
                options = next((value for value in more if isinstance(value, dict)), None)
                yield name, args, run_as, {"module": module, "add_kwargs": options}
        # Their halves are f16: PyTorch promotes no other than the region's.
        if dtype is torch.float16:
            for name, args in lists.torch_need_autocast_promote:
                yield name, args, single, {"module": torch}
        for module, cases in ((torch, lists.torch_expect_builtin_promote), (None, lists.methods_expect_builtin_promote)):
            for name, args, result in cases:
                yield name, args, single, {"module": module, "out_type": result}

    def test_them(self) -> None:
        from torch.testing._internal.autocast_test_lists import AutocastTestLists, TestAutocast

        checker, ran = TestAutocast(), 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for dtype in LOWER:
                for name, args, run_as, options in self._cases(AutocastTestLists(torch.device("xhal:0")), dtype):
                    if name in self.ELSEWHERE:
                        continue
                    ran += 1
                    with self.subTest(name, dtype=dtype):
                        checker._run_autocast_outofplace(name, args, run_as, device="xhal", amp_dtype=dtype, **options)
        self.assertGreater(ran, 200)


class Regions(unittest.TestCase):
    def _dtype(self) -> torch.dtype:
        return (_on_device(2, 2) @ _on_device(2, 2)).dtype

    def test_nesting(self) -> None:
        with torch.autocast("xhal", dtype=torch.float16):
            self.assertEqual(self._dtype(), torch.float16)
            with torch.autocast("xhal", enabled=False):
                self.assertEqual(self._dtype(), torch.float32)
                with torch.autocast("xhal", dtype=torch.bfloat16):
                    self.assertEqual(self._dtype(), torch.bfloat16)
                self.assertEqual(self._dtype(), torch.float32)
            self.assertEqual(self._dtype(), torch.float16)
        self.assertEqual(self._dtype(), torch.float32)
        self.assertFalse(torch.is_autocast_enabled("xhal"))

    def test_other_devices_regions_do_not_cast_here(self) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            self.assertEqual(self._dtype(), torch.float32)

    def test_the_type_by_default(self) -> None:
        self.assertEqual(torch.get_autocast_dtype("xhal"), torch.float16)
        with torch.autocast("xhal"):
            self.assertEqual(self._dtype(), torch.float16)
        former = torch.get_autocast_dtype("xhal")
        try:
            torch.set_autocast_dtype("xhal", torch.bfloat16)
            with torch.autocast("xhal"):
                self.assertEqual(self._dtype(), torch.bfloat16)
        finally:
            torch.set_autocast_dtype("xhal", former)

    def test_a_type_that_is_not_lower_disables(self) -> None:
        with self.assertWarnsRegex(UserWarning, "only supports dtypes of torch.bfloat16, torch.float16"):
            region = torch.autocast("xhal", dtype=torch.float64)
        with region:
            self.assertEqual(self._dtype(), torch.float32)

    def test_the_own_module(self) -> None:
        with torch.xhal.amp.autocast(dtype=torch.bfloat16):
            self.assertEqual(self._dtype(), torch.bfloat16)
        with torch.xhal.amp.autocast(enabled=False):
            self.assertEqual(self._dtype(), torch.float32)
        from torch.xhal.amp import GradScaler

        self.assertIsInstance(GradScaler(init_scale=4.0), torch.amp.GradScaler)
        self.assertTrue(torch.amp.is_autocast_available("xhal"))

    def _casts(self, **region: bool) -> int:
        weight = _on_device(4, 4).requires_grad_()
        seen = []

        class Casts(torch.utils._python_dispatch.TorchDispatchMode):
            def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
                if operator is torch.ops.aten._to_copy.default:
                    seen.append(args[0])
                return operator(*args, **(kwargs or {}))

        x = _on_device(2, 4, dtype=torch.float16)
        with Casts(), torch.autocast("xhal", **region):
            for _ in range(3):
                x @ weight
        return len(seen)

    def test_casts_of_weights_are_cached(self) -> None:
        self.assertEqual(self._casts(), 1)
        self.assertEqual(self._casts(cache_enabled=False), 3)

    def test_the_cache_ends_with_the_region(self) -> None:
        weight = torch.eye(2, device=DEVICE).requires_grad_()
        x = torch.ones(1, 2, device=DEVICE)
        for value in (1.0, 2.0):
            with torch.no_grad():
                weight.copy_(torch.eye(2) * value)
            with torch.autocast("xhal"):
                self.assertEqual((x @ weight).tolist(), [[value, value]])

    def test_gradients_have_the_weights_type(self) -> None:
        layer = torch.nn.Linear(6, 3).to(DEVICE)
        x = _on_device(4, 6)
        with torch.autocast("xhal", dtype=torch.bfloat16):
            y = layer(x)
            loss = F.mse_loss(y, torch.zeros(4, 3, device=DEVICE))
        loss.backward()
        self.assertEqual((y.dtype, loss.dtype), (torch.bfloat16, torch.float32))
        self.assertEqual(layer.weight.grad.dtype, torch.float32)
        twin = torch.nn.Linear(6, 3)
        twin.load_state_dict(layer.cpu().state_dict())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            F.mse_loss(twin(x.cpu()).float(), torch.zeros(4, 3)).backward()
        torch.testing.assert_close(layer.weight.grad.cpu(), twin.weight.grad, rtol=2e-2, atol=2e-2)


class Functions(unittest.TestCase):
    """torch.amp's decorators for autograd functions."""

    def _product(self, custom_fwd, custom_bwd) -> type:
        class Product(torch.autograd.Function):
            @staticmethod
            @custom_fwd
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                ctx.seen = (a.dtype, (a @ b).dtype)
                Product.forward_types = ctx.seen
                return a @ b

            @staticmethod
            @custom_bwd
            def backward(ctx, grad):
                a, b = ctx.saved_tensors
                Product.backward_type = (a.T @ a).dtype
                return grad.to(b.dtype) @ b.T, a.T @ grad.to(a.dtype)

        return Product

    def test_cast_inputs_turn_autocast_off(self) -> None:
        product = self._product(
            torch.amp.custom_fwd(device_type="xhal", cast_inputs=torch.float32), torch.amp.custom_bwd(device_type="xhal")
        )
        a = _on_device(3, 3, dtype=torch.float16).requires_grad_()
        with torch.autocast("xhal", dtype=torch.float16):
            y = product.apply(a, _on_device(3, 3))
        y.sum().backward()
        self.assertEqual(product.forward_types, (torch.float32, torch.float32))
        self.assertEqual(product.backward_type, torch.float32)

    def test_backward_runs_as_forward_did(self) -> None:
        amp = torch.amp
        for decorators in (
            (amp.custom_fwd(device_type="xhal"), amp.custom_bwd(device_type="xhal")),
            (torch.xhal.amp.custom_fwd, torch.xhal.amp.custom_bwd),
        ):
            product = self._product(*decorators)
            a = _on_device(3, 3).requires_grad_()
            with torch.autocast("xhal", dtype=torch.bfloat16):
                y = product.apply(a, _on_device(3, 3))
            y.float().sum().backward()
            self.assertEqual(product.forward_types, (torch.float32, torch.bfloat16))
            self.assertEqual(product.backward_type, torch.bfloat16)


class Scaler(unittest.TestCase):
    def _step(self, scaler: torch.amp.GradScaler, model: torch.nn.Module, optimizer: torch.optim.Optimizer, factor: float) -> None:
        optimizer.zero_grad()
        with torch.autocast("xhal", dtype=torch.float16):
            loss = model(torch.ones(2, 4, device=DEVICE)).sum() * factor
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    def test_steps_and_skips(self) -> None:
        model = torch.nn.Linear(4, 2).to(DEVICE)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.125)
        scaler = torch.amp.GradScaler("xhal", init_scale=8.0, growth_interval=2)
        before = model.weight.detach().cpu().clone()
        self._step(scaler, model, optimizer, 1.0)
        # Each weight sees two inputs of one, whatever the scale was.
        torch.testing.assert_close(model.weight.detach().cpu(), before - 0.25)
        self.assertEqual(scaler.get_scale(), 8.0)
        self._step(scaler, model, optimizer, 1.0)
        self.assertEqual(scaler.get_scale(), 16.0)
        before = model.weight.detach().cpu().clone()
        self._step(scaler, model, optimizer, float("inf"))
        self.assertEqual(scaler.get_scale(), 8.0)
        torch.testing.assert_close(model.weight.detach().cpu(), before, rtol=0, atol=0)

    def test_unscale_and_clip(self) -> None:
        model = torch.nn.Linear(4, 2).to(DEVICE)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        scaler = torch.amp.GradScaler("xhal", init_scale=1024.0)
        scaler.scale(model(torch.ones(2, 4, device=DEVICE)).sum()).backward()
        self.assertEqual(model.weight.grad.max().item(), 2048.0)
        scaler.unscale_(optimizer)
        self.assertEqual(model.weight.grad.cpu().unique().tolist(), [2.0])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scaler.unscale_(optimizer)
        with self.assertRaisesRegex(RuntimeError, r"unscale_\(\) has already been called"):
            scaler.unscale_(optimizer)

    def test_its_state_is_saved(self) -> None:
        scaler = torch.amp.GradScaler("xhal", init_scale=4.0)
        scaler.scale(torch.ones((), device=DEVICE))
        again = torch.amp.GradScaler("xhal")
        again.load_state_dict(scaler.state_dict())
        self.assertEqual(again.get_scale(), 4.0)

    def test_adam_in_lists_and_singly(self) -> None:
        for options in ({"foreach": True}, {"foreach": False}):
            model = torch.nn.Linear(4, 2).to(DEVICE)
            optimizer = torch.optim.Adam(model.parameters(), **options)
            scaler = torch.amp.GradScaler("xhal", init_scale=2.0)
            before = model.weight.detach().cpu().clone()
            self._step(scaler, model, optimizer, float("nan"))
            torch.testing.assert_close(model.weight.detach().cpu(), before, rtol=0, atol=0)
            self.assertEqual(scaler.get_scale(), 1.0)
            self._step(scaler, model, optimizer, 1.0)
            torch.testing.assert_close(model.weight.detach().cpu(), before - 1e-3, rtol=0, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
