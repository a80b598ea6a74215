# SPDX-License-Identifier: Apache-2.0
"""torch.xhal's further names, and all of torch.accelerator: a name that PyTorch adds and no test here uses fails."""
import unittest

import torch
from gate import Gate
from test_package import run

DEVICE = torch.device("xhal")


def has_graphs() -> bool:
    return hasattr(torch.accelerator, "Graph")


class Accelerator(unittest.TestCase):
    """Each test says in `names` what it exercises."""

    # Modules, types of annotations and helpers that the namespace happens to show.
    NOT_INTERFACE = {"Any", "cache", "deprecated", "graphs", "memory", "torch"}
    # test_graphs.py's.
    OF_OTHER_TESTS = {"Graph"}
    exercised: dict[str, set[str]] = {
        "test_there_is_one": {"is_available", "device_count", "current_accelerator"},
        "test_the_current_device": {"current_device_index", "current_device_idx", "set_device_index", "set_device_idx", "device_index"},
        "test_capability": {"get_device_capability"},
        "test_streams": {"current_stream", "set_stream", "synchronize"},
        "test_memory": {"empty_cache", "empty_host_cache", "memory_stats", "memory_allocated", "max_memory_allocated", "memory_reserved",
                        "max_memory_reserved", "reset_accumulated_memory_stats", "reset_peak_memory_stats", "get_memory_info"},
    }

    def tearDown(self) -> None:
        torch.xhal.set_device(0)

    def test_every_name_is_exercised(self) -> None:
        names = {name for name in dir(torch.accelerator) if not name.startswith("_")} - self.NOT_INTERFACE - self.OF_OTHER_TESTS
        self.assertEqual(names - set().union(*self.exercised.values()), set())
        for test, of_test in self.exercised.items():
            code = getattr(type(self), test).__code__
            used = set(code.co_names) | {name for inner in code.co_consts if hasattr(inner, "co_names") for name in inner.co_names}
            self.assertEqual(of_test - used, set(), test)

    def test_there_is_one(self) -> None:
        self.assertTrue(torch.accelerator.is_available())
        self.assertEqual(torch.accelerator.device_count(), torch.xhal.device_count())
        self.assertEqual(torch.accelerator.current_accelerator(check_available=True), DEVICE)

    def test_the_current_device(self) -> None:
        last = torch.accelerator.device_count() - 1
        torch.accelerator.set_device_index(last)
        self.assertEqual((torch.accelerator.current_device_index(), torch.ones(1, device=DEVICE).device.index), (last, last))
        with self.assertWarns(FutureWarning):
            self.assertEqual(torch.accelerator.current_device_idx(), last)
        with self.assertWarns(FutureWarning):
            torch.accelerator.set_device_idx(0)
        self.assertEqual(torch.xhal.current_device(), 0)
        with torch.accelerator.device_index(last):
            self.assertEqual(torch.xhal.current_device(), last)
        with torch.accelerator.device_index(None):
            self.assertEqual(torch.xhal.current_device(), 0)
        self.assertEqual(torch.xhal.current_device(), 0)

    def test_a_negative_index_changes_nothing_and_one_too_high_is_refused(self) -> None:
        # PyTorch's own binding passes negative ones over for every accelerator, and torch.cuda.set_device does.
        last = torch.accelerator.device_count() - 1
        torch.xhal.set_device(last)
        for change in (torch.accelerator.set_device_index, torch.xhal.set_device):
            change(-5)
            self.assertEqual(torch.xhal.current_device(), last)
            with self.assertRaisesRegex(RuntimeError, f"invalid device ordinal: 99; there are {last + 1} devices"):
                change(99)
            self.assertEqual(torch.xhal.current_device(), last)
        with self.assertRaisesRegex(RuntimeError, "invalid device ordinal: 99"), torch.xhal.device(99):
            self.fail("entered a device that is not there")

    def test_capability(self) -> None:
        types = torch.accelerator.get_device_capability()["supported_dtypes"]
        self.assertLessEqual({torch.float32, torch.int32, torch.uint8}, set(types))
        for dtype in (torch.float64, torch.bfloat16, torch.complex64):
            if dtype not in types:
                continue
            self.assertEqual(torch.ones(2, device=DEVICE).to(dtype).cpu().sum().item(), 2)

    def test_streams(self) -> None:
        stream, former = torch.Stream(DEVICE), torch.accelerator.current_stream()
        try:
            torch.accelerator.set_stream(stream)
            self.assertEqual(torch.accelerator.current_stream(), stream)
        finally:
            torch.accelerator.set_stream(former)
        gate = Gate(stream)
        self.assertFalse(stream.query())
        gate.open()
        torch.accelerator.synchronize()
        self.assertTrue(stream.query())

    def test_memory(self) -> None:
        kept = torch.empty(1 << 21, dtype=torch.uint8, device=DEVICE)
        acc = torch.accelerator
        self.assertEqual(acc.memory_allocated(), torch.xhal.memory_allocated())
        self.assertEqual(acc.memory_reserved(), torch.xhal.memory_reserved())
        self.assertGreaterEqual(acc.memory_allocated(), kept.nbytes)
        theirs, ours = acc.memory_stats(), torch.xhal.memory_stats()
        for key in set(theirs) & set(ours):
            self.assertEqual(theirs[key], ours[key], key)
        self.assertGreater(len(set(theirs) & set(ours)), 100)
        del kept
        acc.reset_peak_memory_stats()
        self.assertEqual(acc.max_memory_allocated(), acc.memory_allocated())
        self.assertEqual(acc.max_memory_reserved(), acc.memory_reserved())
        acc.reset_accumulated_memory_stats()
        self.assertEqual(acc.memory_stats()["allocation.all.allocated"], 0)
        before = acc.memory_reserved()
        acc.empty_cache()
        self.assertLess(acc.memory_reserved(), before)
        acc.empty_host_cache()
        free, total = acc.get_memory_info()
        self.assertTrue(0 < free <= total)


class Names(unittest.TestCase):
    # Of Nvidia's and AMD's tools and libraries, of their compilers, or gone from PyTorch's documentation: here they would be empty words.
    OF_CUDA_ALONE = {
        "CUDAGraph", "CUDAPluggableAllocator", "CudaError", "DeferredCudaCallError", "GreenContext", "caching_allocator_disabled",
        "caching_allocator_enable",
        "change_current_allocator", "check_error", "clock_rate", "cudaStatus", "cudart", "current_blas_handle", "current_solver_handle",
        "device_memory_used", "gds", "get_arch_list", "get_gencode_flags", "get_sync_debug_mode", "green_contexts", "has_magma",
        "is_tf32_supported", "jiterator", "list_gpu_processes", "max_memory_cached", "memory_cached", "memory_usage", "nccl", "nvtx", "power_draw",
        "profiler", "reset_max_memory_allocated", "reset_max_memory_cached", "set_sync_debug_mode", "sparse", "temperature", "tunable",
        "utilization",
    }
    # Pools by name: memory of graphs alone has pools of its own.
    OF_POOLS = {"MemPool", "use_mem_pool"}
    # Elsewhere in torch for every accelerator: torch.accelerator.Graph, torch.Stream.
    ELSEWHERE = {"graph", "graph_pool_handle", "graphs", "ipc_collect", "make_graphed_callables", "streams"}

    def test_what_torch_cuda_has_is_there_or_has_a_reason(self) -> None:
        theirs = {name for name in torch.cuda.__all__ if not name.endswith(("Tensor", "Storage"))}
        missing = theirs - set(dir(torch.xhal)) - self.OF_CUDA_ALONE - self.OF_POOLS - self.ELSEWHERE - {"default_generators"}
        self.assertEqual(missing, set())

    def test_submodules_can_be_imported(self) -> None:
        done = run("import torch.xhal.memory, torch.xhal.random\nfrom torch.xhal.memory import memory_summary\n"
                   "print(torch.xhal.random.get_rng_state is torch.xhal.get_rng_state, memory_summary is torch.xhal.memory_summary)")
        self.assertEqual((done.returncode, done.stdout), (0, "True True\n"), done.stderr)

    def test_properties(self) -> None:
        properties = torch.xhal.get_device_properties()
        self.assertEqual(torch.xhal.get_device_name(), properties.name)
        self.assertEqual(torch.xhal.get_device_name("xhal:0"), torch.xhal.get_device_name(0))
        self.assertGreater(properties.total_memory, 0)
        capability = torch.xhal.get_device_capability()
        self.assertEqual((capability["architecture"], capability["driver"]), (properties.architecture, properties.driver))
        self.assertEqual(capability["supported_dtypes"], torch.accelerator.get_device_capability()["supported_dtypes"])
        self.assertEqual(torch.xhal.is_bf16_supported(), torch.bfloat16 in capability["supported_dtypes"])
        with self.assertRaisesRegex(RuntimeError, "invalid device ordinal: 99"):
            torch.xhal.get_device_properties(99)
        with self.assertRaisesRegex(AttributeError, "has no attribute 'nvtx'"):
            torch.xhal.nvtx

    def test_streams_as_contexts(self) -> None:
        stream, default = torch.xhal.Stream(), torch.xhal.default_stream()
        with torch.xhal.stream(stream):
            self.assertEqual(torch.xhal.current_stream(), stream)
            with torch.xhal.StreamContext(None):
                self.assertEqual(torch.xhal.current_stream(), stream)
        self.assertEqual(torch.xhal.current_stream(), default)
        torch.xhal.set_stream(None)
        self.assertEqual(torch.xhal.current_stream(), default)
        with self.assertRaisesRegex(KeyError, "thrown"), torch.xhal.stream(stream):
            raise KeyError("thrown")
        self.assertEqual(torch.xhal.current_stream(), default)
        if hasattr(torch.Stream, "is_capturing"):
            self.assertFalse(torch.xhal.is_current_stream_capturing())

    def test_streams_of_others(self) -> None:
        stream = torch.xhal.Stream()
        for again in (torch.xhal.ExternalStream(stream.xhal_stream), torch.xhal.get_stream_from_external(stream.xhal_stream)):
            self.assertEqual((again, again.xhal_stream), (stream, stream.xhal_stream))
            with Gate(stream):
                self.assertFalse(again.query())
            again.synchronize()
        with self.assertRaisesRegex((RuntimeError, ValueError), "xhal_stream_get_info"):
            torch.xhal.ExternalStream(0)


class Random(unittest.TestCase):
    def draw(self, device: torch.device | int = 0) -> torch.Tensor:
        return torch.randn(64, device=torch.device("xhal", device) if isinstance(device, int) else device).cpu()

    def test_a_state_brings_the_numbers_back(self) -> None:
        state = torch.xhal.get_rng_state()
        first, second = self.draw(), self.draw()
        self.assertFalse(torch.equal(first, second))
        torch.xhal.set_rng_state(state)
        self.assertTrue(torch.equal(self.draw(), first))
        states = torch.xhal.get_rng_state_all()
        self.assertEqual(len(states), torch.xhal.device_count())
        third = self.draw()
        torch.xhal.set_rng_state_all(states)
        self.assertTrue(torch.equal(self.draw(), third))
        with self.assertRaisesRegex(TypeError, "expected a torch.ByteTensor"):
            torch.xhal.set_rng_state(torch.zeros(16))

    def test_a_state_is_of_its_device_alone(self) -> None:
        if torch.xhal.device_count() < 2:
            self.skipTest("the driver has one device")
        torch.xhal.manual_seed_all(11)
        other = torch.xhal.get_rng_state("xhal:1")
        self.draw(0)
        self.assertTrue(torch.equal(torch.xhal.get_rng_state(1), other))
        self.assertFalse(torch.equal(torch.xhal.get_rng_state(0), other))

    def test_seeds(self) -> None:
        torch.xhal.manual_seed(21)
        self.assertEqual(torch.xhal.initial_seed(), 21)
        torch.xhal.seed()
        self.assertNotEqual(torch.xhal.initial_seed(), 21)
        torch.xhal.seed_all()
        self.assertEqual(len({generator.initial_seed() for generator in torch.xhal.default_generators}), 1)
        torch.xhal.manual_seed_all(22)
        self.assertEqual([generator.initial_seed() for generator in torch.xhal.default_generators], [22] * torch.xhal.device_count())
        torch.manual_seed(23)
        self.assertEqual(torch.xhal.initial_seed(), 23)

    def test_fork_rng_keeps_the_devices_state(self) -> None:
        state = torch.xhal.get_rng_state()
        with torch.random.fork_rng(devices=range(torch.xhal.device_count()), device_type="xhal"):
            torch.xhal.manual_seed(1)
            self.draw()
        self.assertTrue(torch.equal(torch.xhal.get_rng_state(), state))


if __name__ == "__main__":
    unittest.main()
