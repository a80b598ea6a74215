# SPDX-License-Identifier: Apache-2.0
"""Several devices, and what goes wrong with devices: each error is the one that a user of CUDA would see, with the driver's text in it."""
import unittest

import torch
from gate import Gate
from test_package import run


def device(index: int) -> torch.device:
    return torch.device("xhal", index)


def counting(size: int) -> torch.Tensor:
    return torch.arange(size, dtype=torch.int32)


@unittest.skipIf(torch.xhal.device_count() < 2, "the driver has one device")
class Peers(unittest.TestCase):
    def tearDown(self) -> None:
        torch.xhal.set_device(0)
        for index in range(2):
            torch.xhal.synchronize(index)

    def test_contents_of_every_layout_arrive(self) -> None:
        host = counting(3 * 5 * 7).reshape(3, 5, 7)
        first = host.to(device(0))
        for view in (lambda t: t, lambda t: t.permute(2, 0, 1), lambda t: t[:, 1:4, ::3], lambda t: t[0, 0, :1].expand(9), lambda t: t[:0]):
            second = view(first).to(device(1))
            self.assertEqual(second.device, device(1))
            self.assertTrue(torch.equal(second.cpu(), view(host)))
        target = torch.zeros(3, 10, 7, dtype=torch.int64, device=device(1))
        target[:, ::2].copy_(first)
        self.assertTrue(torch.equal(target[:, ::2].cpu(), host.long()))
        self.assertEqual(target[:, 1::2].cpu().abs().sum().item(), 0)

    def test_a_copy_waits_for_the_stream_of_its_source(self) -> None:
        source = torch.zeros(1000, dtype=torch.int32, device=device(0))
        new = counting(1000).pin_memory()
        target = torch.zeros(1000, dtype=torch.int32, device=device(1))
        torch.xhal.synchronize(0)
        torch.xhal.synchronize(1)
        with Gate(torch.xhal.current_stream(0)):
            source.copy_(new, non_blocking=True)
            target.copy_(source, non_blocking=True)
            self.assertFalse(torch.xhal.current_stream(1).query())
        torch.xhal.synchronize(1)
        self.assertTrue(torch.equal(target.cpu(), counting(1000)))

    def test_a_copy_waits_for_the_stream_of_its_target(self) -> None:
        source = counting(1000).to(device(0))
        target = torch.full((1000,), -1, dtype=torch.int32, device=device(1))
        seen = torch.empty(1000, dtype=torch.int32, pin_memory=True)
        torch.xhal.synchronize(0)
        torch.xhal.synchronize(1)
        with Gate(torch.xhal.current_stream(1)):
            # What the target's stream was given before still sees the old contents.
            seen.copy_(target, non_blocking=True)
            target.copy_(source, non_blocking=True)
            self.assertFalse(torch.xhal.current_stream(0).query())
        torch.xhal.synchronize(1)
        self.assertTrue(torch.equal(seen, torch.full((1000,), -1, dtype=torch.int32)))
        self.assertTrue(torch.equal(target.cpu(), counting(1000)))

    def test_what_comes_behind_a_copy_does_not_reach_into_it(self) -> None:
        source = counting(1000).to(device(0))
        target = torch.zeros(1000, dtype=torch.int32, device=device(1))
        other = torch.full((1000,), 9, dtype=torch.int32).pin_memory()
        with Gate(torch.xhal.current_stream(1)):
            target.copy_(source, non_blocking=True)
            source.copy_(other, non_blocking=True)
        torch.xhal.synchronize(0)
        torch.xhal.synchronize(1)
        self.assertTrue(torch.equal(target.cpu(), counting(1000)))
        self.assertTrue(torch.equal(source.cpu(), other))

    def test_memory_that_a_copy_reads_is_not_given_out_before(self) -> None:
        source = counting(1 << 16).to(device(0))
        target = torch.zeros(1 << 16, dtype=torch.int32, device=device(1))
        with Gate(torch.xhal.current_stream(1)):
            target.copy_(source, non_blocking=True)
            del source
            reused = torch.full((1 << 16,), -1, dtype=torch.int32).pin_memory().to(device(0), non_blocking=True)
        torch.xhal.synchronize(1)
        self.assertTrue(torch.equal(target.cpu(), counting(1 << 16)))
        self.assertEqual(reused.cpu().unique().tolist(), [-1])

    def test_memory_is_counted_where_it_lies(self) -> None:
        before = [torch.xhal.memory_allocated(index) for index in range(2)]
        kept = torch.empty(1 << 20, dtype=torch.uint8, device=device(1))
        after = [torch.xhal.memory_allocated(index) for index in range(2)]
        self.assertEqual([a - b for a, b in zip(after, before)], [0, 1 << 20])
        where = {segment["device"] for segment in torch.xhal.memory_snapshot()
                 if segment["address"] <= kept.data_ptr() < segment["address"] + segment["total_size"]}
        self.assertEqual(where, {1})

    def test_a_record_of_another_devices_stream_protects(self) -> None:
        stream = torch.Stream(device(1))
        with Gate(stream):
            block = torch.zeros(1 << 14, device=device(0))
            address = block.data_ptr()
            block.record_stream(stream)
            del block
            self.assertNotEqual(torch.empty(1 << 14, device=device(0)).data_ptr(), address)
        stream.synchronize()
        self.assertEqual(torch.empty(1 << 14, device=device(0)).data_ptr(), address)

    def test_a_stream_waits_for_an_event_of_the_other(self) -> None:
        first, second = torch.Stream(device(0)), torch.Stream(device(1))
        with Gate(first):
            event = first.record_event()
            second.wait_event(event)
            self.assertFalse(second.query())
        second.synchronize()
        self.assertTrue(event.query())

    def test_operands_of_two_devices_are_refused(self) -> None:
        first, second = torch.ones(4, 4, device=device(0)), torch.ones(4, 4, device=device(1))
        calls = (torch.add, torch.mul, torch.minimum, torch.Tensor.add_, torch.lt, torch.mm, torch.matmul, lambda a, b: torch.cat([a, b]),
                 lambda a, b: torch.where(a > 0, a, b), lambda a, b: a.gather(0, b.long()), torch.cdist)
        for call in calls:
            with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
                call(first, second)
        self.assertEqual((first + torch.tensor(1.0)).cpu().sum().item(), 32)

    def test_devices_as_contexts(self) -> None:
        with torch.xhal.device(1):
            self.assertEqual(torch.ones(1, device="xhal").device, device(1))
            with torch.xhal.device_of(torch.ones(1, device=device(0))):
                self.assertEqual(torch.xhal.current_device(), 0)
            with torch.xhal.device_of(torch.ones(1)):
                self.assertEqual(torch.xhal.current_device(), 1)
            stream = torch.xhal.Stream(device=0)
            with torch.xhal.stream(stream):
                self.assertEqual((torch.xhal.current_device(), torch.xhal.current_stream(0)), (0, stream))
            self.assertEqual(torch.xhal.current_device(), 1)
        self.assertEqual(torch.xhal.current_device(), 0)

    def test_peer_access_is_what_the_driver_says(self) -> None:
        answers = {torch.xhal.can_device_access_peer(*pair) for pair in ((0, 1), (1, 0), ("xhal:0", device(1)))}
        self.assertLessEqual(answers, {True, False})


class Errors(unittest.TestCase):
    def test_peers_that_are_not_there(self) -> None:
        self.assertFalse(torch.xhal.can_device_access_peer(0, 0))
        with self.assertRaisesRegex(AssertionError, "Invalid device id: 99"):
            torch.xhal.can_device_access_peer(99, 0)
        with self.assertRaisesRegex(AssertionError, "Invalid peer device id: -2"):
            torch.xhal.can_device_access_peer(0, -2)

    def test_a_wrong_index_says_how_many_there_are(self) -> None:
        there = torch.ones(2, device=device(0))
        for call in (lambda: torch.ones(1, device="xhal:99"), lambda: there.to("xhal:99"), lambda: torch.xhal.synchronize(99),
                     lambda: torch.Stream(device(99)), lambda: torch.Generator(device(99)), lambda: torch.accelerator.current_stream(99)):
            with self.assertRaisesRegex(RuntimeError, "invalid device ordinal: 99"):
                call()

    def test_operands_of_host_and_device_are_refused(self) -> None:
        there = torch.ones(3, 3, device=device(0))
        for call in (lambda: there + torch.ones(3, 3), lambda: torch.ones(3, 3) * there, lambda: there.sub_(torch.ones(3)),
                     lambda: there @ torch.ones(3, 3), lambda: torch.ones(3, 3) @ there, lambda: torch.cat([there, torch.ones(3, 3)]),
                     lambda: torch.cdist(there, torch.ones(3, 3)), lambda: torch.histc(there, out=torch.empty(100)),
                     lambda: torch.index_select(there, 0, torch.tensor([0]))):
            with self.assertRaisesRegex(RuntimeError, "Expected all tensors to be on the same device"):
                call()

    def test_numpy_wants_host_memory(self) -> None:
        there = torch.ones(3, device=device(0))
        message = "can't convert xhal:0 device type tensor to numpy. Use Tensor.cpu\\(\\) to copy the tensor to host memory first"
        with self.assertRaisesRegex(TypeError, message):
            there.numpy()
        with self.assertRaisesRegex(TypeError, message):
            there.__array__()
        self.assertEqual(there.numpy(force=True).tolist(), [1, 1, 1])

    def test_without_a_driver_everything_says_why(self) -> None:
        done = run("import torch\n"
                   "def text(call):\n"
                   " try: return call()\n"
                   " except Exception as error: return f'{type(error).__name__}: {error}'.splitlines()[0][:120]\n"
                   "for call in (lambda: torch.ones(1, device='xhal'), lambda: torch.ones(1).to('xhal'), lambda: torch.xhal.get_device_name(),\n"
                   "             lambda: torch.xhal.synchronize(), lambda: torch.xhal.Stream(), lambda: torch.xhal.get_rng_state(),\n"
                   "             lambda: torch.xhal.init(), lambda: torch.xhal.set_device(0), lambda: torch.empty(3, pin_memory=True),\n"
                   "             lambda: torch.xhal.can_device_access_peer(0, 1)):\n"
                   " print(text(call))\n"
                   "print(torch.xhal.is_available(), torch.xhal.is_initialized(), torch.accelerator.device_count(), torch.xhal.is_bf16_supported())\n"
                   "torch.xhal.manual_seed_all(1); torch.xhal.seed_all(); torch.xhal.seed(); print(torch.xhal.get_rng_state_all())",
                   XHAL_DRIVERS="nothing")
        self.assertEqual(done.returncode, 0, done.stderr)
        *errors, peers, states, random = done.stdout.splitlines()
        self.assertEqual(len(errors), 9)
        for line in errors:
            self.assertRegex(line, "^(RuntimeError|AcceleratorError): .*(No XHAL devices are available|[Cc]annot access accelerator device)")
        self.assertEqual(peers, "AssertionError: Invalid device id: 0")
        self.assertEqual((states, random), ("False False 0 False", "[]"))


if __name__ == "__main__":
    unittest.main()
