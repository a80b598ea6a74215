// SPDX-License-Identifier: Apache-2.0
// Filling of every type: complex numbers as pairs of real ones, and what no kernel computes with by integers of the same bits. They are
// registered here, since what codegen/ registers gives such types to the host before anything of ours is asked.
#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/TensorFactories.h>
#include <ATen/ops/complex_native.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye_native.h>
#include <ATen/ops/fill_native.h>
#include <ATen/ops/normal_native.h>
#include <ATen/ops/polar_native.h>
#include <ATen/ops/uniform_native.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/zero_native.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/native.hpp"
#include "ops/range.hpp"

namespace torch_xhal {
namespace {

template <class Op>
using Entry = native::Entry<Op>;

bool has_kernels(const at::Tensor& tensor) {
  return is_native_type(c10::toRealValueType(tensor.scalar_type()), tensor.device().index());
}

// An integer as wide as an element, for types that are bits to us.
at::ScalarType bits_of(const at::Tensor& tensor) {
  switch (tensor.element_size()) {
    case 1:
      return at::kChar;
    case 2:
      return at::kShort;
    case 4:
      return at::kInt;
    default:
      return at::kLong;
  }
}

// What the elements hold that a view with its bits set shows as this value.
c10::complex<double> stored(const at::Tensor& self, c10::complex<double> value) {
  const double sign = self.is_neg() ? -1 : 1;
  return {sign * value.real(), (self.is_conj() ? -sign : sign) * value.imag()};
}

at::Tensor parts_of(const at::Tensor& self) {
  at::Tensor plain = self.is_conj() ? self.conj() : self;
  return at::view_as_real(plain.is_neg() ? plain._neg_view() : plain);
}

// A value that an integer cannot hold raises.
void check_fits(at::ScalarType type, const at::Scalar& value) {
  if (!at::isIntegralType(type, false)) return;
  AT_DISPATCH_INTEGRAL_TYPES(type, "fill", [&] { static_cast<void>(value.to<scalar_t>()); });
}

at::Tensor& fill_value(at::Tensor& self, const at::Scalar& value) {
  const c10::DeviceGuard guard(self.device());
  if (is_native_type(self.scalar_type(), self.device().index()) && !value.isComplex()) {
    check_fits(self.scalar_type(), value);
    return at::native::fill_(self, value);
  }
  // The host says what the type cannot hold, and rounds.
  const at::Tensor one = at::empty({}, at::TensorOptions(self.scalar_type())).fill_(value);
  if (self.is_complex()) {
    if (!has_kernels(self)) return Entry<at::_ops::fill__Scalar>::on_host(self, value);
    const auto [real, imaginary] = stored(self, one.item().toComplexDouble());
    const at::Tensor parts = parts_of(self);
    parts.select(-1, 0).fill_(real);
    parts.select(-1, 1).fill_(imaginary);
    return self;
  }
  if (is_native_type(self.scalar_type(), self.device().index())) return at::native::fill_(self, one.item());
  if (self.is_neg()) return Entry<at::_ops::fill__Scalar>::on_host(self, value);
  self.view(bits_of(self)).fill_(one.view(bits_of(self)).item());
  return self;
}

at::Tensor& fill_tensor(at::Tensor& self, const at::Tensor& value) {
  const c10::DeviceGuard guard(self.device());
  // Of a tensor elsewhere PyTorch's asks for the value and then for a kernel of the type, which there may be none of.
  if (value.dim() == 0 && value.device() != self.device()) return fill_value(self, value.item());
  return at::native::fill_(self, value);
}

at::Tensor& zero(at::Tensor& self) { return fill_value(self, 0); }

at::Tensor& fill_normal(at::Tensor& self, double mean, double deviation,
                        std::optional<at::Generator> generator) {
  if (!has_kernels(self))
    return Entry<at::_ops::normal_>::on_host(self, mean, deviation, std::move(generator));
  const c10::DeviceGuard guard(self.device());
  return at::native::normal_(self, mean, deviation, std::move(generator));
}

at::Tensor& fill_uniform(at::Tensor& self, double from, double to, std::optional<at::Generator> generator) {
  if (!has_kernels(self)) return Entry<at::_ops::uniform_>::on_host(self, from, to, std::move(generator));
  const c10::DeviceGuard guard(self.device());
  return at::native::uniform_(self, from, to, std::move(generator));
}

at::Tensor& make_eye(int64_t n, int64_t m, at::Tensor& out) {
  if (!has_kernels(out) || out.scalar_type() == at::kComplexHalf)
    return Entry<at::_ops::eye_m_out>::on_host(n, m, out);
  const c10::DeviceGuard guard(out.device());
  return eye_m_out(n, m, out);
}
at::Tensor& make_square_eye(int64_t n, at::Tensor& out) { return make_eye(n, n, out); }

template <class Op, at::Tensor& (*run)(const at::Tensor&, const at::Tensor&, at::Tensor&)>
at::Tensor& make_complex(const at::Tensor& first, const at::Tensor& second, at::Tensor& out) {
  if (!has_kernels(first) || !has_kernels(second) || !has_kernels(out))
    return Entry<Op>::on_host(first, second, out);
  const c10::DeviceGuard guard(out.device());
  return run(first, second, out);
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("fill_.Scalar", &fill_value);
  m.impl("fill_.Tensor", &fill_tensor);
  m.impl("zero_", &zero);
  m.impl("normal_", &fill_normal);
  m.impl("uniform_", &fill_uniform);
  m.impl("eye.out", &make_square_eye);
  m.impl("eye.m_out", &make_eye);
  m.impl("complex.out", TORCH_FN((make_complex<at::_ops::complex_out, &at::native::complex_out>)));
  m.impl("polar.out", TORCH_FN((make_complex<at::_ops::polar_out, &at::native::polar_out>)));
}

// Both parts of an iterator's output, and its inputs as wide as that.
struct Parts {
  explicit Parts(const at::TensorIterator& iterator)
      : real(parts_of(iterator.tensor(0)).select(-1, 0)),
        imaginary(parts_of(iterator.tensor(0)).select(-1, 1)),
        first(iterator.tensor(1).expand_as(real)),
        second(iterator.tensor(2).expand_as(real)) {}
  at::Tensor real, imaginary, first, second;
};

void join_parts(at::TensorIterator& iterator) {
  const Parts parts(iterator);
  parts.real.copy_(parts.first);
  parts.imaginary.copy_(parts.second);
}

void join_polar(at::TensorIterator& iterator) {
  const Parts parts(iterator);
  parts.real.copy_(parts.second.cos().mul_(parts.first));
  parts.imaginary.copy_(parts.second.sin().mul_(parts.first));
}

}  // namespace
}  // namespace torch_xhal

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(complex_stub, &torch_xhal::join_parts)
REGISTER_PRIVATEUSE1_DISPATCH(polar_stub, &torch_xhal::join_polar)

}  // namespace at::native
