// SPDX-License-Identifier: Apache-2.0
#include "bench/lanes/no_reference.hpp"

#include "run/level.h"

namespace xhal::bench {
namespace {

struct Reason {
  const char* rows;  // a glob over names
  const char* why;
};

constexpr const char* kOfLibxhal = "what is measured is libxhal's own";
constexpr const char* kItself = "the row holds the driver against itself";
constexpr const char* kNoCapture =
    "OpenCL captures nothing: a graph of ours is commands that are enqueued anew";
constexpr const char* kPrograms = "what is measured is a program from its start to its end";
constexpr const char* kMadeOf = "a line through rows that have one each, by size";
constexpr const char* kKernels =
    "what is measured is what the device and its compiler make of a kernel, in either case";
constexpr const char* kObjects = "what is counted are bytes, of objects that OpenCL does not have";
constexpr const char* kNoPools = "OpenCL has no pools";
constexpr const char* kOneDevice = "the raw calls have one device";
constexpr const char* kTimes = "what is measured is the device's clock";

// The first one that fits.
constexpr Reason kReasons[] = {
    {"call.stream_query", "OpenCL has no question about a queue"},
    {"call.*", kOfLibxhal},
    {"launch.args/slope", "a line through launch.args, which has one by the number of arguments"},
    {"launch.wake*", "the caller's sleep is measured; a native kernel has no part in a wait"},
    {"launch.depth", kItself},
    {"launch.streams/*", kItself},
    {"launch.allocations/*", kItself},
    {"event.create_destroy/*", "OpenCL's events are made by commands: none is made alone"},
    {"event.elapsed", kTimes},
    {"event.resolution", kTimes},
    {"pool.*", kNoPools},
    {"ptr.attr/*", "shared virtual memory has no question about a pointer"},
    {"host.register/*", "OpenCL registers no memory of the host"},
    {"ipc.*", "OpenCL shares no memory between processes"},
    {"module.load/cold", kItself},
    {"init.*", kPrograms},
    {"copy.*.fit", kMadeOf},
    {"copy.p2p/*", kOneDevice},
    {"copy.concurrent/*", kItself},
    {"copy.bidir", kItself},
    {"copy.overlap", kItself},
    {"copy.small_batch", kItself},
    {"stream.copy*", kKernels},
    {"stream.triad*", kKernels},
    {"stream.dot*", kKernels},
    {"fma.*", kKernels},
    {"fault.*", "OpenCL tells of no such thing"},
    {"gap.*", kKernels},
    {"concurrency/*", kKernels},
    {"priority.preempt", kKernels},
    {"streams.many/*", kItself},
    {"scale.devices*", kOneDevice},
    {"graph.capture", kNoCapture},
    {"graph.instantiate", kNoCapture},
    {"graph.update", kNoCapture},
    {"graph.launch", kNoCapture},
    {"graph.first_launch", kNoCapture},
    {"jitter*", kItself},
    {"leak.cycle/*", kObjects},
    {"memory.*", kObjects},
    {"idle.burn/*", kItself},
};

}  // namespace

std::string_view why_no_opencl(const std::string& row) {
  for (const Reason& one : kReasons)
    if (conformance::glob_matches(one.rows, row)) return one.why;
  return "";
}

}  // namespace xhal::bench
