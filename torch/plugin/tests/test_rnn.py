# SPDX-License-Identifier: Apache-2.0
"""Recurrent networks: results and gradients are the host's."""
from __future__ import annotations

import copy
import unittest
import warnings
from typing import Any

import torch
from test_operators import DEVICE, Native
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch_xhal import _C


def leaves(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [leaf for part in value or () for leaf in leaves(part)]


class Recurrent(Native):
    def tearDown(self) -> None:
        # PyTorch puts the steps of a network together with cat, which is of another family.
        self.assertLessEqual(set(_C.fallback_counts()), {"aten::cat", "aten::cat.out"})

    def trains_alike(self, module: nn.Module, *inputs: Any, tolerance: float = 1e-5) -> None:
        """Outputs, and gradients of inputs and weights, for a sum in which each output counts differently."""
        there = copy.deepcopy(module).to(DEVICE)
        gradients = []
        for network, device in ((module, "cpu"), (there, DEVICE)):
            given = [
                tuple(part.detach().clone().to(device).requires_grad_() for part in value) if isinstance(value, tuple)
                else value.detach().clone().to(device).requires_grad_() for value in inputs
            ]  # fmt: skip
            outputs = leaves(network(*given))
            sum((output.float().sin() * (number + 1)).sum() for number, output in enumerate(outputs)).backward()
            gradients.append([*outputs, *(leaf.grad for leaf in leaves(given)), *(weight.grad for weight in network.parameters())])
        for host, found in zip(*gradients):
            torch.testing.assert_close(found.detach().cpu(), host.detach(), rtol=tolerance, atol=tolerance)

    def test_networks(self) -> None:
        x = torch.randn(7, 3, 5)
        for kind in (nn.LSTM, nn.GRU, nn.RNN):
            for options in ({}, {"num_layers": 2, "bidirectional": True}, {"bias": False}, {"batch_first": True}):
                with self.subTest(kind=kind.__name__, options=options):
                    self.trains_alike(kind(5, 6, **options), x)
        self.trains_alike(nn.RNN(5, 6, nonlinearity="relu"), x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the host tells how it computes it
            self.trains_alike(nn.LSTM(5, 70, proj_size=4), x)
        state = torch.randn(2, 3, 6), torch.randn(2, 3, 6)
        self.trains_alike(nn.LSTM(5, 6, 2), x, state)
        self.trains_alike(nn.GRU(5, 6, 2), x, state[0])
        self.trains_alike(nn.LSTM(5, 300), x)
        self.trains_alike(nn.LSTM(5, 6), x[:, 0])

    def test_cells(self) -> None:
        x, state, cell = torch.randn(9, 5), torch.randn(9, 6), torch.randn(9, 6)
        for options in ({}, {"bias": False}):
            self.trains_alike(nn.LSTMCell(5, 6, **options), x)
            self.trains_alike(nn.LSTMCell(5, 6, **options), x, (state, cell))
            self.trains_alike(nn.GRUCell(5, 6, **options), x, state)
            self.trains_alike(nn.RNNCell(5, 6, **options), x, state)
        self.trains_alike(nn.LSTMCell(5, 6), x[0], (state[0], cell[0]))
        self.trains_alike(nn.GRUCell(5, 6), x[:0], state[:0])
        self.trains_alike(nn.LSTMCell(5, 6), x[:0], (state[:0], cell[:0]))

    def test_types(self) -> None:
        x, state, cell = torch.randn(4, 5), torch.randn(4, 6), torch.randn(4, 6)
        for dtype, tolerance in ((torch.float64, 1e-7), (torch.float16, 8e-3), (torch.bfloat16, 6e-2)):
            with self.subTest(dtype=dtype):
                self.trains_alike(nn.LSTMCell(5, 6).to(dtype), x.to(dtype), (state.to(dtype), cell.to(dtype)), tolerance=tolerance)
                self.trains_alike(nn.GRUCell(5, 6).to(dtype), x.to(dtype), state.to(dtype), tolerance=tolerance)
        self.trains_alike(nn.LSTM(5, 6).double(), torch.randn(3, 2, 5).double(), tolerance=1e-7)

    def test_sequences_of_different_lengths(self) -> None:
        lengths = torch.tensor([5, 2, 4])

        class Packs(nn.Module):
            def __init__(self, network: nn.Module) -> None:
                super().__init__()
                self.network = network

            def forward(self, x: torch.Tensor) -> Any:
                packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
                assert isinstance(packed, PackedSequence)
                outputs, state = self.network(packed)
                return pad_packed_sequence(outputs, batch_first=True)[0], state

        x = torch.randn(3, 5, 4)
        for network in (nn.LSTM(4, 6), nn.GRU(4, 6, 2, bidirectional=True), nn.LSTM(4, 6, bidirectional=True), nn.RNN(4, 6)):
            with self.subTest(network=str(network)):
                self.trains_alike(Packs(network), x)
        # What packs sequences is made of operators of other families.
        _C.reset_fallback_counts()

    def test_states_that_do_not_lie_densely(self) -> None:
        gates, wide, state = torch.randn(24, 9), torch.randn(9, 48), torch.randn(6, 9)
        for name, count in (("_thnn_fused_lstm_cell", 4), ("_thnn_fused_gru_cell", 3)):
            views = [value.to(DEVICE) for value in (gates, wide, state)]
            run = getattr(torch.ops.aten, name)
            views = [views[0].t()[:, : 6 * count], views[1][:, ::2][:, : 6 * count], views[2].t()]
            for found, expected in zip(run(*views), run(*(view.contiguous() for view in views))):
                self.assertTrue(torch.equal(found.cpu(), expected.cpu()))

    def test_gradients_of_gradients(self) -> None:
        slopes = []
        for kind in (nn.LSTMCell, nn.GRUCell):
            module = kind(3, 4)
            x = torch.randn(2, 3)
            for device in ("cpu", DEVICE):
                network, given = copy.deepcopy(module).to(device), x.clone().to(device).requires_grad_()
                output = leaves(network(given))[0]
                (slope,) = torch.autograd.grad(output.sin().sum(), given, create_graph=True)
                slope.pow(2).sum().backward()
                slopes.append((given.grad.cpu(), network.weight_ih.grad.cpu()))
            for found, expected in zip(slopes[-1], slopes[-2]):
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)

    def test_dropout_between_layers(self) -> None:
        network = nn.LSTM(4, 5, 2, dropout=0.5).to(DEVICE)
        x = torch.ones(3, 2, 4, device=DEVICE)
        first, second = network(x)[0].cpu(), network(x)[0].cpu()
        self.assertFalse(torch.equal(first, second))
        network.eval()
        self.assertTrue(torch.equal(network(x)[0].cpu(), network(x)[0].cpu()))

    def test_what_does_not_fit_is_refused(self) -> None:
        gates, state = torch.ones(2, 8, device=DEVICE), torch.ones(2, 2, device=DEVICE)
        lstm = torch.ops.aten._thnn_fused_lstm_cell
        for call, message in (
            (lambda: lstm(gates, gates[:, :4], state), "Expected tensor for argument #1 'input_gates' to have same size"),
            (lambda: lstm(gates, gates, state[:, :1]), "to have 4 elements"),
            (lambda: lstm(gates, gates, state[0]), "2-dimensional tensor"),
            (lambda: lstm(gates, gates, state.double()), "expected scalar type Double but found Float"),
            (lambda: lstm(gates, gates.cpu(), state), "at least two devices"),
            (lambda: lstm(gates.int(), gates.int(), state.int()), "not implemented for 'Int'"),
            (lambda: nn.LSTM(3, 4).to(DEVICE)(torch.ones(2, 1, 3)), "same device|at least two devices"),
        ):
            with self.subTest(message=message), self.assertRaisesRegex((RuntimeError, NotImplementedError), message):
                call()


class Training(Native):
    tearDown = Recurrent.tearDown

    def test_a_network_learns_as_on_the_host(self) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.lstm = nn.LSTM(6, 20, 2, batch_first=True)
                self.dropout = nn.Dropout(0.0)
                self.out = nn.Linear(20, 3)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.out(self.dropout(self.lstm(x)[0][:, -1]))

        host = Net()
        x, y = torch.randn(8, 5, 6), torch.randn(8, 3)
        losses = []
        for device in ("cpu", DEVICE):
            network = copy.deepcopy(host).to(device)
            steps = torch.optim.Adam(network.parameters(), lr=0.02, fused=True)
            losses.append([])
            for _ in range(5):
                steps.zero_grad()
                loss = nn.functional.mse_loss(network(x.to(device)), y.to(device))
                loss.backward()
                steps.step()
                losses[-1].append(loss.item())
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-5)
        self.assertLess(losses[1][-1], losses[1][0])


if __name__ == "__main__":
    unittest.main()
