// SPDX-License-Identifier: Apache-2.0
// Random numbers are Philox's: a kernel gets a seed and an offset, and the generator steps over what the kernel draws.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <memory>

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

// Seed and offset are shared by the generators that graphsafe_set_state made one.
struct PhiloxState {
  uint64_t seed = c10::default_rng_seed_val;
  uint64_t offset = 0;  // a multiple of 4: what one step of Philox gives
};

class Generator final : public c10::GeneratorImpl {
 public:
  explicit Generator(c10::DeviceIndex device,
                     std::shared_ptr<PhiloxState> state = std::make_shared<PhiloxState>());

  // at::check_generator asks for it.
  static c10::DeviceType device_type() { return c10::DeviceType::PrivateUse1; }

  void set_current_seed(uint64_t seed) override;
  uint64_t current_seed() const override { return state_->seed; }
  // A new one that nobody can foresee.
  uint64_t seed() override;
  void set_offset(uint64_t offset) override;
  uint64_t get_offset() const override { return state_->offset; }
  // 16 bytes on the host: seed and offset, as of CUDA's generator.
  void set_state(const c10::TensorImpl& state) override;
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override;
  void graphsafe_set_state(const c10::intrusive_ptr<c10::GeneratorImpl>& state) override;
  c10::intrusive_ptr<c10::GeneratorImpl> graphsafe_get_state() const override;

  // What a kernel draws from when each of its items draws at most `draws` numbers; the next call's are others. Under mutex_.
  PhiloxState take(uint64_t draws);

 private:
  Generator* clone_impl() const override;
  std::shared_ptr<PhiloxState> state_;
};

// Seeded with PyTorch's default; -1 is the current device. Never destroyed.
const at::Generator& default_generator(c10::DeviceIndex device);

}  // namespace torch_xhal
#pragma GCC visibility pop
