// SPDX-License-Identifier: Apache-2.0
// What is told of a graph: counts, and a text in the DOT language that agrees with them.
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

// As much of the DOT language as tells nodes and edges. A node is a name that a node or edge statement uses.
class Dot {
 public:
  explicit Dot(std::string_view text) : text_(text) { whole(); }

  // "" when the text is DOT.
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] size_t node_count() const { return nodes_.size(); }
  [[nodiscard]] size_t edge_count() const { return edges_.size(); }
  [[nodiscard]] size_t root_count() const {
    std::set<std::string> roots = nodes_;
    for (const auto& [from, to] : edges_) roots.erase(to);
    return roots.size();
  }

 private:
  enum class Kind { kEnd, kName, kMark };

  void fail(const std::string& why) {
    if (error_.empty()) error_ = fmt::format("{} at byte {}", why, at_);
    at_ = text_.size();
    kind_ = Kind::kEnd;
    token_.clear();
  }

  void whole() {
    next();
    if (token_ == "strict") next();
    if (token_ != "digraph") return fail("it does not begin with 'digraph'");
    next();
    if (token_ != "{") next();
    if (token_ != "{") return fail("no '{' behind the graph's name");
    statements();
    if (error_.empty() && kind_ != Kind::kEnd) fail("text behind the graph");
  }

  void skip_blanks() {
    for (;;) {
      while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("//") || rest.starts_with("#")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (rest.starts_with("/*")) {
        const size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  void next() {
    skip_blanks();
    token_.clear();
    if (at_ >= text_.size()) {
      kind_ = Kind::kEnd;
      return;
    }
    const char first = text_[at_];
    const auto plain = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    };
    if (first == '"') {
      quoted();
    } else if (first == '<') {
      marked_up();
    } else if (text_.substr(at_).starts_with("->") || text_.substr(at_).starts_with("--")) {
      kind_ = Kind::kMark;
      token_ = text_.substr(at_, 2);
      at_ += 2;
    } else if (plain(first) || first == '-') {
      kind_ = Kind::kName;
      do token_ += text_[at_++];
      while (at_ < text_.size() && plain(text_[at_]));
    } else {
      kind_ = Kind::kMark;
      token_ = text_[at_++];
    }
  }
  void quoted() {
    kind_ = Kind::kName;
    // In quotes, so that a node called "edge" is none of the words of the language.
    token_ = '"';
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) token_ += text_[at_++];
      token_ += text_[at_];
    }
    if (at_ >= text_.size()) return fail("a quoted text has no end");
    ++at_;
  }
  void marked_up() {
    kind_ = Kind::kName;
    int depth = 0;
    do {
      if (text_[at_] == '<') ++depth;
      if (text_[at_] == '>') --depth;
      token_ += text_[at_++];
    } while (depth > 0 && at_ < text_.size());
    if (depth > 0) fail("a marked-up text has no end");
  }

  void statements() {
    next();
    while (token_ != "}") {
      if (kind_ == Kind::kEnd) return fail("a '{' without its '}'");
      statement();
    }
    next();
  }

  void statement() {
    if (token_ == ";" || token_ == ",") return next();
    if (token_ == "{") return statements();
    if (kind_ != Kind::kName) return fail("no statement begins with '" + token_ + "'");
    std::string name = token_;
    next();
    if (name == "subgraph") {
      if (token_ != "{") next();
      if (token_ != "{") return fail("no '{' behind 'subgraph'");
      return statements();
    }
    if (name == "graph" || name == "node" || name == "edge") return attributes();
    if (token_ == "=") {
      next();
      return next();
    }
    port();
    nodes_.insert(name);
    while (token_ == "->") {
      next();
      if (kind_ != Kind::kName) return fail("no node behind '->'");
      std::string to = token_;
      next();
      port();
      nodes_.insert(to);
      edges_.emplace(name, to);
      name = std::move(to);
    }
    attributes();
  }
  void port() {
    while (token_ == ":") {
      next();
      next();
    }
  }
  void attributes() {
    while (token_ == "[") {
      while (token_ != "]") {
        if (kind_ == Kind::kEnd) return fail("a '[' without its ']'");
        next();
      }
      next();
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  Kind kind_ = Kind::kEnd;
  std::string token_;
  std::string error_;
  std::set<std::string> nodes_;
  std::set<std::pair<std::string, std::string>> edges_;
};

int32_t gather(void* user, const char* text, uint64_t length) {
  static_cast<std::string*>(user)->append(text, length);
  return 0;
}

Cases contents() { return grid({{"nodes", {"none", "fills", "all_kinds", "fork"}}}); }

XHAL_TEST_P(
    graph, dump, contents, .clauses = {"XHAL-GRAPH-17"},
    .observes =
        "the dump of graphs without nodes, of a chain of fills, of all kinds of nodes and of a fork, read "
        "as DOT: nodes, edges and roots as the info counts them, and at least one node for each captured "
        "operation; the same text twice",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Event over(t);
  auto& called = t.kept<HostCall>();
  const Buffer memory = pinned_memory(t, 64);
  const std::string& nodes = t.text("nodes");
  uint32_t operations = 0;
  const Graph graph = captured(t, stream, [&](xhal_stream_t s) {
    const auto fill = [&](xhal_stream_t on, uint64_t at) {
      REQUIRE_OK(xhal_memory_fill(on, memory.at(at), at, 4, 4));
      ++operations;
    };
    if (nodes == "none") return;
    fill(s, 0);
    fill(s, 4);
    if (nodes == "all_kinds") {
      REQUIRE_OK(xhal_memory_copy(s, memory.at(16), memory, 8));
      REQUIRE_OK(xhal_stream_host_function(s, count_call, &called));
      operations += 2;
      if (t.has_kernels()) {
        REQUIRE_OK(fold(t, s, memory.at(32), 5, 1));
        ++operations;
      }
    }
    if (nodes == "fork") {
      REQUIRE_OK(xhal_event_record(over, s, 0));
      REQUIRE_OK(xhal_stream_wait_event(forked, over, 0));
      fill(forked, 8);
      fill(s, 12);
      REQUIRE_OK(xhal_event_record(over, forked, 0));
      REQUIRE_OK(xhal_stream_wait_event(s, over, 0));
      fill(s, 16);
    }
  });
  const xhal_graph_info_t info = graph_info(t, graph);
  std::string text;
  std::string again;
  EXPECT_RESULT("XHAL-GRAPH-17", xhal_graph_dump(graph, gather, &text), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-17", xhal_graph_dump(graph, gather, &again), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-17", text == again, "a second dump differs");
  const Dot dot(text);
  ASSERT_CLAUSE("XHAL-GRAPH-17", dot.error().empty(), "{}; the text: {}", dot.error(), text.substr(0, 400));
  EXPECT_VALUE("XHAL-GRAPH-17", dot.node_count(), info.node_count, "nodes");
  EXPECT_VALUE("XHAL-GRAPH-17", dot.edge_count(), info.edge_count, "edges");
  EXPECT_VALUE("XHAL-GRAPH-17", dot.root_count(), info.root_count, "roots");
  // A driver may need several nodes for one operation.
  EXPECT_CLAUSE("XHAL-GRAPH-17", operations == 0 ? info.node_count == 0 : info.node_count >= operations,
                "{} nodes of {} operations", info.node_count, operations);
  EXPECT_VALUE("XHAL-GRAPH-17", info.root_count, operations == 0 ? 0u : 1u,
               "everything hangs on the first fill");
}

int32_t stop_at_once(void* user, const char*, uint64_t) {
  ++*static_cast<int*>(user);
  return 1;
}

XHAL_TEST(graph, dump_is_stopped, .clauses = {"XHAL-GRAPH-17"},
          .observes = "calls of a sink that answers non-zero, for a graph of a hundred nodes",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  const Buffer memory = pinned_memory(t, 64);
  const Graph graph = captured(t, stream, [&](xhal_stream_t s) {
    for (uint64_t i = 0; i < 100; ++i) REQUIRE_OK(xhal_memory_fill(s, memory, i, 4, 64));
  });
  int calls = 0;
  // What it answers is the driver's.
  TRACED(xhal_graph_dump(graph, stop_at_once, &calls));
  EXPECT_VALUE("XHAL-GRAPH-17", calls, 1);
  std::string text;
  EXPECT_RESULT("XHAL-GRAPH-17", xhal_graph_dump(graph, gather, &text), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-GRAPH-17", Dot(text).node_count(), graph_info(t, graph).node_count);
}

}  // namespace
}  // namespace xhal::conformance
