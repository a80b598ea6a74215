// SPDX-License-Identifier: Apache-2.0
#include "ops/fallback.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <ATen/native/CPUFallback.h>
#include <torch/library.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "ops/host.hpp"
#include "runtime/driver.hpp"
#include "runtime/generator.hpp"

namespace torch_xhal {
namespace {

std::atomic<FallbackMode>& mode() {
  static std::atomic<FallbackMode> value = [] {
    const char* word = std::getenv("TORCH_XHAL_FALLBACK");
    return word == nullptr ? FallbackMode::kAllow : fallback_mode_of(word, "TORCH_XHAL_FALLBACK");
  }();
  return value;
}

struct Counts {
  std::mutex mutex;
  std::map<std::string, uint64_t> of;
};
Counts& counts() {
  static auto* const value = new Counts();
  return *value;
}

thread_local int depth = 0;
thread_local uint64_t begun = 0;

}  // namespace

FallbackMode fallback_mode_of(const std::string& word, const char* where) {
  if (word == "allow") return FallbackMode::kAllow;
  if (word == "warn") return FallbackMode::kWarn;
  TORCH_CHECK_VALUE(word == "error", where, ": '", word, "' is none of allow, warn, error");
  return FallbackMode::kError;
}

FallbackMode fallback_mode() { return mode(); }
void set_fallback_mode(FallbackMode value) { mode() = value; }

std::map<std::string, uint64_t> fallback_counts() {
  const std::lock_guard lock(counts().mutex);
  return counts().of;
}

void reset_fallback_counts() {
  const std::lock_guard lock(counts().mutex);
  counts().of.clear();
}

uint64_t fallbacks_of_this_thread() noexcept { return begun; }
bool is_in_fallback() noexcept { return depth > 0; }

FallbackScope::FallbackScope(const std::string& operator_name) {
  if (depth == 0) {
    ++begun;
    const FallbackMode allowed = fallback_mode();
    TORCH_CHECK_NOT_IMPLEMENTED(allowed != FallbackMode::kError, operator_name, " has no kernel for ",
                                device_title(),
                                ", and TORCH_XHAL_FALLBACK=error does not allow to run it on the host");
    uint64_t runs = 0;
    {
      const std::lock_guard lock(counts().mutex);
      runs = ++counts().of[operator_name];
    }
    if (allowed == FallbackMode::kWarn && runs == 1)
      TORCH_WARN(operator_name, " has no kernel for ", device_title(),
                 " and runs on the host, on copies of its tensors");
  }
  ++depth;
}

FallbackScope::~FallbackScope() { --depth; }

namespace {

// A host's generator that draws what the device's seed and offset say; the device's steps on.
at::Generator host_generator_of(const c10::IValue& given, c10::DeviceIndex device) {
  at::Generator of_device = given.isNone() ? default_generator(device) : given.toGenerator();
  TORCH_CHECK(of_device.device().type() == kDevice, "Expected a '", c10::DeviceTypeName(kDevice, true),
              "' device type for generator but found '", of_device.device().type(), "'");
  PhiloxState drawn;
  {
    const std::lock_guard lock(of_device.mutex());
    drawn = at::check_generator<Generator>(of_device)->take(4);
  }
  // Different offsets of one seed are different streams of numbers.
  return at::detail::createCPUGenerator(drawn.seed ^ (drawn.offset / 4 * 0x9e3779b97f4a7c15ULL));
}

c10::DeviceIndex device_of(const c10::IValue* arguments, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (arguments[i].isTensor() && arguments[i].toTensor().device().type() == kDevice)
      return arguments[i].toTensor().device().index();
  return current_device();
}

// What draws random numbers draws the device's, or not at all.
void use_device_generator(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  const size_t count = schema.arguments().size();
  c10::IValue* arguments = stack->data() + (stack->size() - count);
  const auto is_generator = [](const c10::Argument& argument) {
    return argument.type()->str().find("Generator") != std::string::npos;
  };
  bool has_generator = false;
  for (size_t i = 0; i < count; ++i) {
    if (!is_generator(schema.arguments()[i])) continue;
    has_generator = true;
    arguments[i] = host_generator_of(arguments[i], device_of(arguments, count));
  }
  TORCH_CHECK_NOT_IMPLEMENTED(
      has_generator, c10::toString(op.operator_name()), " has no kernel for ", device_title(),
      ", and on the host it would draw from the host's random numbers instead of the device's");
}

// A host would compute with tensors of two devices, and with its own beside a device's, where no device does. A number that is wrapped as a
// tensor goes with all; so do lists of indices, and lengths that decide a shape.
void check_one_device(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  std::optional<c10::Device> first;
  std::optional<c10::Device> other;
  const auto look = [&](const at::Tensor& tensor) {
    if (!tensor.defined() || (tensor.dim() == 0 && tensor.device().is_cpu())) return;
    if (!first)
      first = tensor.device();
    else if (*first != tensor.device() && !other)
      other = tensor.device();
  };
  const auto& arguments = op.schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].name().ends_with("lengths") || arguments[i].name() == "state_steps") continue;
    const c10::IValue& argument = stack[stack.size() - arguments.size() + i];
    if (argument.isTensor()) {
      look(argument.toTensor());
    } else if (argument.isTensorList()) {
      for (const at::Tensor& tensor : argument.toTensorVector()) look(tensor);
    }
  }
  TORCH_CHECK(!other, "Expected all tensors to be on the same device, but found at least two devices, ",
              *first, " and ", *other, "! (when checking arguments of ", c10::toString(op.operator_name()),
              ")");
}

}  // namespace

void run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  check_one_device(op, *stack);
  const FallbackScope counted(c10::toString(op.operator_name()));
  if (op.hasTag(at::Tag::nondeterministic_seeded)) use_device_generator(op, stack);
  at::native::cpu_fallback(op, stack);
}

namespace {

void run_conj_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  // A real tensor is its own.
  if (stack->back().toTensor().is_complex()) run_on_host(op, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  // PyTorch has these for all devices and then refuses, or has no kernel, for one that it does not know.
  m.impl("conj_physical_", torch::CppFunction::makeFromBoxedFunction<&run_conj_on_host>());
}

}  // namespace
}  // namespace torch_xhal
