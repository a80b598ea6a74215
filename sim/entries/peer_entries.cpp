// SPDX-License-Identifier: Apache-2.0
// Peer access: whether kernels of one device may be given another's memory.
#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

xhal_result_t check_pair(const Device& device, const Device& peer) {
  if (const xhal_result_t result = check_claimed(device, XHAL_FEATURE_PEER, "peer"); result < 0)
    return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (&device != &peer) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "device %u is no peer of itself and always reaches its own memory",
                   device.index);
}

xhal_result_t set(const Device& device, const Device& peer, bool enabled) {
  if (device.instance.memory.set_peer(device.index, peer.index, enabled)) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_ALREADY_DONE, "access of device %u to memory of device %u is %s already",
                   device.index, peer.index, enabled ? "enabled" : "disabled");
}

xhal_result_t enable_peer(xhal_device_t device, xhal_device_t peer) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_pair(d, device_of(peer)); result < 0) return result;
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    return set(d, device_of(peer), true);
  });
}

xhal_result_t disable_peer(xhal_device_t device, xhal_device_t peer) {
  const Device& d = device_of(device);
  if (const xhal_result_t result = check_pair(d, device_of(peer)); result < 0) return result;
  return set(d, device_of(peer), false);
}

}  // namespace

void add_peer_entries(xhal_functions_t& functions) {
  functions.device_enable_peer = enable_peer;
  functions.device_disable_peer = disable_peer;
}

}  // namespace xhal::sim
