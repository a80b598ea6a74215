# SPDX-License-Identifier: Apache-2.0
"""torch.xhal.memory: statistics, snapshots and their history, read by PyTorch's own visualiser."""
import base64
import io
import os
import pickle
import re
import tempfile
import unittest
from contextlib import redirect_stdout
from itertools import product
from typing import Any

import torch
from gate import Gate
from test_package import run
from torch.cuda import _memory_viz

DEVICE = torch.device("xhal")
MIB = 1 << 20
memory = torch.xhal.memory

ARRAYS = ("allocation", "segment", "active", "inactive_split", "allocated_bytes", "reserved_bytes", "active_bytes", "inactive_split_bytes",
          "requested_bytes")
METRICS = ("current", "peak", "allocated", "freed")
KEYS = {
    *(".".join(parts) for parts in product(ARRAYS, ("all", "small_pool", "large_pool"), METRICS)),
    *(".".join(parts) for parts in product(("oversize_allocations", "oversize_segments"), METRICS)),
    "num_alloc_retries", "num_ooms", "num_oom_rejections", "num_sync_all_streams", "num_device_alloc", "num_device_free", "max_split_size",
}


def block_at(snapshot: dict[str, Any], address: int) -> dict[str, Any]:
    return next(block for segment in snapshot["segments"] for block in segment["blocks"] if block["address"] == address)


def functions_of(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["name"] for frame in frames]


class Case(unittest.TestCase):
    def setUp(self) -> None:
        torch.xhal.synchronize()
        torch.xhal.empty_cache()
        # Memory is used, so that there are figures.
        torch.empty(1, device=DEVICE)

    def tearDown(self) -> None:
        memory._record_memory_history(None)
        torch.xhal.synchronize()
        torch.xhal.empty_cache()


class Statistics(Case):
    def test_the_keys_are_those_of_cuda(self) -> None:
        stats = memory.memory_stats()
        self.assertEqual(set(stats), KEYS)
        self.assertEqual(list(stats), sorted(stats))
        nested = memory.memory_stats_as_nested_dict()
        self.assertEqual(nested["allocation"]["all"]["current"], stats["allocation.all.current"])

    def test_every_figure_of_one_large_block(self) -> None:
        before = memory.memory_stats()
        block = torch.empty(3 * MIB + 5, dtype=torch.uint8, device=DEVICE)
        during = memory.memory_stats()
        rounded = (3 * MIB + 5 + 511) // 512 * 512
        expected = {"allocation": 1, "active": 1, "segment": 1, "allocated_bytes": rounded, "active_bytes": rounded,
                    "requested_bytes": 3 * MIB + 5, "reserved_bytes": 20 * MIB, "inactive_split": 1,
                    "inactive_split_bytes": 20 * MIB - rounded}
        for name, pool, metric in product(expected, ("all", "large_pool"), ("current", "allocated")):
            key = f"{name}.{pool}.{metric}"
            self.assertEqual(during[key] - before[key], expected[name], key)
        for name in expected:
            self.assertEqual(during[f"{name}.small_pool.current"], before[f"{name}.small_pool.current"], name)
        self.assertEqual(during["num_device_alloc"] - before["num_device_alloc"], 1)
        del block
        after = memory.memory_stats()
        for name in ("allocation", "active", "allocated_bytes", "active_bytes", "requested_bytes"):
            self.assertEqual(after[f"{name}.all.freed"] - before[f"{name}.all.freed"], expected[name], name)
            self.assertEqual(after[f"{name}.all.current"], before[f"{name}.all.current"], name)
        self.assertEqual(after["reserved_bytes.all.current"], during["reserved_bytes.all.current"])
        torch.xhal.empty_cache()
        emptied = memory.memory_stats()
        self.assertGreaterEqual(emptied["num_device_free"] - after["num_device_free"], 1)
        self.assertEqual(
            emptied["num_device_free"] - after["num_device_free"], after["segment.all.current"] - emptied["segment.all.current"])

    def test_peaks_and_sums_are_reset_apart(self) -> None:
        start = memory.memory_allocated()
        memory.reset_peak_memory_stats()
        passing = torch.empty(MIB, dtype=torch.uint8, device=DEVICE)
        del passing
        self.assertEqual(memory.max_memory_allocated(), start + MIB)
        self.assertGreaterEqual(memory.max_memory_reserved(), memory.memory_reserved())
        memory.reset_peak_memory_stats()
        self.assertEqual(memory.max_memory_allocated(), start)
        self.assertGreater(memory.memory_stats()["allocation.all.allocated"], 0)
        memory.reset_accumulated_memory_stats()
        stats = memory.memory_stats()
        for name, metric in product(ARRAYS, ("allocated", "freed")):
            self.assertEqual(stats[f"{name}.all.{metric}"], 0)

    def test_the_names_are_the_modules_too(self) -> None:
        for name in memory.__all__:
            self.assertIs(getattr(torch.xhal, name), getattr(memory, name), name)

    def test_without_use_there_are_no_figures_and_no_context(self) -> None:
        done = run("import torch\nm = torch.xhal.memory\n"
                   "print(dict(m.memory_stats()), m.memory_allocated(), m.max_memory_reserved(), m.memory_snapshot(), m._snapshot()['segments'])\n"
                   "m.reset_peak_memory_stats(); m.reset_accumulated_memory_stats(); m.empty_cache(); m.memory_summary()\n"
                   "print(torch.xhal.is_initialized())")
        self.assertEqual((done.returncode, done.stdout), (0, "{} 0 0 [] []\nFalse\n"), done.stderr)

    def test_without_a_driver_there_are_no_figures(self) -> None:
        done = run("import torch\nm = torch.xhal.memory\nprint(dict(m.memory_stats()), m.memory_reserved(), m._snapshot()['device_traces'])\n"
                   "m.empty_cache(); m._record_memory_history(); m._record_memory_history(None); m.host_memory_stats()\n"
                   "try: m.mem_get_info()\nexcept RuntimeError as error: print(str(error).split(':')[0])", XHAL_DRIVERS="nonesuch")
        self.assertEqual((done.returncode, done.stdout), (0, "{} 0 []\nNo XHAL devices are available\n"), done.stderr)

    def test_the_summary_tells_the_figures(self) -> None:
        kept = torch.empty(7 * MIB, dtype=torch.uint8, device=DEVICE)
        lines = memory.memory_summary().splitlines()
        self.assertEqual({len(line) for line in lines}, {len(lines[0])})
        self.assertIn(f"PyTorch XHAL memory summary, device ID {torch.xhal.current_device()}", lines[1])
        allocated = next(line for line in lines if "Allocated memory" in line)
        self.assertRegex(allocated, rf"\|\s+{memory.memory_allocated() // 1024} KiB \|")
        short = memory.memory_summary(abbreviated=True)
        self.assertNotIn("from large pool", short)
        self.assertIn("Requested memory", short)
        del kept

    def test_a_fraction_limits_and_its_error_tells_all(self) -> None:
        self.assertEqual(torch.xhal.get_per_process_memory_fraction(), 1.0)
        free, total = torch.xhal.mem_get_info()
        self.assertTrue(0 < free <= total)
        before = memory.memory_stats()["num_ooms"]
        try:
            torch.xhal.set_per_process_memory_fraction(0.01)
            self.assertEqual(torch.xhal.get_per_process_memory_fraction(), 0.01)
            with self.assertRaisesRegex(torch.OutOfMemoryError, "XHAL out of memory on device 0. Tried to allocate .*The device has a total of .*"
                                        "The allocator may take .*The allocator holds .* is in use, and .* is reserved but not in use"):
                torch.empty(total // 50, dtype=torch.uint8, device=DEVICE)
        finally:
            torch.xhal.set_per_process_memory_fraction(1.0)
        self.assertEqual(memory.memory_stats()["num_ooms"], before + 1)
        for wrong in (0.0, -1.0, 1.5):
            with self.assertRaisesRegex(ValueError, "a memory fraction is above 0 and at most 1"):
                torch.xhal.set_per_process_memory_fraction(wrong)
        with self.assertRaisesRegex(TypeError, "must be `float`"):
            torch.xhal.set_per_process_memory_fraction("all")

    def test_pinned_memory_has_figures_of_its_own(self) -> None:
        # What other tests let go of is counted until somebody looks at its events.
        torch.accelerator.empty_host_cache()
        before = memory.host_memory_stats()
        pinned = torch.empty(5000, dtype=torch.uint8, pin_memory=True)
        during = memory.host_memory_stats()
        self.assertEqual(during["active_requests.current"] - before["active_requests.current"], 1)
        self.assertEqual(during["active_bytes.current"] - before["active_bytes.current"], 8192)
        self.assertEqual(during["host_alloc_time.count"], during["num_host_alloc"])
        del pinned
        self.assertEqual(memory.host_memory_stats()["active_requests.current"], before["active_requests.current"])
        memory.reset_peak_host_memory_stats()
        memory.reset_accumulated_host_memory_stats()
        self.assertEqual(memory.host_memory_stats()["num_host_alloc"], 0)

    def test_memory_without_a_tensor(self) -> None:
        before = memory.memory_allocated()
        address = torch.xhal.caching_allocator_alloc(1000)
        self.assertEqual(memory.memory_allocated(), before + 1024)
        with self.assertRaisesRegex(RuntimeError, "invalid device pointer"):
            torch.xhal.caching_allocator_delete(address + 512)
        torch.xhal.caching_allocator_delete(address)
        self.assertEqual(memory.memory_allocated(), before)
        with self.assertRaisesRegex(RuntimeError, "invalid device pointer"):
            torch.xhal.caching_allocator_delete(address)
        stream = torch.Stream(DEVICE)
        other = torch.xhal.caching_allocator_alloc(1000, stream=stream)
        self.assertIn(stream.stream_id, [segment["stream"] for segment in memory.memory_snapshot()])
        torch.xhal.caching_allocator_delete(other)
        with self.assertRaisesRegex(TypeError, "Invalid type for stream argument"):
            torch.xhal.caching_allocator_alloc(8, stream="fast")

    def test_a_wrong_index_is_told_as_of_other_devices(self) -> None:
        for call in (memory.memory_stats, memory.mem_get_info, memory.reset_peak_memory_stats, memory.memory_summary):
            with self.assertRaisesRegex(RuntimeError, "invalid device ordinal: 99"):
                call(99)
        with self.assertRaisesRegex(ValueError, "Expected a xhal device, but got: cpu"):
            memory.memory_allocated("cpu")


class Snapshots(Case):
    def test_blocks_fill_their_segments_and_segments_the_reserve(self) -> None:
        kept = [torch.empty(size, dtype=torch.uint8, device=DEVICE) for size in (100, 600, 2 * MIB, 30 * MIB)]
        snapshot = memory._snapshot()
        here = [segment for segment in snapshot["segments"] if segment["device"] == torch.xhal.current_device()]
        stats = memory.memory_stats()
        self.assertEqual(sum(segment["total_size"] for segment in here), stats["reserved_bytes.all.current"])
        self.assertEqual(sum(segment["allocated_size"] for segment in here), stats["allocated_bytes.all.current"])
        self.assertEqual(sum(segment["active_size"] for segment in here), stats["active_bytes.all.current"])
        self.assertEqual(sum(segment["requested_size"] for segment in here), stats["requested_bytes.all.current"])
        for segment in here:
            address = segment["address"]
            for block in segment["blocks"]:
                self.assertEqual(block["address"], address)
                address += block["size"]
            self.assertEqual(address, segment["address"] + segment["total_size"])
            self.assertEqual((segment["segment_pool_id"], segment["stream"]), ((0, 0), 0))
        for tensor in kept:
            block = block_at(snapshot, tensor.data_ptr())
            self.assertEqual((block["state"], block["requested_size"]), ("active_allocated", tensor.nbytes))
        kinds = {segment["total_size"]: segment["segment_type"] for segment in here}
        self.assertEqual((kinds[2 * MIB], kinds[30 * MIB]), ("small", "large"))
        self.assertEqual(len(memory.memory_snapshot()), len(snapshot["segments"]))
        self.assertEqual(memory.memory_snapshot((77, 0)), [])

    def test_a_block_that_a_stream_still_uses_awaits_its_free(self) -> None:
        stream = torch.Stream(DEVICE)
        block = torch.empty(2 * MIB, dtype=torch.uint8, device=DEVICE)
        address = block.data_ptr()
        with Gate(stream):
            block.record_stream(stream)
            del block
            self.assertEqual(block_at(memory._snapshot(), address)["state"], "active_awaiting_free")

    def test_the_history_is_what_happened(self) -> None:
        memory._record_memory_history(stacks="python")
        stream = torch.Stream(DEVICE)

        def makes_a_block() -> torch.Tensor:
            return torch.empty(5 * MIB, dtype=torch.uint8, device=DEVICE)

        with stream:
            block = makes_a_block()
        address = block.data_ptr()
        live = block_at(memory._snapshot(), address)
        del block
        torch.xhal.empty_cache()
        trace = memory._snapshot()["device_traces"][torch.xhal.current_device()]
        mine = [entry for entry in trace if entry["action"] != "snapshot" and address <= entry["addr"] < address + 5 * MIB]
        self.assertEqual([entry["action"] for entry in mine], ["segment_alloc", "alloc", "free_requested", "free_completed", "segment_free"])
        self.assertEqual([entry["size"] for entry in mine], [20 * MIB, 5 * MIB, 5 * MIB, 5 * MIB, 20 * MIB])
        self.assertEqual({entry["stream"] for entry in mine}, {stream.stream_id})
        times = [entry["time_us"] for entry in trace]
        self.assertEqual(times, sorted(times))
        for frames in (live["frames"], mine[1]["frames"]):
            self.assertEqual(functions_of(frames)[:2], ["makes_a_block", "test_the_history_is_what_happened"])
            self.assertTrue(frames[0]["filename"].endswith("test_memory.py"))
        self.assertIn("test_the_history_is_what_happened", functions_of(mine[2]["frames"]))

    def test_frames_of_cpp_are_gathered_when_asked_for(self) -> None:
        # Names by the dynamic linker's tables: to read the debugging information of all of PyTorch takes minutes.
        done = run("import torch\nm = torch.xhal.memory\nm._record_memory_history(stacks='all')\n"
                   "block = torch.empty(100, device='xhal')\n"
                   "names = [frame['name'] for frame in m._allocation_traceback(block.data_ptr())]\n"
                   "print(any('at::' in name for name in names), '<module>' in names)", TORCH_SYMBOLIZE_MODE="dladdr")
        self.assertEqual((done.returncode, done.stdout), (0, "True True\n"), done.stderr)

    def test_an_out_of_memory_is_in_the_history(self) -> None:
        memory._record_memory_history(stacks="python")
        with self.assertRaises(torch.OutOfMemoryError):
            torch.empty(1 << 46, device=DEVICE)
        entry = memory._snapshot()["device_traces"][torch.xhal.current_device()][-2]
        self.assertEqual((entry["action"], entry["size"]), ("oom", 1 << 48))
        self.assertGreater(entry["device_free"], 0)
        self.assertNotIn("addr", entry)

    def test_how_much_is_remembered(self) -> None:
        def trace_after(**how: Any) -> list[dict[str, Any]]:
            memory._record_memory_history(stacks="python", clear_history=True, **how)
            block = torch.empty(700, dtype=torch.uint8, device=DEVICE)
            self.frames = block_at(memory._snapshot(), block.data_ptr())["frames"]
            let_go(block.untyped_storage())
            trace = memory._snapshot()["device_traces"][0]
            return [functions_of(entry["frames"])[:1] for entry in trace if entry["action"] in ("alloc", "free_requested")]

        def let_go(storage: torch.UntypedStorage) -> None:
            storage.resize_(0)

        # A free without a stack of its own shows the allocation's, as of CUDA.
        self.assertEqual(trace_after(), [["trace_after"], ["let_go"]])
        self.assertEqual(trace_after(context="alloc"), [["trace_after"], ["trace_after"]])
        self.assertEqual((trace_after(context="state"), functions_of(self.frames)[0]), ([[], []], "trace_after"))
        self.assertEqual((trace_after(context=None), self.frames), ([[], []], []))
        self.assertEqual((trace_after(enabled="state"), functions_of(self.frames)[0]), ([], "trace_after"))
        trace_after(max_entries=3)
        self.assertEqual(len(memory._snapshot()["device_traces"][0]), 3)
        memory._record_memory_history(None)
        self.assertEqual(memory._snapshot()["device_traces"][0], [])

    def test_recording_holds_for_devices_that_are_used_later(self) -> None:
        done = run("import torch\nm = torch.xhal.memory\nm._record_memory_history(stacks='python')\n"
                   "was_open = torch.xhal.is_initialized()\nblock = torch.ones(100, device='xhal')\n"
                   "print(was_open, [frame['name'] for frame in m._allocation_traceback(block.data_ptr())])\n"
                   "m._record_memory_history(None)\nprint(m._allocation_traceback(torch.empty(9, device='xhal').data_ptr()))")
        self.assertEqual((done.returncode, done.stdout), (0, "False ['<module>']\nNone\n"), done.stderr)

    def test_what_is_not_known_is_refused(self) -> None:
        for wrong in ({"enabled": "some"}, {"context": "free"}, {"stacks": "cpp"}, {"max_entries": -1}):
            with self.assertRaisesRegex(ValueError, "expected|at least"):
                memory._record_memory_history(**wrong)
        for absent in ({"compile_context": True}, {"global_record_annotations": True}, {"skip_actions": ["alloc"]}):
            with self.assertRaisesRegex(NotImplementedError, next(iter(absent))):
                memory._record_memory_history(**absent)


class Visualiser(Case):
    def setUp(self) -> None:
        super().setUp()
        memory._record_memory_history(stacks="python")
        self.before = memory._snapshot()
        self.kept = [torch.empty(size, dtype=torch.uint8, device=DEVICE) for size in (900, 3 * MIB, 30 * MIB)]
        passing = torch.empty(4 * MIB, dtype=torch.uint8, device=DEVICE)
        del passing
        self.after = memory._snapshot()

    def test_flame_graphs(self) -> None:
        def lines_of(text: str) -> dict[str, int]:
            return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in text.splitlines()}

        def plain(text: str) -> str:
            return text

        total = sum(segment["total_size"] for segment in self.after["segments"])
        for function in (_memory_viz.segments, _memory_viz.memory):
            text = function(self.after, format_flamegraph=plain)
            self.assertEqual(sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()), total)
            self.assertTrue(any("test_memory.py" in line and "setUp" in line for line in lines_of(text)))
        with redirect_stdout(io.StringIO()):
            text = _memory_viz.compare(self.before["segments"], self.after["segments"], format_flamegraph=plain)
        self.assertIn("only_after;stream_0;seg_", text)

    def test_tables(self) -> None:
        text = _memory_viz.segsum(self.after)
        self.assertIn(f"segments: {len(self.after['segments'])}", text)
        allocated = _memory_viz.Bytes(sum(segment["requested_size"] for segment in self.after["segments"]))
        self.assertIn(f"total_allocated: {allocated}", text)
        text = _memory_viz.trace(self.after)
        self.assertRegex(text, r"(\w+) = cudaMalloc\(\d+, 30.0MiB\)\n\w+ = \1\[0:30.0MiB\]")
        self.assertRegex(text, r"del (\w+) # 4.0MiB\n# free completed for \1 4.0MiB")

    def test_plots_carry_the_snapshot(self) -> None:
        for text in (_memory_viz.trace_plot(self.after), _memory_viz.trace_plot(self.after, plot_segments=True),
                     _memory_viz.trace_plot(self.after, filter_freed=True), _memory_viz.segment_plot(self.after)):
            carried = re.search(r'"base64": "?([A-Za-z0-9+/=]+)', text)
            self.assertIsNotNone(carried)
            self.assertEqual(pickle.loads(base64.b64decode(carried[1]))["segments"], self.after["segments"])

    def test_a_dump_is_read_back(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "memory.pickle")
            memory._dump_snapshot(name)
            with open(name, "rb") as file:
                read = pickle.load(file)
        self.assertEqual(read["segments"], memory._snapshot()["segments"])
        self.assertEqual(set(read), {"segments", "device_traces", "allocator_settings", "external_annotations"})
        self.assertEqual(read["allocator_settings"]["max_split_size"], -1)
        self.assertFalse(read["allocator_settings"]["expandable_segments"])


if __name__ == "__main__":
    unittest.main()
