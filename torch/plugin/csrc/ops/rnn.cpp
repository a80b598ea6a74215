// SPDX-License-Identifier: Apache-2.0
#include "ops/rnn.hpp"

#include <ATen/TensorUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "kernels/launch.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

struct CellKernel {
  Kernel dense_f32, f32, f64;
  Kernel& of(at::ScalarType type) { return type == at::kFloat ? dense_f32 : type == at::kDouble ? f64 : f32; }
};
#define TORCH_XHAL_CELL(name)                                                                        \
  {                                                                                                  \
    {"rnn", "xhal_" name "_dense_f32"}, {"rnn", "xhal_" name "_f32"}, { "rnn", "xhal_" name "_f64" } \
  }
constinit CellKernel lstm = TORCH_XHAL_CELL("lstm_cell");
constinit CellKernel lstm_gradient = TORCH_XHAL_CELL("lstm_cell_backward");
constinit CellKernel gru = TORCH_XHAL_CELL("gru_cell");
constinit CellKernel gru_gradient = TORCH_XHAL_CELL("gru_cell_backward");

constexpr int64_t kLstmGates = 4;
constexpr int64_t kGruGates = 3;
constexpr int64_t kGruKept = 5;

// Rows of units, and how a kernel reads an element.
struct Cell {
  explicit Cell(const at::Tensor& state)
      : rows(static_cast<uint64_t>(state.size(0))),
        units(static_cast<uint64_t>(state.size(1))),
        type(state.scalar_type()),
        device(state.device().index()) {}
  Grid grid() const { return items(device, units, rows); }
  uint32_t code() const { return code_of(type); }
  uint32_t bytes() const { return static_cast<uint32_t>(c10::elementSize(type)); }
  uint64_t rows, units;
  at::ScalarType type;
  c10::DeviceIndex device;
};

at::Tensor dense_or_none(const std::optional<at::Tensor>& tensor) {
  return tensor && tensor->defined() ? tensor->contiguous() : at::Tensor();
}
// A kernel does not look at what is missing.
Memory reads_or(const at::Tensor& tensor, const at::Tensor& instead) {
  return tensor.defined() ? reads(tensor) : Memory{instead.const_data_ptr(), 0, XHAL_ACCESS_READ};
}

void check_same(const char* name, const at::Tensor& state, const at::Tensor& other) {
  if (!other.defined()) return;
  TORCH_CHECK(other.device() == state.device(), name,
              ": Expected all tensors to be on the same device, but found at least two devices, ",
              state.device(), " and ", other.device(), "!");
  TORCH_CHECK(other.scalar_type() == state.scalar_type(), name, ": expected scalar type ",
              state.scalar_type(), " but found ", other.scalar_type());
}

void check_forward(const char* name, int64_t gates, const at::Tensor& input, const at::Tensor& hidden,
                   const at::Tensor& state, const at::Tensor& input_bias, const at::Tensor& hidden_bias) {
  const at::TensorArg first(input, "input_gates", 1);
  const at::TensorArg second(hidden, "hidden_gates", 2);
  const at::TensorArg before(state, "prev_hidden", 5);
  at::checkDim(name, first, 2);
  at::checkSameSize(name, first, second);
  if (input_bias.defined()) {
    const at::TensorArg bias(input_bias, "input_bias", 3);
    at::checkDim(name, bias, 1);
    at::checkNumel(name, bias, input.size(1));
    at::checkSameSize(name, bias, at::TensorArg(hidden_bias, "hidden_bias", 4));
  }
  at::checkDim(name, before, 2);
  at::checkNumel(name, before, input.size(0) * input.size(1) / gates);
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(state.scalar_type()), '"', name, "\" not implemented for '",
                              state.scalar_type(), "'");
  for (const at::Tensor& other : {input, hidden, input_bias, hidden_bias}) check_same(name, state, other);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm_cell(const at::Tensor& given_input,
                                                         const at::Tensor& given_hidden,
                                                         const at::Tensor& given_cx,
                                                         const std::optional<at::Tensor>& given_input_bias,
                                                         const std::optional<at::Tensor>& given_hidden_bias) {
  const at::Tensor input = given_input.contiguous();
  const at::Tensor hidden = given_hidden.contiguous();
  const at::Tensor cx = given_cx.contiguous();
  const at::Tensor input_bias = dense_or_none(given_input_bias);
  const at::Tensor hidden_bias = dense_or_none(given_hidden_bias);
  check_forward("_thnn_fused_lstm_cell", kLstmGates, input, hidden, cx, input_bias, hidden_bias);
  at::Tensor gates = at::empty_like(input);
  at::Tensor hy = at::empty_like(cx);
  at::Tensor cy = at::empty_like(cx);
  const Cell cell(cx);
  if (cx.numel() != 0)
    launch(lstm.of(cell.type), cell.device, cell.grid(), writes(hy), writes(cy), writes(gates), reads(input),
           reads(hidden), reads(cx), reads_or(input_bias, cx), reads_or(hidden_bias, cx), cell.rows,
           cell.units, uint32_t{input_bias.defined()}, cell.code(), cell.bytes());
  return {hy, cy, gates};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm_cell_backward(
    const std::optional<at::Tensor>& given_grad_hy, const std::optional<at::Tensor>& given_grad_cy,
    const at::Tensor& given_cx, const at::Tensor& given_cy, const at::Tensor& given_gates, bool has_bias) {
  const at::Tensor grad_hy = dense_or_none(given_grad_hy);
  const at::Tensor grad_cy = dense_or_none(given_grad_cy);
  if (!grad_hy.defined() && !grad_cy.defined()) return {};
  const char* name = "fused_lstm_cell_backward";
  const at::Tensor cx = given_cx.contiguous();
  const at::Tensor cy = given_cy.contiguous();
  const at::Tensor gates = given_gates.contiguous();
  const auto sizes = (grad_hy.defined() ? grad_hy : grad_cy).sizes();
  at::checkDim(name, at::TensorArg(cx, "cx", 3), 2);
  for (const at::Tensor& other : {grad_hy, grad_cy, cx, cy}) {
    if (other.defined()) at::checkSize(name, at::TensorArg(other, "state", 0), sizes);
    check_same(name, cx, other);
  }
  at::checkDim(name, at::TensorArg(gates, "workspace", 5), 2);
  at::checkNumel(name, at::TensorArg(gates, "workspace", 5), cx.numel() * kLstmGates);
  check_same(name, cx, gates);
  at::Tensor grad_gates = at::empty_like(gates);
  at::Tensor grad_cx = at::empty_like(cx);
  const Cell cell(cx);
  if (cx.numel() != 0)
    launch(lstm_gradient.of(cell.type), cell.device, cell.grid(), writes(grad_gates), writes(grad_cx),
           reads_or(grad_hy, cx), reads_or(grad_cy, cx), reads(cx), reads(cy), reads(gates), cell.rows,
           cell.units, uint32_t{grad_hy.defined()}, uint32_t{grad_cy.defined()}, cell.code(), cell.bytes());
  return {grad_gates, grad_cx, has_bias ? grad_gates.sum(0, /*keepdim=*/false) : at::Tensor()};
}

std::tuple<at::Tensor, at::Tensor> gru_cell(const at::Tensor& given_input, const at::Tensor& given_hidden,
                                            const at::Tensor& given_hx,
                                            const std::optional<at::Tensor>& given_input_bias,
                                            const std::optional<at::Tensor>& given_hidden_bias) {
  const at::Tensor input = given_input.contiguous();
  const at::Tensor hidden = given_hidden.contiguous();
  const at::Tensor hx = given_hx.contiguous();
  const at::Tensor input_bias = dense_or_none(given_input_bias);
  const at::Tensor hidden_bias = dense_or_none(given_hidden_bias);
  check_forward("_thnn_fused_gru_cell", kGruGates, input, hidden, hx, input_bias, hidden_bias);
  at::Tensor kept = at::empty({hx.size(0), hx.size(1) * kGruKept}, hx.options());
  at::Tensor hy = at::empty_like(hx);
  const Cell cell(hx);
  if (hx.numel() != 0)
    launch(gru.of(cell.type), cell.device, cell.grid(), writes(hy), writes(kept), reads(input), reads(hidden),
           reads(hx), reads_or(input_bias, hx), reads_or(hidden_bias, hx), cell.rows, cell.units,
           uint32_t{input_bias.defined()}, cell.code(), cell.bytes());
  return {hy, kept};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> gru_cell_backward(
    const at::Tensor& given_grad_hy, const at::Tensor& given_kept, bool has_bias) {
  const char* name = "fused_gru_cell_backward";
  const at::Tensor grad_hy = given_grad_hy.contiguous();
  const at::Tensor kept = given_kept.contiguous();
  at::checkDim(name, at::TensorArg(grad_hy, "grad_hy", 1), 2);
  at::checkSize(name, at::TensorArg(kept, "workspace", 2), {grad_hy.size(0), grad_hy.size(1) * kGruKept});
  check_same(name, grad_hy, kept);
  at::Tensor grad_input = at::empty({grad_hy.size(0), grad_hy.size(1) * kGruGates}, grad_hy.options());
  at::Tensor grad_hidden = at::empty_like(grad_input);
  at::Tensor grad_hx = at::empty_like(grad_hy);
  const Cell cell(grad_hy);
  if (grad_hy.numel() != 0)
    launch(gru_gradient.of(cell.type), cell.device, cell.grid(), writes(grad_input), writes(grad_hidden),
           writes(grad_hx), reads(grad_hy), reads(kept), cell.rows, cell.units, cell.code(), cell.bytes());
  if (!has_bias) return {grad_input, grad_hidden, grad_hx, at::Tensor(), at::Tensor()};
  return {grad_input, grad_hidden, grad_hx, grad_input.sum(0, /*keepdim=*/false),
          grad_hidden.sum(0, /*keepdim=*/false)};
}

}  // namespace torch_xhal
