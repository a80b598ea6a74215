# SPDX-License-Identifier: Apache-2.0
"""What training programs use beside operators: loaders, default devices, checkpoints, transforms of functions."""
import copy
import unittest

import torch
from torch.utils import data
from torch.utils.checkpoint import checkpoint

DEVICE = torch.device("xhal", 0)
two_devices = unittest.skipUnless(torch.xhal.device_count() > 1, "a second device is needed")


class Squares(data.Dataset):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"x": torch.full((3,), float(index)), "y": torch.tensor(index * index)}


class OnDevice(Squares):
    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((3,), float(index), device=DEVICE)


class Loaders(unittest.TestCase):
    def _check(self, loader: data.DataLoader) -> None:
        seen = []
        for batch in loader:
            self.assertTrue(batch["x"].is_pinned() and batch["y"].is_pinned())
            x, y = batch["x"].to(DEVICE, non_blocking=True), batch["y"].to(DEVICE, non_blocking=True)
            self.assertEqual((x[:, 0] * x[:, 1]).long().tolist(), y.tolist())
            seen += y.tolist()
        self.assertEqual(sorted(seen), [index * index for index in range(10)])

    def test_pinned(self) -> None:
        self._check(data.DataLoader(Squares(), batch_size=4, pin_memory=True))

    def test_pinned_by_workers(self) -> None:
        # Forked while the device is in use: workers stay on the host.
        torch.ones(1, device=DEVICE)
        self._check(data.DataLoader(Squares(), batch_size=4, pin_memory=True, num_workers=2, shuffle=True))
        self._check(data.DataLoader(Squares(), batch_size=5, pin_memory=True, num_workers=1, multiprocessing_context="spawn"))

    def test_device_tensors_of_a_data_set(self) -> None:
        self.assertEqual([batch.device for batch in data.DataLoader(OnDevice(), batch_size=5)], [DEVICE] * 2)
        with self.assertRaisesRegex(RuntimeError, "Cannot re-initialize XHAL in forked subprocess"):
            list(data.DataLoader(OnDevice(), batch_size=5, num_workers=1, multiprocessing_context="fork"))


class Defaults(unittest.TestCase):
    def _places(self) -> set[torch.device]:
        made = (
            torch.ones(2), torch.nn.Linear(2, 2).weight, torch.tensor([1]), torch.as_tensor([1.0]), torch.randperm(4), torch.arange(3),
            torch.rand(2), torch.eye(2), torch.linspace(0, 1, 3), torch.empty_like(torch.ones(1)),
        )
        return {value.device for value in made} | {torch.get_default_device()}

    def test_the_default_device(self) -> None:
        self.addCleanup(torch.set_default_device, None)
        torch.set_default_device("xhal")
        self.assertEqual(self._places(), {DEVICE})
        with torch.device("cpu"):
            self.assertEqual(torch.ones(1).device.type, "cpu")
        torch.set_default_device(None)
        self.assertEqual(torch.ones(1).device.type, "cpu")

    @two_devices
    def test_a_device_as_context(self) -> None:
        with torch.device("xhal:1"):
            self.assertEqual(self._places(), {torch.device("xhal:1")})


class Checkpoints(unittest.TestCase):
    def test_gradients_are_those_without(self) -> None:
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(DEVICE)
        x = torch.ones(3, 4, device=DEVICE)
        model(x).square().sum().backward()
        expected = [parameter.grad.clone() for parameter in model.parameters()]
        for reentrant in (False, True):
            model.zero_grad()
            checkpoint(model, x.clone().requires_grad_(), use_reentrant=reentrant).square().sum().backward()
            torch.testing.assert_close([parameter.grad for parameter in model.parameters()], expected)

    def test_random_numbers_are_drawn_again(self) -> None:
        for reentrant in (False, True):
            seen = []

            def dropped(x: torch.Tensor) -> torch.Tensor:
                y = torch.nn.functional.dropout(x, 0.5)
                seen.append(y.detach().tolist())
                return y.square()

            x = torch.ones(64, device=DEVICE, requires_grad=True)
            y = checkpoint(dropped, x, use_reentrant=reentrant)
            torch.rand(5, device=DEVICE)
            y.sum().backward()
            self.assertEqual(len(seen), 2)
            self.assertEqual(seen[0], seen[1])
            # The square of what was kept, 2x, has the gradient 8x.
            torch.testing.assert_close(x.grad.cpu(), torch.tensor(seen[0]) * 4)


class Transforms(unittest.TestCase):
    def setUp(self) -> None:
        self.x = torch.tensor([[0.5, 1.0, -2.0], [3.0, 0.25, 1.5]])

    def _same(self, function, *inputs: torch.Tensor) -> None:
        torch.testing.assert_close(function(*[value.to(DEVICE) for value in inputs]).cpu(), function(*inputs))

    def test_vmap(self) -> None:
        self._same(torch.func.vmap(torch.dot), self.x, self.x)
        self._same(torch.func.vmap(lambda a, b: (a[:, None] @ b[None]).sum(0), in_dims=(0, None)), self.x, self.x[0])

    def test_derivatives(self) -> None:
        def function(x: torch.Tensor) -> torch.Tensor:
            return (x.sin() * x).sum()

        self._same(torch.func.grad(function), self.x)
        self._same(torch.func.vmap(torch.func.grad(function)), self.x)
        self._same(torch.func.jacrev(lambda x: x * x), self.x[0])
        self._same(torch.func.jacfwd(lambda x: x * x), self.x[0])
        self._same(torch.func.hessian(lambda x: (x**3).sum()), self.x[0])
        self._same(lambda x: torch.func.jvp(torch.exp, (x,), (torch.ones_like(x),))[1], self.x)

    def test_random_vmap(self) -> None:
        draw = lambda x: x + torch.rand(8, device=DEVICE)  # noqa: E731
        zeros = torch.zeros(2, 8, device=DEVICE)
        different = torch.func.vmap(draw, randomness="different")(zeros).tolist()
        self.assertNotEqual(*different)
        self.assertEqual(*torch.func.vmap(draw, randomness="same")(zeros).tolist())

    def test_modules(self) -> None:
        model = torch.nn.Linear(3, 2).to(DEVICE)
        x = self.x.to(DEVICE)
        weights = {name: torch.ones_like(value) for name, value in model.named_parameters()}
        torch.testing.assert_close(torch.func.functional_call(model, weights, x).cpu(), self.x.sum(1, keepdim=True).expand(2, 2) + 1)
        models = [torch.nn.Linear(3, 2).to(DEVICE) for _ in range(2)]
        parameters, buffers = torch.func.stack_module_state(models)
        both = torch.func.vmap(lambda p, b: torch.func.functional_call(models[0], (p, b), x))(parameters, buffers)
        torch.testing.assert_close(both, torch.stack([one(x) for one in models]))

    def test_a_deep_copy_is_apart(self) -> None:
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).to(DEVICE)
        twin = copy.deepcopy(model)
        self.assertEqual({value.device for value in twin.state_dict().values()}, {DEVICE})
        before = model(self.x.to(DEVICE)).detach().clone()
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.fill_(0)
        torch.testing.assert_close(model(self.x.to(DEVICE)).detach(), before)
        # Tied weights stay tied.
        tied = torch.nn.ModuleList([torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)]).to(DEVICE)
        tied[1].weight = tied[0].weight
        again = copy.deepcopy(tied)
        self.assertIs(again[0].weight, again[1].weight)


if __name__ == "__main__":
    unittest.main()
