# SPDX-License-Identifier: Apache-2.0
"""Bags of embeddings: values and gradients as the host's, none of it there."""
from __future__ import annotations

import unittest
from typing import Any

import torch
import torch.nn.functional as F
from test_operators import DEVICE, FLOATS
from test_pooling import ATEN, Pooling

INDICES = torch.tensor([1, 2, 6, 2, 0, 5, 2, 2, 1])
OFFSETS = torch.tensor([0, 2, 2, 7])


class Bags(Pooling):
    def bag(self, weight: torch.Tensor, indices: torch.Tensor = INDICES, offsets: torch.Tensor | None = OFFSETS, **options: Any) -> None:
        def run(table: torch.Tensor, *factors: torch.Tensor) -> torch.Tensor:
            given = {"per_sample_weights": factors[0]} if factors else {}
            return F.embedding_bag(indices.to(table.device), table, None if offsets is None else offsets.to(table.device), **given, **options)

        factors = options.pop("factors", None)
        inputs = (weight,) if factors is None else (weight, factors)
        self.compare(run, *inputs, gradients=True)
        self.compare(run, *inputs)

    def test_modes_types_and_layouts(self) -> None:
        table = torch.randn(7, 33)
        for mode in ("sum", "mean", "max"):
            for weight in (*(table.to(dtype) for dtype in FLOATS), table[:, ::2], torch.randn(33, 7).t()):
                with self.subTest(mode=mode, dtype=weight.dtype, strides=weight.stride()):
                    self.bag(weight, mode=mode)
                    self.bag(weight, mode=mode, padding_idx=2)
            for index in (torch.int32, torch.int64):
                self.bag(table, INDICES.to(index), OFFSETS, mode=mode)
            self.bag(table, mode=mode, padding_idx=-7)
            self.bag(table, INDICES.repeat(40).view(-1, 4), None, mode=mode)
            self.bag(table, INDICES, torch.tensor([0, 0, 3, 9, 9]), mode=mode, include_last_offset=True)
            self.bag(table, INDICES[:0], OFFSETS[:1], mode=mode)
            self.bag(table, torch.full((4,), 2), torch.tensor([0, 2]), mode=mode, padding_idx=2)
            self.bag(table, INDICES[:0], OFFSETS[:0], mode=mode)

    def test_factors(self) -> None:
        for dtype in FLOATS:
            table, factors = torch.randn(7, 20).to(dtype), torch.randn(9).to(dtype)
            self.bag(table, mode="sum", factors=factors)
            self.bag(table, mode="sum", factors=factors, padding_idx=2)

    def test_gradients_by_frequency(self) -> None:
        # The host takes another row's frequency for some rows, so that what is compared with are embeddings that are added up.
        bags = torch.tensor([0, 0, 2, 2, 2, 2, 2, 3, 3])
        table = torch.randn(7, 20)
        host, device = table.clone().requires_grad_(), table.to(DEVICE).requires_grad_()
        rows = F.embedding(INDICES, host, scale_grad_by_freq=True)
        torch.zeros(4, 20).index_add(0, bags, rows).square().sum().backward()
        found = F.embedding_bag(INDICES.to(DEVICE), device, OFFSETS.to(DEVICE), mode="sum", scale_grad_by_freq=True)
        found.square().sum().backward()
        torch.testing.assert_close(device.grad.cpu(), host.grad)

    def test_wide_tables(self) -> None:
        indices = torch.randint(0, 50, (3000,))
        for mode in ("sum", "mean", "max"):
            self.bag(torch.randn(50, 1500), indices, torch.arange(0, 3000, 7), mode=mode)

    def test_largest_values_that_are_equal_or_not_a_number(self) -> None:
        table = torch.tensor([[1.0, float("nan")], [1.0, 2.0], [0.0, float("nan")], [-1.0, 5.0]])
        self.bag(table, torch.tensor([1, 0, 3, 2, 3, 1]), torch.tensor([0, 3]), mode="max")

    def test_what_the_operator_gives_beside_the_values(self) -> None:
        table = torch.randn(7, 3)
        for operator in (ATEN._embedding_bag, ATEN._embedding_bag_forward_only):
            for mode in (1, 2):
                for padding in (-1, 2):
                    self.compare(lambda w, i, o: operator(w, i, o, False, mode, False, None, False, padding), table, INDICES, OFFSETS)
            self.compare(lambda w, i, o: operator(w, i, o, False, 0, False, None, True)[2], table, INDICES, OFFSETS)

    def test_a_module_is_trained(self) -> None:
        torch.manual_seed(1)
        host = torch.nn.EmbeddingBag(7, 5, mode="mean", padding_idx=0)
        device = torch.nn.EmbeddingBag(7, 5, mode="mean", padding_idx=0)
        device.load_state_dict(host.state_dict())
        device.to(DEVICE)
        for module, place in ((host, "cpu"), (device, DEVICE)):
            optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
            for _ in range(3):
                optimizer.zero_grad()
                module(INDICES.to(place), OFFSETS.to(place)).square().sum().backward()
                optimizer.step()
        torch.testing.assert_close(device.weight.cpu(), host.weight)

    def test_an_index_that_names_no_row_stands_for_zeros(self) -> None:
        table = torch.ones(3, 2, device=DEVICE).requires_grad_()
        indices, offsets = torch.tensor([0, 3, -4, 2**40], device=DEVICE), torch.tensor([0, 1], device=DEVICE)
        for mode in ("sum", "mean", "max"):
            found = F.embedding_bag(indices, table, offsets, mode=mode)
            self.assertEqual(found.tolist(), [[1, 1], [0, 0]])
            table.grad = None
            found.sum().backward()
            self.assertEqual(table.grad.tolist()[1:], [[0, 0], [0, 0]])
        # Nor are offsets beyond the indices followed.
        found = F.embedding_bag(indices[:1], table, torch.tensor([0, 1000000, -5], device=DEVICE))
        self.assertEqual(found.shape, (3, 2))

    def test_what_is_wrong_is_said_as_on_the_host(self) -> None:
        bag, table = ATEN._embedding_bag, torch.randn(7, 3)
        self.message(bag, table, INDICES.view(1, 9, 1), OFFSETS)
        self.message(bag, table, INDICES, OFFSETS.view(1, 4))
        self.message(lambda *a: bag(*a[:3], False, 1, False, a[3]), table, INDICES, OFFSETS, torch.ones(9))
        self.message(lambda *a: bag(*a[:3], False, 0, False, a[3]), table, INDICES, OFFSETS, torch.ones(8))
        self.message(lambda *a: bag(*a[:3], False, 0, False, a[3]), table, INDICES, OFFSETS, torch.ones(9, 1))
        self.message(lambda *a: bag(*a, False, 3), table, INDICES, OFFSETS)
        self.message(lambda *a: bag(*a, False, 0, False, None, True), table, INDICES, OFFSETS[:0])
        self.message(lambda *a: ATEN._embedding_bag_per_sample_weights_backward(*a, 1), torch.ones(4, 3), table, INDICES, OFFSETS, OFFSETS[:0])
        with self.assertRaisesRegex(RuntimeError, "Expected tensor for argument #1 'weight' to have one of the following scalar types"):
            bag(table.int().to(DEVICE), INDICES.to(DEVICE), OFFSETS.to(DEVICE))
        with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
            bag(table.to(DEVICE), INDICES, OFFSETS)


if __name__ == "__main__":
    unittest.main()
