// SPDX-License-Identifier: Apache-2.0
// What the Python package asks of the library. Loading this module loads the library, which registers guard, hooks and allocators; no
// driver is opened by it.
#include <ATen/Context.h>
#include <c10/core/Stream.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <torch/csrc/Generator.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "ops/fallback.hpp"
#include "python/kernels.hpp"
#include "python/memory.hpp"
#include "python/observe.hpp"
#include "runtime/autograd.hpp"
#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/generator.hpp"
#include "runtime/streams.hpp"

namespace py = pybind11;

namespace {

using torch_xhal::checked_index;

py::dict properties_of(int index) {
  const auto& properties =
      torch_xhal::device_at(checked_index(static_cast<c10::DeviceIndex>(index))).properties;
  xhal_driver_properties_t driver = {};
  driver.struct_size = sizeof(driver);
  XHAL_CHECK(xhal_driver_get_properties(torch_xhal::driver().handle, &driver));
  py::dict out;
  out["name"] = properties.name;
  out["vendor"] = properties.vendor;
  out["architecture"] = properties.architecture;
  out["driver"] = driver.name;
  out["driver_version"] = driver.version;
  out["is_emulated"] = properties.emulated != 0 || driver.emulated != 0;
  out["total_memory"] = properties.memory_bytes;
  out["multi_processor_count"] = properties.unit_count;
  out["max_group_items"] = properties.max_group_items;
  out["uuid"] = py::bytes(reinterpret_cast<const char*>(properties.uuid), sizeof(properties.uuid));
  return out;
}

bool has_feature_named(int index, const std::string& name) {
  const auto& device = torch_xhal::device_at(checked_index(static_cast<c10::DeviceIndex>(index)));
#define XHAL_FEATURE(upper, lower, ...) \
  if (name == #lower) return torch_xhal::has_feature(device, XHAL_FEATURE_##upper);
#include "xhal/features.def"
#undef XHAL_FEATURE
  throw py::value_error("xhal has no feature '" + name + "'");
}

void bind_devices(py::module& m) {
  m.def("device_count", [] { return static_cast<int>(torch_xhal::device_count()); });
  m.def("stop_autograd", &torch_xhal::stop_autograd, py::call_guard<py::gil_scoped_release>());
  m.def("why_none", [] { return torch_xhal::driver().why_none; });
  m.def("is_in_bad_fork", &torch_xhal::is_in_bad_fork);
  m.def("is_active", [](int index) { return torch_xhal::is_active(static_cast<c10::DeviceIndex>(index)); });
  m.def("current_device", [] { return static_cast<int>(torch_xhal::current_device()); });
  m.def("set_device",
        [](int index) { torch_xhal::set_current_device(static_cast<c10::DeviceIndex>(index)); });
  m.def("check_device", [](int index) { torch_xhal::device_at(static_cast<c10::DeviceIndex>(index)); });
  m.def("device_of_pointer", [](uintptr_t pointer) {
    return static_cast<int>(
        at::globalContext().getDeviceFromPtr(reinterpret_cast<void*>(pointer), torch_xhal::kDevice).index());
  });
  m.def("properties", &properties_of);
  m.def("has_feature", &has_feature_named);
  m.def("can_access_peer", [](int device, int peer) {
    xhal_link_t link = {};
    link.struct_size = sizeof(link);
    XHAL_CHECK(xhal_device_get_link(torch_xhal::device_at(static_cast<c10::DeviceIndex>(device)).handle,
                                    torch_xhal::device_at(static_cast<c10::DeviceIndex>(peer)).handle,
                                    &link));
    return link.peer_access != 0;
  });
  m.def("default_generator", [](int index) {
    const at::Generator& generator = torch_xhal::default_generator(static_cast<c10::DeviceIndex>(index));
    return py::reinterpret_steal<py::object>(THPGenerator_Wrap(generator));
  });
}

void bind_streams(py::module& m) {
  m.def("stream_from_pool", [](int device, int priority) {
    const auto stream = torch_xhal::stream_from_pool(static_cast<c10::DeviceIndex>(device), priority);
    return py::make_tuple(stream.id(), static_cast<int>(stream.device_index()));
  });
  m.def("stream_from_native", [](int device, uintptr_t handle) {
    const auto stream = torch_xhal::stream_from_native(static_cast<c10::DeviceIndex>(device),
                                                       reinterpret_cast<xhal_stream_t>(handle));
    return py::make_tuple(stream.id(), static_cast<int>(stream.device_index()));
  });
  m.def("stream_handle", [](int64_t stream, int device) {
    const c10::Device of(torch_xhal::kDevice, static_cast<c10::DeviceIndex>(device));
    return reinterpret_cast<uintptr_t>(torch_xhal::handle_of(c10::Stream(c10::Stream::UNSAFE, of, stream)));
  });
  m.def("priority_range", [](int device) {
    const auto range = torch_xhal::priority_range(static_cast<c10::DeviceIndex>(device));
    return py::make_tuple(range.least, range.greatest);
  });
}

// A host function that waits: what tests hold a stream shut with.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  static void wait(void* gate, xhal_result_t) {
    const std::unique_ptr<std::shared_ptr<Gate>> kept(static_cast<std::shared_ptr<Gate>*>(gate));
    std::unique_lock lock((*kept)->mutex_);
    (*kept)->changed_.wait(lock, [&] { return (*kept)->is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
};

void bind_gates(py::module& m) {
  py::class_<Gate, std::shared_ptr<Gate>>(m, "Gate").def("open", &Gate::open);
  m.def("hold_stream", [](int64_t stream, int device) {
    auto gate = std::make_shared<Gate>();
    auto held = std::make_unique<std::shared_ptr<Gate>>(gate);
    const c10::Stream of(c10::Stream::UNSAFE,
                         c10::Device(torch_xhal::kDevice, static_cast<c10::DeviceIndex>(device)), stream);
    XHAL_CHECK(xhal_stream_host_function(torch_xhal::handle_of(of), &Gate::wait, held.get()));
    held.release();
    return gate;
  });
  // The arguments of a kernel that draws, as the stream's work finds them: three words, {seed, offset, offset of its own}. Where a replay
  // sets them is told, else 0.
  m.def("write_draw", [](uintptr_t address, py::handle generator, uint64_t draws) {
    at::Generator of = THPGenerator_Unwrap(generator.ptr());
    const std::lock_guard lock(of.mutex());
    const auto drawn = static_cast<torch_xhal::Generator*>(of.unsafeGetGeneratorImpl())->draw(draws);
    const xhal_stream_t stream = torch_xhal::handle_of(torch_xhal::current_stream(of.device().index()));
    auto* words = reinterpret_cast<uint64_t*>(address);
    if (drawn.replay != nullptr) {
      XHAL_CHECK(xhal_memory_copy(stream, words, drawn.replay, 2 * sizeof(uint64_t)));
    } else {
      XHAL_CHECK(xhal_memory_fill(stream, words, drawn.seed, 8, 8));
      XHAL_CHECK(xhal_memory_fill(stream, words + 1, 0, 8, 8));
    }
    XHAL_CHECK(xhal_memory_fill(stream, words + 2, drawn.offset, 8, 8));
    return reinterpret_cast<uintptr_t>(drawn.replay);
  });
}

void bind_fallback(py::module& m) {
  m.def("fallback_counts", &torch_xhal::fallback_counts);
  m.def("reset_fallback_counts", &torch_xhal::reset_fallback_counts);
  m.def("fallback_mode", [] {
    switch (torch_xhal::fallback_mode()) {
      case torch_xhal::FallbackMode::kWarn:
        return "warn";
      case torch_xhal::FallbackMode::kError:
        return "error";
      default:
        return "allow";
    }
  });
  m.def("set_fallback_mode", [](const std::string& word) {
    torch_xhal::set_fallback_mode(torch_xhal::fallback_mode_of(word, "set_fallback_mode"));
  });
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  bind_devices(m);
  bind_streams(m);
  torch_xhal::bind_memory(m);
  bind_fallback(m);
  bind_gates(m);
  torch_xhal::bind_kernels(m);
  bind_observer(m);
}
