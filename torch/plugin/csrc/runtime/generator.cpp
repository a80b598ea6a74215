// SPDX-License-Identifier: Apache-2.0
#include "runtime/generator.hpp"

#include <ATen/EmptyTensor.h>
#include <c10/core/DispatchKeySet.h>

#include <array>
#include <cstring>
#include <mutex>

#include "runtime/capture.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

constexpr size_t kStateBytes = 2 * sizeof(uint64_t);

void check_offset(uint64_t offset) {
  TORCH_CHECK_VALUE(offset % 4 == 0, "the offset of a generator is a multiple of 4, not ", offset);
}

}  // namespace

Generator::Generator(c10::DeviceIndex device, std::shared_ptr<PhiloxSource> source)
    : c10::GeneratorImpl(c10::Device(kDevice, device), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)),
      source_(std::move(source)) {}

// To seed opens nothing: a device that is not open captures nothing.
uint64_t Generator::this_capture() const {
  const c10::DeviceIndex index = device().index();
  return is_active(index) ? capture_id(current_stream(index)) : 0;
}

void Generator::refuse_in_capture(const char* what) const {
  TORCH_CHECK(this_capture() == 0, "cannot ", what, " while the current stream of ", device(),
              " captures a graph");
}

PhiloxState Generator::read() const {
  const std::lock_guard lock(source_->mutex);
  return source_->state;
}

void Generator::set_current_seed(uint64_t seed) {
  const bool captures = this_capture() != 0;
  const std::lock_guard lock(source_->mutex);
  if (!captures) {
    source_->state = {seed, 0};
    return;
  }
  TORCH_CHECK(seed == source_->state.seed, "cannot set another seed while the current stream of ", device(),
              " captures a graph: set it before the replay");
}

uint64_t Generator::current_seed() const {
  refuse_in_capture("tell a generator's seed");
  return read().seed;
}

uint64_t Generator::seed() {
  refuse_in_capture("seed a generator");
  const uint64_t random = c10::detail::getNonDeterministicRandom(/*is_cuda=*/true);
  set_current_seed(random);
  return random;
}

void Generator::set_offset(uint64_t offset) {
  refuse_in_capture("set a generator's offset");
  check_offset(offset);
  const std::lock_guard lock(source_->mutex);
  source_->state.offset = offset;
}

uint64_t Generator::get_offset() const {
  refuse_in_capture("tell a generator's offset");
  return read().offset;
}

c10::intrusive_ptr<c10::TensorImpl> Generator::get_state() const {
  refuse_in_capture("tell a generator's state");
  const PhiloxState state = read();
  auto out = at::detail::empty_cpu({static_cast<int64_t>(kStateBytes)}, c10::ScalarType::Byte);
  auto* bytes = out.data_ptr<uint8_t>();
  std::memcpy(bytes, &state.seed, sizeof(uint64_t));
  std::memcpy(bytes + sizeof(uint64_t), &state.offset, sizeof(uint64_t));
  return out.getIntrusivePtr();
}

void Generator::set_state(const c10::TensorImpl& state) {
  refuse_in_capture("set a generator's state");
  const bool is_state = state.layout() == c10::kStrided && state.device_type() == c10::kCPU &&
                        state.dtype() == caffe2::TypeMeta::Make<uint8_t>() && state.is_contiguous();
  TORCH_CHECK_TYPE(is_state, "expected a torch.ByteTensor on the CPU, as get_rng_state returns it");
  TORCH_CHECK_VALUE(state.numel() == static_cast<int64_t>(kStateBytes), "the state of a generator has ",
                    kStateBytes, " bytes, not ", state.numel());
  const auto* bytes = static_cast<const uint8_t*>(state.data());
  PhiloxState given;
  std::memcpy(&given.seed, bytes, sizeof(uint64_t));
  std::memcpy(&given.offset, bytes + sizeof(uint64_t), sizeof(uint64_t));
  check_offset(given.offset);
  const std::lock_guard lock(source_->mutex);
  source_->state = given;
}

void Generator::graphsafe_set_state(const c10::intrusive_ptr<c10::GeneratorImpl>& state) {
  auto* other = dynamic_cast<Generator*>(state.get());
  TORCH_CHECK_TYPE(other != nullptr, "expected a generator of ", device_title());
  source_ = other->source_;
}

c10::intrusive_ptr<c10::GeneratorImpl> Generator::graphsafe_get_state() const {
  return c10::make_intrusive<Generator>(device().index(), source_);
}

PhiloxArguments Generator::draw(uint64_t draws) {
  if (const uint64_t id = capture_id(current_stream(device().index())); C10_UNLIKELY(id != 0)) {
    const auto record = CaptureRecord::find(id);
    TORCH_CHECK(
        record != nullptr,
        "random numbers would be the same at each replay of a graph whose capture torch.accelerator.Graph "
        "did not begin");
    return record->draw(device().index(), source_, draws);
  }
  const PhiloxState taken = step(draws);
  return {taken.seed, taken.offset, nullptr};
}

PhiloxState Generator::take(uint64_t draws) {
  refuse_in_capture("run what draws random numbers on the host");
  return step(draws);
}

PhiloxState Generator::step(uint64_t draws) {
  const std::lock_guard lock(source_->mutex);
  const PhiloxState out = source_->state;
  source_->state.offset += whole_steps(draws);
  return out;
}

Generator* Generator::clone_impl() const {
  auto source = std::make_shared<PhiloxSource>();
  source->state = read();
  return new Generator(device().index(), std::move(source));
}

const at::Generator& default_generator(c10::DeviceIndex device) {
  struct One {
    std::once_flag once;
    at::Generator generator;
  };
  static auto* const all = new std::array<One, kMostDevices>();
  const c10::DeviceIndex index = checked_index(device);
  One& one = (*all)[static_cast<size_t>(index)];
  std::call_once(one.once, [&] { one.generator = at::make_generator<Generator>(index); });
  return one.generator;
}

}  // namespace torch_xhal
