// SPDX-License-Identifier: Apache-2.0
// usage: xhal-emit-clauses OUTPUT_DIR PAGE.md...
//
// Reads the numbered clauses of docs/spec and writes
//   clause_ids.inc    the sorted ids, from which the compiler checks every clause that a test names;
//   clause_table.inc  feature and rule of each, for lists and reports.
// Two files, so that a better wording of a rule does not rebuild every test.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct ClauseText {
  std::string page;
  unsigned number = 0;
  std::string feature;
  std::string rule;

  [[nodiscard]] std::string id() const { return "XHAL-" + page + "-" + std::to_string(number); }
};

std::string trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

// "**XHAL-EVENT-3** (core) A rule. — *Seen by:* ..."; false when the line starts no clause.
bool parse(const std::string& line, ClauseText& out, std::string& error) {
  constexpr std::string_view kStart = "**XHAL-";
  if (!line.starts_with(kStart)) return false;
  const size_t end = line.find("**", kStart.size());
  const size_t dash = line.rfind('-', end);
  if (end == std::string::npos || dash == std::string::npos || dash < kStart.size()) {
    error = "the id is not closed by **";
    return true;
  }
  out.page = line.substr(kStart.size(), dash - kStart.size());
  const std::string number = line.substr(dash + 1, end - dash - 1);
  const bool digits =
      !number.empty() && number.size() < 5 &&
      std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!digits || number.front() == '0') {
    error = "the clause number '" + number + "' is no number";
    return true;
  }
  out.number = static_cast<unsigned>(std::stoul(number));
  const size_t open = line.find('(', end);
  const size_t close = line.find(')', end);
  if (open == std::string::npos || close == std::string::npos ||
      !trimmed(line.substr(end + 2, open - end - 2)).empty()) {
    error = "the feature in parentheses is missing";
    return true;
  }
  out.feature = line.substr(open + 1, close - open - 1);
  constexpr std::string_view kSeen = "— *Seen by:*";
  out.rule = trimmed(std::string_view(line).substr(close + 1, line.find(kSeen, close) - close - 1));
  return true;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// Unchanged content keeps its time stamp, so that nothing is rebuilt.
bool write_if_changed(const std::filesystem::path& path, const std::string& content) {
  std::ifstream old(path, std::ios::binary);
  if (old) {
    const std::string former{std::istreambuf_iterator<char>(old), std::istreambuf_iterator<char>()};
    if (former == content) return true;
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  out.flush();
  if (!out) std::cerr << "xhal-emit-clauses: cannot write " << path << "\n";
  return static_cast<bool>(out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: xhal-emit-clauses OUTPUT_DIR PAGE.md...\n";
    return 2;
  }
  std::vector<ClauseText> clauses;
  for (int i = 2; i < argc; ++i) {
    std::ifstream page(argv[i]);
    if (!page) {
      std::cerr << "xhal-emit-clauses: cannot read " << argv[i] << "\n";
      return 1;
    }
    std::string line;
    for (unsigned number = 1; std::getline(page, line); ++number) {
      ClauseText clause;
      std::string error;
      if (!parse(line, clause, error)) continue;
      if (!error.empty()) {
        std::cerr << argv[i] << ":" << number << ": " << error << "\n";
        return 1;
      }
      if (clause.rule.find("*withdrawn*") == std::string::npos) clauses.push_back(clause);
    }
  }
  std::sort(clauses.begin(), clauses.end(),
            [](const ClauseText& a, const ClauseText& b) { return a.id() < b.id(); });
  for (size_t i = 1; i < clauses.size(); ++i) {
    if (clauses[i].id() == clauses[i - 1].id()) {
      std::cerr << "xhal-emit-clauses: " << clauses[i].id() << " stands in docs/spec twice\n";
      return 1;
    }
  }
  if (clauses.empty()) {
    std::cerr << "xhal-emit-clauses: no clause found\n";
    return 1;
  }
  std::ostringstream ids;
  std::ostringstream table;
  for (const ClauseText& clause : clauses) {
    ids << quoted(clause.id()) << ",\n";
    table << "{" << quoted(clause.id()) << ", " << quoted(clause.feature) << ", " << quoted(clause.rule)
          << "},\n";
  }
  const std::filesystem::path folder = argv[1];
  return write_if_changed(folder / "clause_ids.inc", ids.str()) &&
                 write_if_changed(folder / "clause_table.inc", table.str())
             ? 0
             : 1;
}
