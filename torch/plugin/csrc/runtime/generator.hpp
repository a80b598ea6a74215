// SPDX-License-Identifier: Apache-2.0
// Random numbers are Philox's: a kernel gets a seed and an offset, and the generator steps over what the kernel draws.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <memory>
#include <mutex>

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

struct PhiloxState {
  uint64_t seed = c10::default_rng_seed_val;
  uint64_t offset = 0;  // a multiple of 4: what one step of Philox gives
};

// Shared by the generators that graphsafe_set_state made one, and by the graphs that drew from them.
struct PhiloxSource {
  std::mutex mutex;
  PhiloxState state;
};

// What a kernel draws from. Outside of captures replay is null. In one, seed means nothing: replay points to two words in device memory,
// {seed, offset}, that each replay sets before its kernels run, and the kernel's own offset is added to the second.
struct PhiloxArguments {
  uint64_t seed = 0;
  uint64_t offset = 0;
  const uint64_t* replay = nullptr;
};

// The numbers that whole steps of Philox give, for at least so many.
constexpr uint64_t whole_steps(uint64_t draws) { return (draws + 3) / 4 * 4; }

class Generator final : public c10::GeneratorImpl {
 public:
  explicit Generator(c10::DeviceIndex device,
                     std::shared_ptr<PhiloxSource> source = std::make_shared<PhiloxSource>());

  // at::check_generator asks for it.
  static c10::DeviceType device_type() { return c10::DeviceType::PrivateUse1; }

  // Of these, while the current stream captures only the seed that it has already may be set, and the state be handed over.
  void set_current_seed(uint64_t seed) override;
  uint64_t current_seed() const override;
  // A new one that nobody can foresee.
  uint64_t seed() override;
  void set_offset(uint64_t offset) override;
  uint64_t get_offset() const override;
  // 16 bytes on the host: seed and offset, as of CUDA's generator.
  void set_state(const c10::TensorImpl& state) override;
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override;
  void graphsafe_set_state(const c10::intrusive_ptr<c10::GeneratorImpl>& state) override;
  c10::intrusive_ptr<c10::GeneratorImpl> graphsafe_get_state() const override;

  // For a kernel on the current stream of the generator's device, each of whose items draws at most `draws` numbers; the next call's are
  // others. Under mutex_. A graph that draws knows the generator by that: nobody registers it.
  PhiloxArguments draw(uint64_t draws);
  // By value, for work that no graph can hold.
  PhiloxState take(uint64_t draws);

 private:
  Generator* clone_impl() const override;
  uint64_t this_capture() const;
  void refuse_in_capture(const char* what) const;
  PhiloxState read() const;
  PhiloxState step(uint64_t draws);
  std::shared_ptr<PhiloxSource> source_;
};

// Seeded with PyTorch's default; -1 is the current device. Never destroyed.
const at::Generator& default_generator(c10::DeviceIndex device);

}  // namespace torch_xhal
#pragma GCC visibility pop
