// SPDX-License-Identifier: Apache-2.0
#include "suite/pool_support.h"

#include <algorithm>

namespace xhal::conformance {

Pool::Pool(Context& t, uint64_t max_bytes, uint64_t release_threshold, size_t device) {
  t.touch(t.session(), device);
  xhal_pool_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.max_bytes = max_bytes;
  desc.release_threshold = release_threshold;
  REQUIRE_OK(xhal_pool_create(t.device(device), &desc, &handle_));
  require_given(t, handle_, "xhal_pool_create(device, &desc, &handle_)", XHAL_HERE);
}

void Pool::reset() {
  if (handle_ != nullptr) TRACED(xhal_pool_destroy(release()));
}

PoolMemory::PoolMemory(Context& t, xhal_pool_t pool, xhal_stream_t stream, uint64_t bytes)
    : pool_(pool), stream_(stream) {
  REQUIRE_MEMORY(xhal_pool_allocate(pool, stream, bytes, &pointer_), pointer_);
}

PoolMemory::~PoolMemory() {
  if (pointer_ != nullptr) TRACED(xhal_pool_free(pool_, stream_, release()));
}

HeldFree::HeldFree(Context& t, Gate::Kind hold, uint8_t contents)
    : t_(t),
      contents_(contents),
      pool_(t, 0, ~uint64_t{0}),
      held_(t),
      other_(t),
      seen_(pinned_memory(t, kBytes)),
      memory_(t, pool_, held_, kBytes) {
  REQUIRE_OK(xhal_memory_fill(held_, memory_, contents, 1, kBytes));
  REQUIRE_OK(xhal_stream_synchronize(held_, t.patience()));
  gate_.emplace(t, held_, hold);
  // A copy that may wait for its stream, as declared, must not meet a shut gate.
  if (may_block(t, XHAL_COPY_DEVICE_TO_PINNED)) gate_->open();
  REQUIRE_OK(xhal_memory_copy(held_, seen_, memory_, kBytes));
  REQUIRE_OK(xhal_pool_free(pool_, held_, memory_.release()));
}

std::vector<uint8_t> HeldFree::finish() {
  Context& t = t_;
  gate_->open();
  REQUIRE_OK(xhal_stream_synchronize(held_, t.patience()));
  REQUIRE_OK(xhal_stream_synchronize(other_, t.patience()));
  return {seen_.host().begin(), seen_.host().end()};
}

xhal_pool_info_t pool_info(Context& t, xhal_pool_t pool) {
  xhal_pool_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_pool_get_info(pool, &info));
  return info;
}

uint64_t large(Context& t) { return std::clamp<uint64_t>(free_bytes(t) / 16, 1u << 20, 64u << 20); }

}  // namespace xhal::conformance
