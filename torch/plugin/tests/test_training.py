# SPDX-License-Identifier: Apache-2.0
"""Whole models train to the losses of the CPU, and no operator of theirs runs on the host."""
from __future__ import annotations

import copy
import unittest
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch_xhal import _C

from test_operators import DEVICE

STEPS = 6
Optimizer = Callable[[Any], torch.optim.Optimizer]


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrent = kind(8, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 4)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(value)[0][:, -1])


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        batch, length, width = value.shape
        query, key, content = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2) for part in self.attention(self.first(value)).split(width, dim=2)
        )
        mixed = F.scaled_dot_product_attention(query, key, content, is_causal=True)
        value = value + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return value + self.down(F.gelu(self.up(self.second(value))))


class LanguageModel(nn.Module):
    def __init__(self, words: int = 50, width: int = 32, length: int = 16) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, 4) for _ in range(4))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        value = self.words(text) + self.places(torch.arange(text.shape[1], device=text.device))
        for block in self.blocks:
            value = block(value)
        return self.head(self.norm(value)).flatten(0, 1)


class Training(unittest.TestCase):
    def trained(self, model: nn.Module, device: str, optimizer: Optimizer, value: torch.Tensor, target: torch.Tensor) -> list[float]:
        model = copy.deepcopy(model).to(device)
        steps = optimizer(model.parameters())
        value, target = value.to(device), target.to(device)
        losses = []
        for _ in range(STEPS):
            steps.zero_grad()
            loss = F.cross_entropy(model(value), target)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            steps.step()
            losses.append(loss.detach())
        return [loss.item() for loss in losses]

    def check(self, model: nn.Module, value: torch.Tensor, target: torch.Tensor) -> None:
        optimizers: dict[str, Optimizer] = {
            "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-3),
            "Adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
            "Adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, fused=True),
            "AdamW, foreach": lambda parameters: torch.optim.AdamW(parameters, lr=1e-2, foreach=True),
        }
        for name, optimizer in optimizers.items():
            with self.subTest(optimizer=name):
                expected = self.trained(model, "cpu", optimizer, value, target)
                _C.reset_fallback_counts()
                found = self.trained(model, DEVICE, optimizer, value, target)
                self.assertEqual(_C.fallback_counts(), {})
                self.assertLess(expected[-1], expected[0])
                torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=2e-3, atol=1e-4)

    def setUp(self) -> None:
        torch.manual_seed(7)

    def test_a_perceptron(self) -> None:
        model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 5))
        self.check(model, torch.randn(32, 20), torch.randint(0, 5, (32,)))

    def test_a_convolutional_network(self) -> None:
        model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, groups=2, bias=False),
                              nn.GroupNorm(4, 16), nn.SiLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 5))  # fmt: skip
        self.check(model, torch.randn(8, 3, 16, 16), torch.randint(0, 5, (8,)))

    def test_recurrent_networks(self) -> None:
        for kind in (nn.LSTM, nn.GRU, nn.RNN):
            with self.subTest(kind=kind.__name__):
                self.check(Recurrent(kind), torch.randn(6, 10, 8), torch.randint(0, 4, (6,)))

    def test_a_small_language_model(self) -> None:
        text = torch.randint(0, 50, (4, 17))
        self.check(LanguageModel(), text[:, :-1], text[:, 1:].flatten())


if __name__ == "__main__":
    unittest.main()
