# SPDX-License-Identifier: Apache-2.0
"""The profiler: what ran on the device, on which stream, for which operator. Order comes from streams and gates; no test looks at how long
anything took."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from typing import Any, Iterator

import torch
from gate import Gate
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, schedule
from torch_xhal import _C

DEVICE = torch.device("xhal")
BOTH = [ProfilerActivity.CPU, ProfilerActivity.PrivateUse1]
ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")
HAS_ACTIVITY = torch.xhal.is_available() and _C.has_feature(0, "activity")
# Before, PyTorch had no place for a device's profiler.
HAS_KINETO = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 13)
needs_activity = unittest.skipUnless(HAS_ACTIVITY and HAS_KINETO, "PyTorch before 2.13, or a driver without activity records")
needs_builtin = unittest.skipUnless(HAS_ACTIVITY and _C.targets_of(0, "builtin"), "the device has no built-in kernels")


def trace_of(profiler: profile) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        profiler.export_chrome_trace(path)
        with open(path, encoding="utf-8") as file:
            return json.load(file)["traceEvents"]


def on_device(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["ph"] == "X" and event.get("cat") in ON_DEVICE]


def filled(count: int) -> torch.Tensor:
    out = torch.ones(count, device=DEVICE)
    torch.accelerator.synchronize()
    return out


def iota(device: int = 0) -> Any:
    return _C.Kernel(device, "builtin", "", b"xhal", "xhal_iota_f32", "wffq")


def rows(events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for row in {(event["pid"], event["tid"]) for event in events}:
        yield sorted((event for event in events if (event["pid"], event["tid"]) == row), key=lambda event: event["ts"])


@needs_activity
class Profiler(unittest.TestCase):
    def setUp(self) -> None:
        torch.ones(1, device=DEVICE).clone()
        torch.accelerator.synchronize()

    def test_the_activity_has_the_devices_name(self) -> None:
        self.assertIn(ProfilerActivity.PrivateUse1, torch.profiler.supported_activities())

    @needs_builtin
    def test_kernels_have_their_names_streams_and_devices(self) -> None:
        kernels = [iota(index) for index in range(torch.xhal.device_count())]
        sides = [torch.Stream(torch.device("xhal", index)) for index in range(len(kernels))]
        outs = [torch.empty(64, device=torch.device("xhal", index)) for index in range(len(kernels))]
        torch.accelerator.synchronize()
        with profile(activities=BOTH) as profiler:
            for kernel, side, out in zip(kernels, sides, outs):
                with torch.xhal.device(out.device.index), side:
                    for _ in range(3):
                        kernel.launch([1, 1, 1], [64, 1, 1], [out, 1.0, 2.0, 64])
        events = on_device(trace_of(profiler))
        for side in sides:
            found = [event for event in events if (event["pid"], event["tid"]) == (side.device_index, side.stream_id)]
            self.assertEqual([event["name"] for event in found], ["xhal_iota_f32"] * 3)
            self.assertTrue(all(event["args"]["device"] == side.device_index for event in found))

    def test_work_of_a_stream_does_not_overlap(self) -> None:
        source, side = filled(1 << 16), torch.Stream(DEVICE)
        with profile(activities=BOTH) as profiler:
            for _ in range(20):
                source.clone()
                with side:
                    source.clone()
        events = on_device(trace_of(profiler))
        self.assertEqual(len(events), 40)
        self.assertEqual({event["tid"] for event in events}, {0, side.stream_id})
        for row in rows(events):
            for former, later in zip(row, row[1:]):
                # The trace rounds to a nanosecond, in microseconds.
                self.assertLessEqual(former["ts"] + former["dur"], later["ts"] + 0.0015)

    def test_the_operator_the_call_and_the_work_are_linked(self) -> None:
        source = filled(1 << 10)
        with profile(activities=BOTH) as profiler:
            source.clone()
        events = trace_of(profiler)
        (copy,) = on_device(events)
        self.assertEqual((copy["name"], copy["args"]["bytes"]), ("Memcpy DtoD (Device -> Device)", 4 << 10))
        (call,) = [event for event in events if event.get("name") == "xhal_memory_copy"]
        (operator,) = [event for event in events if event.get("name") == "aten::_copy_from"]
        self.assertEqual(copy["args"]["External id"], operator["args"]["External id"])
        self.assertEqual(call["args"]["External id"], operator["args"]["External id"])
        self.assertEqual(call["args"]["correlation"], copy["args"]["correlation"])
        flow = {event["ph"]: event for event in events if event.get("cat") == "ac2g"}
        self.assertEqual(flow["s"]["id"], flow["f"]["id"])
        self.assertEqual((flow["s"]["tid"], flow["f"]["tid"]), (call["tid"], copy["tid"]))

    def test_the_hosts_clock(self) -> None:
        """Work happens after the call that submits it began, and before the wait for it ended: on one clock."""
        source = filled(1 << 10)
        torch.accelerator.synchronize()
        with profile(activities=BOTH) as profiler:
            source.clone()
            torch.accelerator.synchronize()
        events = trace_of(profiler)
        (copy,) = on_device(events)
        call = next(event for event in events if event.get("name") == "xhal_memory_copy")
        wait = next(event for event in events if event.get("name") == "xhal_device_synchronize")
        # The clocks are read within some microseconds of each other.
        self.assertGreaterEqual(copy["ts"], call["ts"] - 50)
        self.assertLessEqual(copy["ts"] + copy["dur"], wait["ts"] + wait["dur"] + 50)

    def test_the_table_has_the_devices_time(self) -> None:
        source = filled(1 << 16)
        with profile(activities=BOTH) as profiler:
            source.clone()
        table = profiler.key_averages().table()
        self.assertIn("Self XHAL", table)
        self.assertIn("Memcpy DtoD", table)
        (event,) = [event for event in profiler.events() if event.name == "aten::_copy_from"]
        self.assertEqual([kernel.name for kernel in event.kernels], ["Memcpy DtoD (Device -> Device)"])
        self.assertGreater(event.device_time_total, 0)
        self.assertTrue(any(event.device_type == DeviceType.PrivateUse1 for event in profiler.events()))

    def test_nothing_is_lost_of_many(self) -> None:
        source, target = filled(8), torch.empty(8, device=DEVICE)
        with profile(activities=BOTH) as profiler:
            for _ in range(5000):
                target.copy_(source)
        events = on_device(trace_of(profiler))
        self.assertEqual(len(events), 5000)
        self.assertEqual(len({event["args"]["correlation"] for event in events}), 5000)

    def test_work_that_is_held_back_is_waited_for(self) -> None:
        """The wait at the end is PyTorch's own, for the current device; the gate opens while it runs."""
        source, side = filled(8), torch.Stream(DEVICE)
        gate = Gate(side)
        try:
            with profile(activities=BOTH) as profiler:
                with side:
                    source.clone()
                self.assertFalse(side.query())
                gate.open()
        finally:
            gate.open()
        self.assertEqual(len(on_device(trace_of(profiler))), 1)

    def test_work_from_before_is_not_of_the_profile(self) -> None:
        source = filled(8)
        source.clone()
        torch.accelerator.synchronize()
        with profile(activities=BOTH) as profiler:
            source.clone()
        source.clone()
        self.assertEqual(len(on_device(trace_of(profiler))), 1)

    def test_again_and_again(self) -> None:
        source = filled(8)
        for count in range(1, 6):
            with profile(activities=BOTH) as profiler:
                for _ in range(count):
                    source.clone()
            self.assertEqual(len(on_device(trace_of(profiler))), count)

    def test_a_schedule(self) -> None:
        source, seen = filled(8), []
        cycle = schedule(wait=1, warmup=1, active=2, repeat=3)
        with profile(activities=BOTH, schedule=cycle, on_trace_ready=lambda of: seen.append(len(on_device(trace_of(of))))) as profiler:
            for step in range(12):
                for _ in range(step + 1):
                    source.clone()
                # What runs late is of the step that it runs in.
                torch.accelerator.synchronize()
                profiler.step()
        self.assertEqual(seen, [3 + 4, 7 + 8, 11 + 12])

    def test_a_device_that_is_used_first_within_the_profile(self) -> None:
        if torch.xhal.device_count() < 2:
            self.skipTest("there is one device")
        script = (
            "import torch\n"
            "from torch.profiler import profile, ProfilerActivity as A\n"
            "torch.ones(1, device='xhal:0')\n"
            "with profile(activities=[A.CPU, A.PrivateUse1]) as p:\n"
            "    print('open', torch.xhal._C.is_active(1))\n"
            "    torch.ones(1, device='xhal:1').clone()\n"
            "print(sorted({e.device_index for e in p.events() if e.device_type == torch.autograd.DeviceType.PrivateUse1}))\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.split("\n")[:2], ["open False", "[1]"])

    def test_memory(self) -> None:
        with profile(activities=BOTH, profile_memory=True) as profiler:
            block = torch.empty(1 << 18, device=DEVICE)
            del block
        changes = [event for event in trace_of(profiler) if event.get("name") == "[memory]"]
        changes = [event["args"] for event in changes if event["args"]["Device Type"] == 20]
        self.assertEqual([change["Bytes"] for change in changes], [1 << 20, -(1 << 20)])
        self.assertEqual(changes[0]["Total Allocated"] - changes[1]["Total Allocated"], 1 << 20)
        self.assertEqual(changes[0]["Total Reserved"], changes[1]["Total Reserved"])
        self.assertEqual({change["Device Id"] for change in changes}, {0})

    def test_a_profile_of_the_host_alone_leaves_the_device_alone(self) -> None:
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            torch.ones(8, device=DEVICE).clone()
        events = trace_of(profiler)
        self.assertEqual(on_device(events), [])
        self.assertTrue(any(event.get("name") == "aten::clone" for event in events))

    def test_the_backward_pass(self) -> None:
        """Its operators run on a thread of autograd's."""
        weight = torch.ones(8, device=DEVICE, requires_grad=True)
        loss = weight.clone().sum()
        with profile(activities=BOTH) as profiler:
            loss.backward()
        events = trace_of(profiler)
        calls = [event for event in events if event.get("cat") == "privateuse1_runtime" and event["name"] != "xhal_device_synchronize"]
        self.assertTrue(any(event["tid"] != os.getpid() and "External id" in event["args"] for event in calls))


class OlderProfiler(unittest.TestCase):
    def test_operators_are_timed_by_events(self) -> None:
        source = filled(1 << 16)
        with torch.autograd.profiler.profile(use_device="xhal", use_kineto=False) as profiler:
            source.clone()
        (event,) = [event for event in profiler.function_events if event.name == "aten::clone"]
        self.assertGreater(event.device_time_total, 0)


class WithoutActivity(unittest.TestCase):
    @unittest.skipIf(HAS_ACTIVITY or not HAS_KINETO, "the driver has activity records, or PyTorch before 2.13")
    def test_the_hosts_part_is_there_and_the_feature_is_named(self) -> None:
        script = (
            "import torch\n"
            "from torch.profiler import profile, ProfilerActivity as A\n"
            "for _ in range(2):\n"
            "    with profile(activities=[A.CPU, A.PrivateUse1]) as p:\n"
            "        torch.ones(8, device='xhal').clone()\n"
            "print(any(e.name == 'aten::clone' for e in p.events()), any(e.name == 'xhal_memory_copy' for e in p.events()))\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "True True")
        self.assertEqual(done.stderr.count("xhal's feature 'activity'"), 1)


if __name__ == "__main__":
    unittest.main()
