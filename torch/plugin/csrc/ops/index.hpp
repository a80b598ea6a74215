// SPDX-License-Identifier: Apache-2.0
// Elements that tensors of indices name: reading them, writing them, and combining them with values.
//
// An index that names no element cannot raise where it is given, as the host does: that would be a wait for the device at each launch. No
// kernel reads or writes outside of its tensor: what is read there is 0, and what is written there goes nowhere. What the host knows without
// looking at data (shapes, types, a dimension of size 0) raises as ever.
#pragma once

#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/index_add_meta.h>
#include <ATen/ops/index_copy_meta.h>
#include <ATen/ops/index_meta.h>
#include <ATen/ops/index_reduce_meta.h>
#include <c10/core/Scalar.h>

#include <initializer_list>
#include <optional>

#include "xhal/operators.h"

namespace torch_xhal {

// Along `self`'s dimension that the index moves in, self's own stride is 0. All three have one shape, or are broadcast to it.
struct Indexed {
  at::Tensor self;
  at::Tensor values;
  at::Tensor index;
  int64_t count;  // of places in the indexed dimension
  int64_t bytes;  // from one to the next
  bool wraps;     // negative indices count from behind
};
void get_indexed(const Indexed& indexed);
void set_indexed(const Indexed& indexed);
// Values of one place are combined in their order where there are enough places to share among items, or where PyTorch is to be
// deterministic; integers are the same in any order.
void update_indexed(const Indexed& indexed, xhal_op_update_code op);

// Of 16 bits sums are made in 32 and rounded once: `run` gets self and values in what they are made in.
template <class Run>
void in_wide_sums(const at::Tensor& self, const at::Tensor& values, const Run& run) {
  if (!at::isReducedFloatingType(self.scalar_type())) {
    run(self, values);
    return;
  }
  const at::Tensor wide = self.to(at::kFloat);
  run(wide, values.to(at::kFloat));
  self.copy_(wide);
}

// As of index_add_ and its kind: the index goes along one dimension of self, and values have its length there.
Indexed along(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& values,
              bool wraps);

void check_one_device(const at::Tensor& first, std::initializer_list<at::Tensor> others);

struct Index : at::meta::structured_index_Tensor {
  void meta(const at::Tensor& self, at::IOptTensorListRef indices);
  void impl(const at::Tensor& self, at::IOptTensorListRef indices, const at::Tensor& out);

 private:
  at::DimVector sizes_, strides_;
};
struct IndexAdd : at::meta::structured_index_add {
  void impl(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& source,
            const at::Scalar& alpha, const at::Tensor& out);
};
struct IndexCopy : at::meta::structured_index_copy {
  void impl(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& source,
            const at::Tensor& out);
};
struct IndexReduce : at::meta::structured_index_reduce {
  void impl(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& source,
            c10::string_view reduce, bool include_self, const at::Tensor& out);
};

at::Tensor index_select(const at::Tensor& self, int64_t dim, const at::Tensor& index);
at::Tensor& index_select_out(const at::Tensor& self, int64_t dim, const at::Tensor& index, at::Tensor& out);
at::Tensor embedding_dense_backward(const at::Tensor& gradient, const at::Tensor& indices, int64_t count,
                                    int64_t padding, bool scales_by_frequency);
at::Tensor bincount(const at::Tensor& self, const std::optional<at::Tensor>& weights, int64_t least);

// What a mask selects, and where it does.
at::Tensor& masked_fill_(at::Tensor& self, const at::Tensor& mask, const at::Tensor& value);
at::Tensor nonzero(const at::Tensor& self);
at::Tensor& nonzero_out(const at::Tensor& self, at::Tensor& out);
at::Tensor masked_select(const at::Tensor& self, const at::Tensor& mask);
at::Tensor& masked_select_out(const at::Tensor& self, const at::Tensor& mask, at::Tensor& out);
at::Tensor& masked_scatter_(at::Tensor& self, const at::Tensor& mask, const at::Tensor& source);
at::Tensor count_nonzero(const at::Tensor& self, at::IntArrayRef dims);
at::Tensor repeat_interleave(const at::Tensor& repeats, std::optional<int64_t> size);

}  // namespace torch_xhal
