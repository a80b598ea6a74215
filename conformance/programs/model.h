// SPDX-License-Identifier: Apache-2.0
// A program as data: objects, and operations over them in one order. That order is what the oracle follows. A driver may follow any order
// that the contract allows; a program is race-free when all of those give the same contents (order.h tells).
//
// This header and the oracle know nothing of the project: they judge it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xhal::programs {

enum class Place : uint8_t { kDevice, kPinned, kPageable };
enum class Origin : uint8_t {
  kPermanent,  // allocated before the program, with contents that its number and the program's seed give
  kAllocated,  // by kAllocate, until kFree
  kPool        // by kPoolAllocate, until kPoolFree
};

struct Memory {
  Place place = Place::kDevice;
  Origin origin = Origin::kPermanent;
  uint32_t device = 0;
  uint32_t bytes = 0;
  uint32_t pool = 0;
};

enum class Kind : uint8_t {
  // Operations of a stream.
  kCopy,           // bytes from source to destination
  kFill,           // pattern `value` of `width` bytes
  kFold,           // kernel: cells[i] = mix(cells[i], value)
  kFold2,          // kernel: destination[i] = mix(mix(destination[i], source[i]), value)
  kAxpy,           // kernel: destination[i] += value * source[i], of 64 bits
  kCopyKernel,     // kernel: destination[i] = source[i], of 64 bits
  kHostFold,       // host function: kFold on the host
  kRecord,         // event
  kWait,           // event
  kPoolAllocate,   // memory `destination`
  kPoolFree,       // memory `destination`
  kLaunch,         // graph
  kGate,           // holds the stream shut until kOpen of the same gate
  kDestroyStream,  // nothing uses it afterwards
  // Operations of the host.
  kHostWrite,  // destination: the bytes that `value` gives
  kHostRead,   // destination = source, both pinned or pageable
  kAllocate,
  kFree,
  kQueryStream,
  kQueryEvent,
  kSyncStream,
  kSyncEvent,
  kSyncDevice,
  kPollEvent,   // queries until it is done
  kRenewEvent,  // destroys it and makes another in its place, never recorded
  // Opens a gate. Before, whoever may run gets the time to, above all `stream`. `width` not 0: the next call may itself wait for the gate, so the
  // opening begins behind its begin.
  kOpen
};

constexpr uint32_t kNone = UINT32_MAX;

struct Op {
  Kind kind = Kind::kCopy;
  uint8_t thread = 0;  // of the host, that calls
  uint8_t width = 0;
  uint32_t stream = kNone;
  uint32_t object = kNone;  // event, graph, gate, device of kSyncDevice
  uint32_t destination = kNone, destination_offset = 0;
  uint32_t source = kNone, source_offset = 0;
  uint32_t bytes = 0;
  uint64_t value = 0;
};

// Captured once, before the program begins. `body` holds operations of stream 0, which begins the capture, and of stream 1, which forks from
// it at the beginning and is joined at the end; those of one conflict with none of the other.
struct Graph {
  uint32_t device = 0;
  bool forks = false;
  std::vector<Op> body;
};

struct Program {
  uint64_t seed = 0;
  uint32_t threads = 1;
  uint32_t devices = 1;
  std::vector<uint32_t> streams;  // the device of each
  std::vector<uint32_t> events;
  std::vector<uint32_t> pools;
  std::vector<Memory> memories;
  std::vector<Graph> graphs;
  uint32_t gates = 0;
  std::vector<Op> ops;
};

struct Access {
  uint32_t memory;
  uint32_t begin, end;
  bool write;
  bool at_call;   // by the calling thread before it returns, else when the stream gets there
  bool lifetime;  // the memory begins or ends: not seen in contents
};

bool is_stream_op(Kind kind);
bool is_kernel(Kind kind);
// Blocks the calling thread until something is done.
bool waits_on_host(Kind kind);
const char* name_of(Kind kind);
// "copy 24 bytes from m2+8 to m0+16 on s1".
std::string text_of(const Program& program, const Op& op);

// Appends what the operation touches. The last moment of an allocated memory (kFree) is nothing that work in flight could conflict with.
void append_accesses(const Program& program, const Op& op, std::vector<Access>& out);

// The kernels' folding, by the text of kernels/README.md.
constexpr uint64_t mix(uint64_t cell, uint64_t value) {
  return (((cell << 5) | (cell >> 59)) ^ value) * 0x9E3779B97F4A7C15u + 0x7F4A7C15u;
}
// The words of pseudo-random data: word i of what `value` names.
constexpr uint64_t data_word(uint64_t value, uint64_t i) {
  uint64_t z = value + (i + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  return z ^ (z >> 29);
}
void write_data(uint64_t value, void* to, uint32_t bytes);
// The `value` of a permanent memory's first contents.
constexpr uint64_t initial_value(const Program& program, uint32_t memory) {
  return program.seed * 0xD6E8FEB86659FD93u + memory + 1;
}

}  // namespace xhal::programs
