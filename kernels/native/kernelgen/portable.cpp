// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"

namespace xhal::kernelgen {
namespace {

struct Block {
  std::string label;
  std::vector<std::string> lines;  // its label's among them
};

std::string thawed(const std::string& line) {
  static constexpr std::string_view kFreeze = " = freeze ";
  const std::size_t at = line.find(kFreeze);
  if (at == std::string::npos) return line;
  // "TYPE VALUE", and perhaps metadata behind a comma.
  const std::string value = line.substr(at + kFreeze.size(), line.find(',', at) - at - kFreeze.size());
  return line.substr(0, at) + " = select i1 true, " + value + ", " + value;
}

bool is_label(const std::string& line) {
  return !line.empty() && line.front() != ' ' && line.front() != ';' && line.find(':') != std::string::npos;
}

// The blocks that the last line of a block names.
std::vector<std::string> successors(const Block& block) {
  static constexpr std::string_view kLabel = "label %";
  std::vector<std::string> out;
  std::string last;
  for (const std::string& line : block.lines)
    if (line.starts_with("  ")) last = line;
  for (std::size_t at = last.find(kLabel); at != std::string::npos; at = last.find(kLabel, at + 1)) {
    const std::size_t begin = at + kLabel.size();
    out.push_back(last.substr(begin, last.find_first_of(", \n", begin) - begin));
  }
  return out;
}

// Behind all that it leads to: reversed, a block stands behind those that dominate it.
void visit(const std::string& label, const std::map<std::string, Block>& blocks, std::set<std::string>& seen,
           std::vector<std::string>& order) {
  if (!blocks.contains(label) || !seen.insert(label).second) return;
  for (const std::string& next : successors(blocks.at(label))) visit(next, blocks, seen, order);
  order.push_back(label);
}

void append_ordered(const std::vector<Block>& body, std::string& out) {
  std::map<std::string, Block> blocks;
  for (const Block& block : body) blocks.emplace(block.label, block);
  std::set<std::string> seen;
  std::vector<std::string> order;
  if (!body.empty()) visit(body.front().label, blocks, seen, order);
  for (auto label = order.rbegin(); label != order.rend(); ++label)
    for (const std::string& line : blocks.at(*label).lines) out += line + "\n";
}

}  // namespace

std::string portable(const std::vector<std::string>& lines) {
  std::string out;
  std::vector<Block> body;
  bool is_in_function = false;
  for (const std::string& line : lines) {
    if (is_in_function && line == "}") {
      append_ordered(body, out);
      body.clear();
      is_in_function = false;
    }
    if (!is_in_function) {
      out += line + "\n";
      is_in_function = line.starts_with("define ");
    } else if (is_label(line)) {
      body.push_back({line.substr(0, line.find(':')), {line}});
    } else {
      if (body.empty()) body.push_back({"", {}});
      body.back().lines.push_back(thawed(line));
    }
  }
  return out;
}

}  // namespace xhal::kernelgen
