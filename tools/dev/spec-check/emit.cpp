// SPDX-License-Identifier: Apache-2.0
#include "emit.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace xhal::spec {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::vector<Clause> sorted(const Clauses& clauses) {
  std::vector<Clause> list;
  std::copy_if(clauses.all().begin(), clauses.all().end(), std::back_inserter(list),
               [](const Clause& clause) { return !clause.withdrawn; });
  std::sort(list.begin(), list.end(), [](const Clause& a, const Clause& b) { return a.id() < b.id(); });
  return list;
}

}  // namespace

std::string clause_table(const Clauses& clauses) {
  std::string text;
  for (const Clause& clause : sorted(clauses)) {
    text += "{" + quoted(clause.id()) + ", " + quoted(clause.feature) + ", " + quoted(clause.rule) + "},\n";
  }
  return text;
}

std::string clause_ids(const Clauses& clauses) {
  std::string text;
  for (const Clause& clause : sorted(clauses)) text += quoted(clause.id()) + ",\n";
  return text;
}

bool write_if_changed(const std::filesystem::path& path, const std::string& text) {
  {
    std::ifstream old(path, std::ios::binary);
    if (old && std::string{std::istreambuf_iterator<char>(old), std::istreambuf_iterator<char>()} == text)
      return true;
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  return static_cast<bool>(out);
}

}  // namespace xhal::spec
