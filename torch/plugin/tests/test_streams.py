# SPDX-License-Identifier: Apache-2.0
"""Streams, events and what protects memory between them, seen by gates: nothing here depends on how long anything takes."""
import unittest

import torch
from gate import Gate

DEVICE = torch.device("xhal")


class Streams(unittest.TestCase):
    def tearDown(self) -> None:
        torch.accelerator.synchronize()

    def test_query_is_honest(self) -> None:
        stream, event = torch.Stream(DEVICE), torch.Event(DEVICE)
        self.assertTrue(stream.query())
        with Gate(stream):
            event.record(stream)
            self.assertFalse(stream.query())
            self.assertFalse(event.query())
        stream.synchronize()
        self.assertTrue(stream.query())
        self.assertTrue(event.query())

    def test_a_held_stream_holds_no_other(self) -> None:
        held, free = torch.Stream(DEVICE), torch.Stream(DEVICE)
        with Gate(held):
            with free:
                self.assertEqual(torch.ones(4, device=DEVICE).cpu().sum().item(), 4)
            self.assertFalse(held.query())

    def test_a_wait_binds_the_record_before_it(self) -> None:
        first, second = torch.Stream(DEVICE), torch.Stream(DEVICE)
        event = torch.Event(DEVICE)
        event.record(first)
        first.synchronize()
        second.wait_event(event)
        with Gate(first):
            event.record(first)
            second.synchronize()
            self.assertTrue(second.query())
            second.wait_event(event)
            self.assertFalse(second.query())

    def test_the_work_behind_a_gate_has_not_happened(self) -> None:
        stream = torch.Stream(DEVICE)
        source = torch.full((1 << 10,), 7.0).pin_memory()
        target = torch.zeros(1 << 10, device=DEVICE)
        seen = torch.empty(1 << 10, pin_memory=True)
        with Gate(stream):
            with stream:
                target.copy_(source, non_blocking=True)
            seen.copy_(target)
            self.assertEqual(seen.sum().item(), 0)
        stream.synchronize()
        self.assertEqual(target.sum().item(), 7 << 10)

    def test_record_stream_protects(self) -> None:
        stream = torch.Stream(DEVICE)
        with Gate(stream):
            block = torch.zeros(1 << 12, device=DEVICE)
            address = block.data_ptr()
            block.record_stream(stream)
            del block
            self.assertNotEqual(torch.empty(1 << 12, device=DEVICE).data_ptr(), address)
        stream.synchronize()
        self.assertEqual(torch.empty(1 << 12, device=DEVICE).data_ptr(), address)

    def test_what_is_not_recorded_is_used_again(self) -> None:
        block = torch.zeros(1 << 13, device=DEVICE)
        address = block.data_ptr()
        del block
        self.assertEqual(torch.empty(1 << 13, device=DEVICE).data_ptr(), address)

    def test_streams_are_found_again_by_their_numbers(self) -> None:
        stream = torch.Stream(DEVICE)
        again = torch.Stream(stream_id=stream.stream_id, device_index=stream.device_index, device_type=stream.device_type)
        with Gate(again):
            self.assertFalse(stream.query())
        with self.assertRaisesRegex(ValueError, "there is no XHAL stream with the id 4000"):
            torch.Stream(stream_id=4000, device_index=0, device_type=stream.device_type).query()

    def test_the_current_stream_is_the_threads_own(self) -> None:
        stream = torch.Stream(DEVICE)
        with stream:
            self.assertEqual(torch.accelerator.current_stream(), stream)
        self.assertEqual(torch.accelerator.current_stream(), torch.xhal.default_stream())

    def test_elapsed_time(self) -> None:
        start, end = torch.Event(DEVICE, enable_timing=True), torch.Event(DEVICE, enable_timing=True)
        stream = torch.Stream(DEVICE)
        with Gate(stream):
            start.record(stream)
            end.record(stream)
            with self.assertRaisesRegex(RuntimeError, "must be completed"):
                start.elapsed_time(end)
        end.synchronize()
        self.assertGreaterEqual(start.elapsed_time(end), 0)


if __name__ == "__main__":
    unittest.main()
