// SPDX-License-Identifier: Apache-2.0
#include "runtime/generator.hpp"

#include <ATen/EmptyTensor.h>
#include <c10/core/DispatchKeySet.h>

#include <array>
#include <cstring>
#include <mutex>

#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

constexpr size_t kStateBytes = 2 * sizeof(uint64_t);

void check_offset(uint64_t offset) {
  TORCH_CHECK_VALUE(offset % 4 == 0, "the offset of a generator is a multiple of 4, not ", offset);
}

}  // namespace

Generator::Generator(c10::DeviceIndex device, std::shared_ptr<PhiloxState> state)
    : c10::GeneratorImpl(c10::Device(kDevice, device), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)),
      state_(std::move(state)) {}

void Generator::set_current_seed(uint64_t seed) { *state_ = {seed, 0}; }

uint64_t Generator::seed() {
  const uint64_t random = c10::detail::getNonDeterministicRandom(/*is_cuda=*/true);
  set_current_seed(random);
  return random;
}

void Generator::set_offset(uint64_t offset) {
  check_offset(offset);
  state_->offset = offset;
}

c10::intrusive_ptr<c10::TensorImpl> Generator::get_state() const {
  auto out = at::detail::empty_cpu({static_cast<int64_t>(kStateBytes)}, c10::ScalarType::Byte);
  auto* bytes = out.data_ptr<uint8_t>();
  std::memcpy(bytes, &state_->seed, sizeof(uint64_t));
  std::memcpy(bytes + sizeof(uint64_t), &state_->offset, sizeof(uint64_t));
  return out.getIntrusivePtr();
}

void Generator::set_state(const c10::TensorImpl& state) {
  const bool is_state = state.layout() == c10::kStrided && state.device_type() == c10::kCPU &&
                        state.dtype() == caffe2::TypeMeta::Make<uint8_t>() && state.is_contiguous();
  TORCH_CHECK_TYPE(is_state, "expected a torch.ByteTensor on the CPU, as get_rng_state returns it");
  TORCH_CHECK_VALUE(state.numel() == static_cast<int64_t>(kStateBytes), "the state of a generator has ",
                    kStateBytes, " bytes, not ", state.numel());
  const auto* bytes = static_cast<const uint8_t*>(state.data());
  PhiloxState read;
  std::memcpy(&read.seed, bytes, sizeof(uint64_t));
  std::memcpy(&read.offset, bytes + sizeof(uint64_t), sizeof(uint64_t));
  check_offset(read.offset);
  *state_ = read;
}

void Generator::graphsafe_set_state(const c10::intrusive_ptr<c10::GeneratorImpl>& state) {
  auto* other = dynamic_cast<Generator*>(state.get());
  TORCH_CHECK_TYPE(other != nullptr, "expected a generator of ", device_title());
  state_ = other->state_;
}

c10::intrusive_ptr<c10::GeneratorImpl> Generator::graphsafe_get_state() const {
  return c10::make_intrusive<Generator>(device().index(), state_);
}

PhiloxState Generator::take(uint64_t draws) {
  const PhiloxState out = *state_;
  state_->offset += (draws + 3) / 4 * 4;
  return out;
}

Generator* Generator::clone_impl() const {
  return new Generator(device().index(), std::make_shared<PhiloxState>(*state_));
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
