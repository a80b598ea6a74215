// SPDX-License-Identifier: Apache-2.0
// A small repository in a temporary folder that spec-check finds nothing in, to be spoilt one line at a time.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "contract.hpp"
#include "coverage.hpp"
#include "evidence.hpp"
#include "pages.hpp"

namespace xhal::spec {

class Tree {
 public:
  Tree() {
    std::string path = (std::filesystem::temp_directory_path() / "xhal-spec-check-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + path);
    root_ = path;
    write("include/xhal/features.def",
          "XHAL_FEATURE(CORE, core, 0, 0, CORE, SETTLED, \"all\")\n"
          "XHAL_FEATURE(PEER, peer, 1, 0, CORE, EXPERIMENTAL, \"reach, others\")\n"
          "XHAL_FEATURE(TIMING, timing, 2, 0, CORE, SETTLED, \"time\")\n");
    write("include/xhal/entry_points.def",
          "#define XHAL_ENTRY(feature, since, name, ...)\n"
          "XHAL_HOST_ENTRY(get_version, (OUTO, uint32_t*, out_major))\n"
          "XHAL_ENTRY(CORE, 0, stream_query, (H, stream, stream))\n"
          "XHAL_ENTRY(PEER, 0, device_enable_peer, (H, device, device),\n"
          "           (H, device, peer))\n");
    write("include/xhal/base.h",
          "/* [XHAL-EVENT-1..2] */\nenum { XHAL_ERROR_BUSY = -1 };\n"
          "XHAL_EXPORT const char* xhal_result_name(int result);\n"
          "XHAL_EXPORT int xhal_stream_query(xhal_stream_t stream);\n"
          "XHAL_EXPORT int xhal_driver_negotiate(void* host,\n"
          "                                      void* out);\n");
    write("docs/spec/README.md",
          "| [event.md](event.md) | events |\n    **XHAL-<PAGE>-<n>** (<feature>) One rule.\n");
    write("docs/spec/event.md",
          "# Events\n"
          "\n"
          "**XHAL-EVENT-1** (core) A rule, `XHAL_ERROR_BUSY`. — *Seen by:* a test of xhal_stream_query.\n"
          "\n"
          "**XHAL-EVENT-2** (host) A rule of the host. — *Seen by:* another.\n"
          "\n"
          "**XHAL-EVENT-3** (peer) A rule of peers. — *Seen by:* a third.\n"
          "\n"
          "**XHAL-EVENT-4** (core) *withdrawn*: nobody kept it.\n"
          "\n"
          "**XHAL-EVENT-5** (timing) A \"timed\" rule. — *Seen by:* a clock.\n");
    write("docs/spec/coverage.md",
          "# Coverage\n"
          "\n"
          "| need | calls and clauses | remark |\n"
          "| --- | --- | --- |\n"
          "| is it done | `xhal_stream_query` XHAL-EVENT-1 | cheap |\n"
          "| allocator | above the HAL: a policy of the framework | PyTorch has one |\n"
          "\n"
          "| call | CUDA | HIP | Level Zero | OpenCL |\n"
          "| --- | --- | --- | --- | --- |\n"
          "| `xhal_get_version` | libxhal: its own number | libxhal: its own number | libxhal: its own "
          "number | libxhal: its own number |\n"
          "| `xhal_stream_query` | `cuStreamQuery` | `hipStreamQuery` | `zeFenceQueryStatus` | own state: "
          "counts by call-backs |\n"
          "| `xhal_device_enable_peer` | `cuCtxEnablePeerAccess` | `hipDeviceEnablePeerAccess` | own state: "
          "always on | not claimed: no such call |\n"
          "| `xhal_result_name` | libxhal: from the list | libxhal: from the list | libxhal: from the list | "
          "libxhal: from the list |\n");
    write("docs/torch.md",
          "| need | calls and clauses | in torch_xhal | remark |\n"
          "| --- | --- | --- | --- |\n"
          "| `query`, done | `xhal_stream_query` XHAL-EVENT-1..2 | events | cheap |\n"
          "| seeds | above the HAL: a policy of it | generator | by kernels |\n");
    write("conformance/levels/torch.toml",
          "schema = 1\nname = \"torch\"\n\n[[interface]]\nname = \"query, done\"\n"
          "clauses = [\"XHAL-EVENT-1\", \"XHAL-EVENT-2\"]\n");
    write("docs/spec/sketches/cuda/all.c",
          "static int sketch_stream_query(CUstream s) {\n  return cuStreamQuery(s);\n}\n"
          "static int sketch_device_enable_peer(CUcontext c) {\n  return cuCtxEnablePeerAccess(c, 0);\n}\n");
    write("docs/spec/sketches/hip/all.c",
          "static int sketch_stream_query(hipStream_t s) { return hipStreamQuery(s); }\n"
          "static int sketch_device_enable_peer(int d) { return hipDeviceEnablePeerAccess(d, 0); }\n");
    write("docs/spec/sketches/level_zero/all.c",
          "static int sketch_stream_query(ze_fence_handle_t f) {\n  return zeFenceQueryStatus(f);\n}\n");
    write("docs/spec/pending.txt", "count 1\n# why\nXHAL-EVENT-3\n");
    write("tests/event_test.cpp", marker("XHAL-EVENT-2") + "\n");
    write("tests.json", R"({"tests": [{"id": "event.a", "clauses": ["XHAL-EVENT-1", "XHAL-EVENT-5"]}]})");
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

  // In two pieces, so that this file does not look as if it tested that clause.
  static std::string marker(const std::string& id) { return std::string("XHAL_CLAUSE(\"") + id + "\");"; }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(root_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void replace(const std::string& name, const std::string& from, const std::string& to) const {
    std::string text = read(name);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << name << " does not hold " << from;
    write(name, text.replace(at, from.size(), to));
  }

  // All checks with the tree's tests.json, one message a line.
  [[nodiscard]] std::string check(std::optional<size_t> former_pending = std::nullopt) const {
    Findings findings;
    const Contract contract = read_contract(root_, findings);
    const Clauses clauses = read_pages(root_, contract, findings);
    check_mentions(root_, clauses, findings);
    check_coverage(root_, contract, clauses, findings);
    Tested tested;
    read_markers(root_, clauses, tested, findings);
    read_test_list(root_ / "tests.json", clauses, tested, findings);
    check_tested(contract, clauses, tested, findings);
    check_pending(root_, contract, clauses, tested, former_pending, findings);
    std::string messages;
    for (const Finding& finding : findings) messages += finding.message() + "\n";
    return messages;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace xhal::spec
