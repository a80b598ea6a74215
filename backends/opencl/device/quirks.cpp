// SPDX-License-Identifier: Apache-2.0
#include "device/quirks.hpp"

#include "device/facts.hpp"

namespace xhal::opencl {
namespace {

constexpr QuirkRow kRows[] = {
    {kNoUserEvents, "Portable Computing Language", "basic", "",
     "clSetUserEventStatus does not return when a command waits for the event",
     "https://github.com/pocl/pocl/issues/1177", "the device is offered as a synchronous one"},
    {kNoUserEvents, "Oclgrind", "", "",
     "clFlush does not return while a command waits for a user event: commands run in the calling thread",
     "https://github.com/jrprice/Oclgrind/issues/93", "the device is offered as a synchronous one"},
    {kNoCalledKernels, "Oclgrind", "", "",
     "a kernel with local arrays that another kernel calls ends in 'Unsupported pointer size: 0 bytes'",
     "https://github.com/jrprice/Oclgrind/issues",
     "the device, which has plain buffers only, is not offered"},
    {kStartsUnasked, "Portable Computing Language", "basic", "", "a command is done when it is in its queue",
     "https://github.com/pocl/pocl", "nothing is flushed or finished"},
    {kStartsUnasked, "Portable Computing Language", "pthread", "",
     "a command starts as soon as what it waits for is done, flushed or not", "https://github.com/pocl/pocl",
     "nothing is flushed"},
    {kCachesPrograms, "Portable Computing Language", "", "", "what was compiled is kept in POCL_CACHE_DIR",
     "https://portablecl.org/docs/html/env_variables.html", "programs are not kept a second time"},
    {kLowGroupLimit, "rusticl", "llvmpipe", "22.",
     "CL_KERNEL_WORK_GROUP_SIZE says 32, and groups as large as the device's limit run",
     "https://gitlab.freedesktop.org/mesa/mesa/-/tree/22.3/src/gallium/frontends/rusticl",
     "the device's limit is told"},
    {kStartsUnasked, "Intel(R) OpenCL", "", "",
     "a command starts as soon as what it waits for is done, flushed or not",
     "https://www.intel.com/content/www/us/en/developer/articles/tool/opencl-drivers.html",
     "nothing is flushed"},
    {kFinishRuns, "Intel(R) OpenCL", "", "",
     "a thread in clFinish runs what is left of the queue, one in clWaitForEvents wakes another to do it",
     "https://www.intel.com/content/www/us/en/developer/articles/tool/opencl-drivers.html",
     "waits for a stream that have no end are clFinish's"},
};

}  // namespace

std::span<const QuirkRow> all_quirks() { return kRows; }

bool applies(const QuirkRow& row, const DeviceFacts& facts) {
  return std::string_view(facts.platform_name) == row.platform &&
         std::string_view(facts.name).starts_with(row.device) &&
         std::string_view(facts.driver_version).starts_with(row.version_prefix);
}

uint32_t quirks_of(const DeviceFacts& facts) {
  uint32_t out = 0;
  for (const QuirkRow& row : kRows)
    if (applies(row, facts)) out |= row.quirk;
  return out;
}

}  // namespace xhal::opencl
