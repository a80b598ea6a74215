// SPDX-License-Identifier: Apache-2.0
#include "bundle.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "report/sha256.h"

namespace xhal::test {

using conformance::sha256;
using nlohmann::json;

BundleCopy::BundleCopy(const std::string& folder) {
  report = json::parse(read_text(folder + "/report.json"));
  std::istringstream in(read_text(folder + "/transcript.jsonl"));
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
}

std::vector<size_t> BundleCopy::lines_of(const std::string& key, const std::string& test) const {
  std::vector<size_t> out;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (!lines[i].contains(key)) continue;
    const json& what = lines[i][key];
    if ((what.is_object() ? what["id"] : what) == test) out.push_back(i);
  }
  return out;
}

void BundleCopy::take_out(size_t index) {
  std::erase_if(lines, [&](const json& line) { return line.contains("index") && line["index"] == index; });
  for (json& line : lines) {
    if (line.contains("index") && line["index"] > index) line["index"] = line["index"].get<size_t>() - 1;
  }
}

json& BundleCopy::test(const std::string& id) {
  return *std::ranges::find_if(report["tests"], [&](const json& one) { return one["id"] == id; });
}

void BundleCopy::chain_again() {
  std::string previous;
  size_t count = 0;
  for (json& line : lines) {
    if (!line.contains("begin") && !line.contains("end") && !line.contains("schema")) {
      report["evidence"]["transcript"] = {{"lines", count}, {"head", previous}};
      line["report"] = sha256(report.dump(2) + "\n");
    }
    if (count++ > 0) line["previous"] = previous;
    previous = sha256(line.dump());
  }
}

void BundleCopy::write(const std::string& folder) const {
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/report.json") << report.dump(2) << "\n";
  std::ofstream out(folder + "/transcript.jsonl");
  for (const json& line : lines) out << line.dump() << "\n";
}

Ending answer(const std::string& folder, const std::vector<std::string>& arguments,
              const Environment& environment, const std::string& words) {
  return run_conform(arguments + std::vector<std::string>{"--challenge", words, "--bundle", folder},
                     environment);
}

Ending verify(const std::string& folder, const std::vector<std::string>& arguments,
              const Environment& environment) {
  return run_conform(std::vector<std::string>{"verify", folder} + arguments, environment);
}

size_t findings_in(const std::string& out) {
  size_t count = 0;
  std::istringstream in(out);
  for (std::string line; std::getline(in, line);) count += line.starts_with("finding: ") ? 1 : 0;
  return count;
}

}  // namespace xhal::test
