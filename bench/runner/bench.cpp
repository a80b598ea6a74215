// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/bench.hpp"

#include <algorithm>

#include "bench/runner/clock.hpp"
#include "bench/runner/spin_pause.hpp"

namespace xhal::bench {

void call_failed(const char* call, xhal_result_t result) {
  std::string text = std::string(call) + ": " + conformance::result_name(result);
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  if (result < 0 && xhal_error_get_last(&error) == XHAL_SUCCESS && error.code == result)
    text += std::string(": ") + error.text;
  throw RowFailed(text);
}

// ---- Memory --------------------------------------------------------------------------------------------------------------------

Memory::Memory(xhal_device_t device, uint32_t kind, uint64_t size) : device_(device), size_(size) {
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  const xhal_result_t result = xhal_memory_allocate(device_, &desc, &pointer_);
  if (result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY || result == XHAL_ERROR_OUT_OF_HOST_MEMORY)
    throw NotHere("there is no room for " + std::to_string(size) + " bytes");
  if (result == XHAL_ERROR_UNSUPPORTED) throw NotHere("the device does not offer this kind of memory");
  check("xhal_memory_allocate", result);
}

void Memory::reset() {
  if (pointer_ != nullptr) xhal_memory_free(device_, std::exchange(pointer_, nullptr));
}

// ---- PreparedLaunch ------------------------------------------------------------------------------------------------------------

PreparedLaunch::PreparedLaunch(xhal_kernel_t kernel, uint32_t groups, uint32_t items) : kernel_(kernel) {
  launch_.struct_size = sizeof(launch_);
  launch_.group_count[0] = groups;
  launch_.group_size[0] = items;
  for (int d = 1; d < 3; ++d) launch_.group_count[d] = launch_.group_size[d] = 1;
}

PreparedLaunch& PreparedLaunch::add(const xhal_argument_t& argument) {
  arguments_.push_back(argument);
  launch_.arguments = arguments_.data();
  launch_.argument_count = static_cast<uint32_t>(arguments_.size());
  return *this;
}

PreparedLaunch& PreparedLaunch::memory(void* pointer, uint32_t access) {
  return add({XHAL_ARGUMENT_MEMORY, access, 0, pointer});
}

PreparedLaunch& PreparedLaunch::local(uint64_t bytes) {
  return add({XHAL_ARGUMENT_LOCAL, 0, bytes, nullptr});
}

PreparedLaunch& PreparedLaunch::bytes(const void* data, uint64_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  values_.emplace_back(first, first + size);
  return add({XHAL_ARGUMENT_VALUE, 0, size, values_.back().data()});
}

// ---- HeldStream ----------------------------------------------------------------------------------------------------------------

HeldStream::HeldStream(Bench& bench, xhal_stream_t stream) {
  bench.need_held_streams();
  check("xhal_stream_host_function", xhal_stream_host_function(stream, &HeldStream::hold, state_.get()));
  constexpr double kPatience = 10e9;
  const Clock::time_point start = Clock::now();
  while (!state_->entered.load()) {
    if (since(start) > kPatience) {
      state_->open.store(true);
      static_cast<void>(state_.release());
      throw RowFailed("a host function did not run within 10 s");
    }
    spin_pause();
  }
}

void HeldStream::hold(void* state, xhal_result_t) {
  auto& held = *static_cast<State*>(state);
  held.entered.store(true);
  held.open.wait(false);
  held.left.store(true);
}

void HeldStream::let_go() {
  if (state_ == nullptr) return;
  state_->open.store(true);
  state_->open.notify_one();
  while (!state_->left.load()) spin_pause();
  state_.reset();
}

// ---- Bench ---------------------------------------------------------------------------------------------------------------------

void Bench::need(uint32_t feature, const char* name) const {
  if (!claims(feature)) throw NotHere(std::string("the device does not claim ") + name);
}

void Bench::need_devices(size_t count) const {
  if (device_count() < count)
    throw NotHere("needs " + std::to_string(count) + " devices, the driver has " +
                  std::to_string(device_count()));
}

void Bench::need_independent_streams() const {
  need(XHAL_FEATURE_CROSS_STREAM_PROGRESS, "cross_stream_progress");
}

void Bench::need_held_streams() const {
  if (properties().is_synchronous != 0 || properties().host_function_blocks != 0)
    throw NotHere("no stream of the device can be held by a host function");
}

Stream Bench::make_stream(size_t device, int32_t priority) const {
  xhal_stream_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.priority = priority;
  xhal_stream_t stream = nullptr;
  check("xhal_stream_create", xhal_stream_create(session_.device(device), &desc, &stream));
  return Stream(stream);
}

Event Bench::make_event(uint32_t flags, size_t device) const {
  xhal_event_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = flags;
  xhal_event_t event = nullptr;
  check("xhal_event_create", xhal_event_create(session_.device(device), &desc, &event));
  return Event(event);
}

void Bench::expect_work(xhal_stream_t stream, bool launches) {
  constexpr uint32_t kFilled = 0x5EED5EED;
  constexpr uint32_t kLaunched = 0xC0FFEE00;
  const Memory word = make_memory(XHAL_MEMORY_PINNED, sizeof(uint32_t));
  auto* const value = static_cast<uint32_t*>(word.get());
  const auto expect = [&](uint32_t wanted, const char* what) {
    wait_for(stream);
    if (__atomic_load_n(value, __ATOMIC_ACQUIRE) != wanted)
      throw RowFailed(std::string(what) + " left nothing in memory");
  };
  *value = 0;
  check("xhal_memory_fill", xhal_memory_fill(stream, value, kFilled, sizeof(uint32_t), sizeof(uint32_t)));
  expect(kFilled, "a fill");
  if (!launches) return;
  PreparedLaunch(pack_kernel("xhal_fill_u32")).writes(value).value(kLaunched).value(uint64_t{1}).on(stream);
  expect(kLaunched, "a kernel");
}

xhal_kernel_t Bench::pack_kernel(const std::string& name, size_t device) {
  need(XHAL_FEATURE_KERNEL, "kernel");
  std::string why;
  conformance::KernelPack* const pack = session_.kernels(device, &why);
  if (pack == nullptr) throw NotHere(why);
  return pack->kernel(name);
}

xhal_kernel_t Bench::bench_kernel(const std::string& name) {
  need(XHAL_FEATURE_KERNEL, "kernel");
  if (bench_pack_ == nullptr) {
    try {
      bench_pack_ = std::make_unique<conformance::KernelPack>(session_, 0, kernel_directory_, "");
    } catch (const std::exception& error) {
      throw NotHere(error.what());
    }
  }
  return bench_pack_->kernel(name);
}

conformance::KernelImage Bench::bench_image() {
  need(XHAL_FEATURE_KERNEL, "kernel");
  try {
    return conformance::KernelPack::choose_image(session_, 0, kernel_directory_, "");
  } catch (const std::exception& error) {
    throw NotHere(error.what());
  }
}

void Bench::reset_device() {
  check("xhal_device_reset", xhal_device_reset(device()));
  session_.forget_kernels(0);
  bench_pack_.reset();
}

// ---- OwnInstance ---------------------------------------------------------------------------------------------------------------

OwnInstance::OwnInstance(const Bench& like) {
  try {
    session_ = std::make_unique<conformance::Session>(like.session().target());
  } catch (const conformance::SessionError& error) {
    throw NotHere(std::string("no second instance can be had: ") + error.what());
  }
  bench_ = std::make_unique<Bench>(*session_, like.kernel_directory());
}

// ---- NothingLaunch -------------------------------------------------------------------------------------------------------------

NothingLaunch::NothingLaunch(Bench& bench, int arguments) {
  constexpr uint64_t kPage = 4096;
  // Behind the memory the count, which is 0, and words.
  const int memories = memories_of(arguments);
  for (int i = 0; i < memories; ++i) pages_.push_back(bench.make_memory(XHAL_MEMORY_DEVICE, kPage));
  const auto launch_of = [&](bool turned) {
    auto out =
        std::make_unique<PreparedLaunch>(bench.bench_kernel("bench_empty_" + std::to_string(arguments)));
    for (int i = 0; i < memories; ++i) {
      const Memory& page = pages_[static_cast<size_t>(turned ? memories - 1 - i : i)];
      out->memory(page.get(), i == 0 ? XHAL_ACCESS_WRITE : XHAL_ACCESS_READ);
    }
    for (int i = memories; i < arguments; ++i) out->value(uint64_t{turned ? 1U : 0U});
    return out;
  };
  launch_ = launch_of(false);
  if (arguments == kChanging) turned_ = launch_of(true);
}

}  // namespace xhal::bench
