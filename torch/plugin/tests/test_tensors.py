# SPDX-License-Identifier: Apache-2.0
"""Tensors, copies, random numbers, the fallback and its count, memory's figures, errors."""
import unittest

import torch
from torch_xhal import _C

DEVICE = torch.device("xhal")


class Tensors(unittest.TestCase):
    def setUp(self) -> None:
        _C.set_fallback_mode("allow")
        _C.reset_fallback_counts()

    def test_copies_keep_every_layout(self) -> None:
        host = torch.arange(120.0).reshape(2, 3, 4, 5)
        device = host.to(DEVICE)
        for view in (lambda t: t, lambda t: t.permute(3, 1, 0, 2), lambda t: t[:, 1:, ::2], lambda t: t[..., 0].t() if t.dim() == 2 else t[..., 3]):
            self.assertTrue(torch.equal(view(device).cpu(), view(host)))
            self.assertTrue(torch.equal(view(device).contiguous().cpu(), view(host)))
        self.assertTrue(torch.equal(device.to(torch.int32).cpu(), host.to(torch.int32)))

    def test_what_lies_between_elements_stays(self) -> None:
        device = torch.zeros(4, 6, device=DEVICE)
        device[:, ::2] = torch.ones(4, 3)
        self.assertEqual(device[:, 1::2].cpu().abs().sum().item(), 0)
        self.assertEqual(device.cpu().sum().item(), 12)

    def test_conjugates(self) -> None:
        host = torch.randn(5, dtype=torch.complex64)
        device = host.to(DEVICE)
        self.assertTrue(torch.equal(device.conj().cpu(), host.conj()))
        self.assertTrue(torch.equal(device.conj().resolve_conj().cpu(), host.conj()))
        self.assertTrue(torch.equal(device.conj().imag.cpu(), host.conj().imag))

    def test_random_numbers_come_from_the_seed(self) -> None:
        torch.xhal.manual_seed(5)
        first = torch.randn(100, device=DEVICE).cpu()
        torch.manual_seed(0)
        second = torch.randn(100, device=DEVICE).cpu()
        torch.xhal.manual_seed(5)
        self.assertTrue(torch.equal(torch.randn(100, device=DEVICE).cpu(), first))
        self.assertFalse(torch.equal(first, second))
        generator = torch.Generator(DEVICE).manual_seed(5)
        state = generator.get_state()
        once = torch.randn(3, device=DEVICE, generator=generator).cpu()
        generator.set_state(state)
        self.assertTrue(torch.equal(torch.randn(3, device=DEVICE, generator=generator).cpu(), once))
        with self.assertRaises(ValueError):
            generator.set_state(torch.zeros(3, dtype=torch.uint8))

    def test_the_fallback_counts_and_can_be_refused(self) -> None:
        left = torch.ones(3, device=DEVICE)
        _C.reset_fallback_counts()
        torch.special.i1(left)
        torch.special.i1(left)
        self.assertEqual(_C.fallback_counts().get("aten::special_i1.out"), 2)
        _C.set_fallback_mode("error")
        with self.assertRaisesRegex(NotImplementedError, "aten::special_i1.out has no kernel for XHAL"):
            torch.special.i1(left)
        with self.assertRaisesRegex(ValueError, "'never' is none of allow, warn, error"):
            _C.set_fallback_mode("never")

    def test_random_numbers_without_a_generator_are_refused(self) -> None:
        library = torch.library.Library("xhal_test", "DEF")
        library.define("draw(Tensor like) -> Tensor", tags=(torch.Tag.nondeterministic_seeded,))
        library.impl("draw", torch.rand_like, "CPU")
        with self.assertRaisesRegex(NotImplementedError, "would draw from the host's random numbers"):
            torch.ops.xhal_test.draw(torch.ones(8, device=DEVICE))

    def test_memory_is_counted(self) -> None:
        torch.accelerator.empty_cache()
        before = torch.accelerator.memory_allocated()
        block = torch.empty(1 << 20, dtype=torch.uint8, device=DEVICE)
        self.assertEqual(torch.accelerator.memory_allocated() - before, 1 << 20)
        stats = torch.accelerator.memory_stats()
        self.assertGreaterEqual(stats["reserved_bytes.all.current"], stats["active_bytes.all.current"])
        del block
        self.assertEqual(torch.accelerator.memory_allocated(), before)
        torch.accelerator.reset_peak_memory_stats()
        self.assertEqual(torch.accelerator.max_memory_allocated(), before)

    def test_errors_are_those_of_other_devices(self) -> None:
        tensor = torch.ones(3, device=DEVICE)
        with self.assertRaisesRegex(TypeError, "can't convert xhal:0 device type tensor to numpy"):
            tensor.numpy()
        with self.assertRaisesRegex(RuntimeError, "on the same device"):
            tensor + torch.ones(3)
        with self.assertRaisesRegex(torch.OutOfMemoryError, "Tried to allocate 256.00 TiB.*The allocator holds"):
            torch.empty(1 << 46, device=DEVICE)
        with self.assertRaisesRegex(RuntimeError, "invalid device ordinal: 99"):
            torch.ones(1, device="xhal:99")
        with self.assertRaises(NotImplementedError):
            torch.ones(3).to_sparse().to(DEVICE)

    def test_pinned_memory(self) -> None:
        pinned = torch.full((100,), 3.0).pin_memory()
        self.assertTrue(pinned.is_pinned())
        self.assertFalse(torch.ones(3).is_pinned())
        self.assertEqual(pinned.to(DEVICE, non_blocking=True).sum().item(), 300)
        torch.accelerator.empty_host_cache()

    def test_a_storage_grows_with_its_bytes(self) -> None:
        tensor = torch.arange(4, device=DEVICE)
        tensor.untyped_storage().resize_(64)
        tensor.resize_(8)
        self.assertEqual(tensor[:4].cpu().tolist(), [0, 1, 2, 3])

    def test_a_model_learns(self) -> None:
        torch.manual_seed(3)
        host = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        device = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        device.load_state_dict(host.state_dict())
        device.to(DEVICE)
        inputs = torch.randn(16, 4)
        losses = []
        for model, values in ((host, inputs), (device, inputs.to(DEVICE))):
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            for _ in range(10):
                loss = ((model(values) - values.sum(1, keepdim=True)) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
        self.assertAlmostEqual(losses[0], losses[1], places=5)


if __name__ == "__main__":
    unittest.main()
