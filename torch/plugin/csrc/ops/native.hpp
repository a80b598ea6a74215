// SPDX-License-Identifier: Apache-2.0
// How an operator of PyTorch is registered with a kernel of ours: PyTorch's own host side runs (shapes, types, messages) and reaches kernels
// by its dispatch stubs. Tensors of a type that no kernel knows go to the fallback instead.
#pragma once

#include <ATen/TensorIterator.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "ops/host.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"
#include "torch_version.hpp"

namespace torch_xhal::native {

// ---- Whether kernels know the arguments ------------------------------------------------------------------------------------

inline bool is_known(const at::Tensor& tensor) {
  if (!tensor.defined()) return true;
  // A number that is wrapped as a tensor: a complex one makes all complex.
  if (tensor.device().type() != kDevice) return code_of(tensor.scalar_type()) != kNoCode;
  return is_native_type(tensor.scalar_type(), tensor.device().index());
}
inline bool is_known(const std::optional<at::Tensor>& tensor) { return !tensor || is_known(*tensor); }
inline bool is_known(at::TensorList tensors) {
  for (const at::Tensor& tensor : tensors)
    if (!is_known(tensor)) return false;
  return true;
}
inline bool is_known(const at::ITensorListRef& tensors) {
  for (const at::Tensor& tensor : tensors)
    if (!is_known(tensor)) return false;
  return true;
}
inline bool is_known(const c10::List<std::optional<at::Tensor>>& tensors) {
  for (const auto& tensor : tensors)
    if (!is_known(std::optional<at::Tensor>(tensor))) return false;
  return true;
}
inline bool is_known(at::ScalarType type) { return code_of(type) != kNoCode; }
inline bool is_known(std::optional<at::ScalarType> type) { return !type || is_known(*type); }
inline bool is_known(const at::Scalar& value) { return !value.isComplex(); }
inline bool is_known(const std::optional<at::Scalar>& value) { return !value || is_known(*value); }
template <class Other>
bool is_known(const Other&) {
  return true;
}

inline void device_in(std::optional<c10::Device>& out, const at::Tensor& tensor) {
  if (!out && tensor.defined() && tensor.device().type() == kDevice) out = tensor.device();
}
template <class Other>
void device_in(std::optional<c10::Device>&, const Other&) {}

template <class... Arguments>
std::optional<c10::Device> device_among(const Arguments&... arguments) {
  std::optional<c10::Device> out;
  (device_in(out, arguments), ...);
  return out;
}

// ---- PyTorch's structured operators -------------------------------------------------------------------------------------------

// The output that `meta` asks for, made, resized or checked.
template <class Native, size_t Outputs>
struct Made final : Native {
  void set_output_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                          at::TensorOptions options TORCH_XHAL_NAMES_PARAMETER) override {
    outputs[static_cast<size_t>(index)] =
        strides.empty() ? at::empty(sizes, options) : at::empty_strided(sizes, strides, options);
    // Iterators look at what they were given; other operators have nobody to tell.
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Native>)
      Native::set_output_raw_strided(index, sizes, strides, options TORCH_XHAL_NAMES);
  }
  void set_output_raw_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                              at::TensorOptions options TORCH_XHAL_NAMES_PARAMETER) override {
    set_output_strided(index, sizes, strides, options TORCH_XHAL_NAMES);
  }
  const at::Tensor& maybe_get_output(int64_t index) override { return outputs[static_cast<size_t>(index)]; }
  std::array<at::Tensor, Outputs> outputs;
};

template <class Native, size_t Outputs>
struct Given final : Native {
  template <class... Tensors>
  Given(bool in_place, Tensors&... tensors) : outputs{std::ref(tensors)...}, is_in_place(in_place) {}

  void set_output_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                          at::TensorOptions options TORCH_XHAL_NAMES_PARAMETER) override {
    place(index, sizes, strides, options, true);
    // Iterators look at what they were given; other operators have nobody to tell.
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Native>)
      Native::set_output_raw_strided(index, sizes, strides, options TORCH_XHAL_NAMES);
  }
  void set_output_raw_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                              at::TensorOptions options TORCH_XHAL_NAMES_PARAMETER) override {
    place(index, sizes, strides, options, false);
    // Iterators look at what they were given; other operators have nobody to tell.
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Native>)
      Native::set_output_raw_strided(index, sizes, strides, options TORCH_XHAL_NAMES);
  }
  const at::Tensor& maybe_get_output(int64_t index) override {
    const auto i = static_cast<size_t>(index);
    return proxies[i] ? *proxies[i] : outputs[i].get();
  }
  // What was computed beside an output whose layout the operator cannot write.
  void finish() {
    for (size_t i = 0; i < Outputs; ++i)
      if (proxies[i]) outputs[i].get().copy_(*proxies[i]);
  }
  std::array<std::reference_wrapper<at::Tensor>, Outputs> outputs;

 private:
  void place(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides, const at::TensorOptions& options,
             bool has_strides) {
    const auto i = static_cast<size_t>(index);
    at::Tensor& out = outputs[i].get();
    TORCH_CHECK(options.dtype() == out.dtype(),
                is_in_place ? "Bad in-place call: input tensor dtype " : "Expected out tensor to have dtype ",
                is_in_place ? out.dtype() : options.dtype(),
                is_in_place ? " and output tensor dtype " : ", but got ",
                is_in_place ? options.dtype() : out.dtype(), is_in_place ? " should match" : " instead");
    TORCH_CHECK(
        options.device() == out.device(),
        is_in_place ? "Bad in-place call: input tensor device " : "Expected out tensor to have device ",
        is_in_place ? out.device() : options.device(),
        is_in_place ? " and output tensor device " : ", but got ",
        is_in_place ? options.device() : out.device(), is_in_place ? " should match" : " instead");
    if (is_in_place) {
      TORCH_CHECK(sizes == out.sizes(), "Bad in-place call: input tensor size ", out.sizes(),
                  " and output tensor size ", sizes, " should match");
    } else if (at::native::resize_output(out, sizes)) {
      if (!strides.empty())
        out.as_strided_(sizes, strides);
      else if (options.memory_format_opt())
        out.unsafeGetTensorImpl()->empty_tensor_restride(*options.memory_format_opt());
    }
    if (has_strides && !strides.empty() && out.strides() != strides)
      proxies[i] = at::empty_strided(sizes, strides, options);
  }

  std::array<std::optional<at::Tensor>, Outputs> proxies;
  bool is_in_place;
};

// ---- An entry of the dispatcher for an operator of at::_ops ----------------------------------------------------------------------

template <class T>
decltype(auto) as_given(const T& argument) {
  if constexpr (std::is_same_v<T, std::optional<at::Tensor>>)
    return argument && argument->defined() ? at::OptionalTensorRef(*argument) : at::OptionalTensorRef();
  else if constexpr (std::is_same_v<T, std::optional<at::Scalar>>)
    return argument ? at::OptionalScalarRef(*argument) : at::OptionalScalarRef();
  else
    return (argument);
}

template <class Op, class Schema = typename Op::schema>
struct Entry;

template <class Op, class R, class... Parameters>
struct Entry<Op, R(Parameters...)> {
  template <class T>
  using Plain = typename c10::maybe_keep_symint<false, T>::type;
  using Function = R (*)(Plain<Parameters>...);
  static constexpr size_t kOutputs = [] {
    if constexpr (std::is_same_v<std::remove_cvref_t<R>, at::Tensor>)
      return size_t{1};
    else if constexpr (requires { std::tuple_size<std::remove_cvref_t<R>>::value; })
      return std::tuple_size_v<std::remove_cvref_t<R>>;
    else
      return size_t{0};
  }();

  static R on_host(Plain<Parameters>... arguments) {
    return at::native::call_fallback_fn<&run_on_host, Op>::call(arguments...);
  }

  // `native` where kernels know all types, else the host.
  template <Function native>
  static R guarded(Plain<Parameters>... arguments) {
    if (C10_UNLIKELY(!(is_known(arguments) && ...))) return on_host(arguments...);
    const c10::OptionalDeviceGuard guard(device_among(arguments...));
    return native(arguments...);
  }

  template <class Native>
  static R functional(Plain<Parameters>... arguments) {
    if (C10_UNLIKELY(!(is_known(arguments) && ...))) return on_host(arguments...);
    const c10::OptionalDeviceGuard guard(device_among(arguments...));
    Made<Native, kOutputs> op;
    op.meta(as_given(arguments)...);
    return [&]<size_t... I>(std::index_sequence<I...>)->R {
      op.impl(as_given(arguments)..., op.maybe_get_output(I)...);
      return R{std::move(op.outputs[I])...};
    }
    (std::make_index_sequence<kOutputs>());
  }

  template <class Native>
  static R in_place(Plain<Parameters>... arguments) {
    if (C10_UNLIKELY(!(is_known(arguments) && ...))) return on_host(arguments...);
    const c10::OptionalDeviceGuard guard(device_among(arguments...));
    at::Tensor& self = std::get<0>(std::tie(arguments...));
    Given<Native, 1> op(true, self);
    op.meta(as_given(arguments)...);
    op.impl(as_given(arguments)..., op.maybe_get_output(0));
    op.finish();
    return self;
  }

  // The outputs stand last.
  template <class Native>
  static R out(Plain<Parameters>... arguments) {
    if (C10_UNLIKELY(!(is_known(arguments) && ...))) return on_host(arguments...);
    const c10::OptionalDeviceGuard guard(device_among(arguments...));
    constexpr size_t kInputs = sizeof...(Parameters) - kOutputs;
    auto all = std::tie(arguments...);
    return [&]<size_t... I, size_t... O>(std::index_sequence<I...>, std::index_sequence<O...>)->R {
      Given<Native, kOutputs> op(false, std::get<kInputs + O>(all)...);
      op.meta(as_given(std::get<I>(all))...);
      op.impl(as_given(std::get<I>(all))..., op.maybe_get_output(O)...);
      op.finish();
      if constexpr (std::is_reference_v<R>)
        return std::get<kInputs>(all);
      else
        return R{std::get<kInputs + O>(all)...};
    }
    (std::make_index_sequence<kInputs>(), std::make_index_sequence<kOutputs>());
  }

  static std::string name() {
    return Op::overload_name[0] == 0 ? std::string(Op::name)
                                     : std::string(Op::name) + "." + std::string(Op::overload_name);
  }
};

template <class Op, typename Entry<Op>::Function native>
void plain(torch::Library& m) {
  m.impl(Entry<Op>::name().c_str(), TORCH_FN((Entry<Op>::template guarded<native>)));
}

template <class Native, class Functional, class InPlace, class Out>
void structured(torch::Library& m) {
  if constexpr (!std::is_void_v<Functional>)
    m.impl(Entry<Functional>::name().c_str(), TORCH_FN((Entry<Functional>::template functional<Native>)));
  if constexpr (!std::is_void_v<InPlace>)
    m.impl(Entry<InPlace>::name().c_str(), TORCH_FN((Entry<InPlace>::template in_place<Native>)));
  if constexpr (!std::is_void_v<Out>)
    m.impl(Entry<Out>::name().c_str(), TORCH_FN((Entry<Out>::template out<Native>)));
}

}  // namespace torch_xhal::native
