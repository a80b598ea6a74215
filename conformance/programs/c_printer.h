// SPDX-License-Identifier: Apache-2.0
// What programs written as C have in common, whichever interface they call: threads, gates, expected bytes, turns.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "programs/model.h"
#include "programs/oracle.h"
#include "programs/order.h"

namespace xhal::programs {

class CPrinter {
 public:
  explicit CPrinter(const Program& program);
  virtual ~CPrinter() = default;
  CPrinter(const CPrinter&) = delete;
  CPrinter& operator=(const CPrinter&) = delete;

  // `made_by` and `seen` stand in the comment on top.
  std::string text(const std::string& made_by, const std::string& seen);

 protected:
  // ---- Of the interface ----
  virtual void how_to_run() = 0;             // lines of the comment on top
  virtual void includes() = 0;               // headers beside those of C
  virtual void calls() = 0;                  // functions that the program's text needs
  virtual void gate_calls() = 0;             // pass(device), by which a gate lets others run
  virtual void gate_work() = 0;              // behind the gates: the host function that holds one shut
  virtual void objects() = 0;                // variables, graphs
  virtual void make_objects() = 0;           // a turn's
  virtual void finish() = 0;                 // a turn's work
  virtual void verify(uint32_t memory) = 0;  // against expected_<memory>
  virtual void clean_up() = 0;               // so that the next turn begins with new objects
  virtual void open() = 0;                   // in main
  virtual void close() = 0;                  // behind the last turn
  [[nodiscard]] virtual std::string stream_name(uint32_t stream) const = 0;
  [[nodiscard]] virtual std::string work(const Op& op, const std::string& stream) const = 0;

  // ---- For it ----
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }
  void piece(const char* text) { out_ += text; }

  template <class F>
  [[nodiscard]] bool any(F matches) const {
    return std::any_of(program_.ops.begin(), program_.ops.end(), matches) ||
           std::any_of(program_.graphs.begin(), program_.graphs.end(), [&](const Graph& graph) {
             return std::any_of(graph.body.begin(), graph.body.end(), matches);
           });
  }
  [[nodiscard]] bool has(Kind kind) const {
    return any([kind](const Op& op) { return op.kind == kind; });
  }
  [[nodiscard]] bool has_kernels() const {
    return any([](const Op& op) { return is_kernel(op.kind); });
  }
  // Whether it lives when the program has ended.
  [[nodiscard]] bool lives(uint32_t memory) const { return !expected_[memory].empty(); }

  const Program& program_;

 private:
  void head(const std::string& made_by, const std::string& seen);
  void thread(uint32_t t);
  void expectations();
  void once();
  void main_function();
  [[nodiscard]] bool opens_behind() const;

  const Contents expected_;
  const std::vector<Join> joins_;
  std::string out_;
};

}  // namespace xhal::programs
