// SPDX-License-Identifier: Apache-2.0
#include "contract.hpp"

#include <algorithm>

namespace xhal::spec {

namespace {

// The arguments of a line "MACRO(a, b, ...", or nothing; those behind the first nested parenthesis or string do not matter here.
std::vector<std::string> macro_arguments(const std::string& line, std::string_view macro) {
  if (!line.starts_with(macro) || line.size() <= macro.size() || line[macro.size()] != '(') return {};
  const std::string_view rest = std::string_view(line).substr(macro.size() + 1);
  std::vector<std::string> arguments;
  for (const std::string& part : split(rest.substr(0, rest.find_first_of("()\"")), ','))
    arguments.emplace_back(trimmed(part));
  return arguments;
}

void read_features(const std::filesystem::path& root, Contract& contract, Findings& findings) {
  const auto file = read_text(root, kFeatureList);
  if (!file) {
    findings.push_back({kFeatureList, 1, "cannot be read"});
    return;
  }
  for (size_t i = 0; i < file->lines.size(); ++i) {
    const auto arguments = macro_arguments(file->lines[i], "XHAL_FEATURE");
    if (arguments.empty()) continue;
    // NAME, lower, bit, since, needs, maturity, then the text
    if (arguments.size() < 6 || (arguments[5] != "SETTLED" && arguments[5] != "EXPERIMENTAL")) {
      findings.push_back(
          {file->name, i + 1, "a feature needs name, lower, bit, since, needs and SETTLED or EXPERIMENTAL"});
      continue;
    }
    if (contract.has_feature(arguments[1]))
      findings.push_back({file->name, i + 1, "feature " + arguments[1] + " stands twice"});
    contract.features.push_back({arguments[0], arguments[1], arguments[5] == "SETTLED"});
  }
  if (contract.features.empty()) findings.push_back({file->name, 1, "holds no XHAL_FEATURE"});
}

void read_entries(const std::filesystem::path& root, Contract& contract, Findings& findings) {
  const auto file = read_text(root, kEntryList);
  if (!file) {
    findings.push_back({kEntryList, 1, "cannot be read"});
    return;
  }
  for (size_t i = 0; i < file->lines.size(); ++i) {
    const auto entry = macro_arguments(file->lines[i], "XHAL_ENTRY");
    const auto host_entry = macro_arguments(file->lines[i], "XHAL_HOST_ENTRY");
    Entry found;
    found.line = i + 1;
    if (entry.size() >= 3) {
      const auto feature = std::find_if(contract.features.begin(), contract.features.end(),
                                        [&](const Feature& candidate) { return candidate.name == entry[0]; });
      if (feature == contract.features.end()) {
        findings.push_back({file->name, i + 1, "feature " + entry[0] + " is not in " + kFeatureList});
        continue;
      }
      found.feature = feature->lower;
      found.name = entry[2];
    } else if (!host_entry.empty()) {
      found.feature = "host";
      found.name = host_entry[0];
    } else {
      continue;
    }
    if (contract.find_entry(found.name) != nullptr)
      findings.push_back({file->name, i + 1, "xhal_" + found.name + " stands twice"});
    contract.entries.push_back(found);
  }
  if (contract.entries.empty()) findings.push_back({file->name, 1, "holds no XHAL_ENTRY"});
}

// "XHAL_EXPORT const char* xhal_result_name(xhal_result_t result);" declares result_name. What drivers and layers export is not libxhal's.
std::string exported_name(const std::string& line) {
  if (!line.starts_with("XHAL_EXPORT ")) return "";
  const auto words = identifiers(line.substr(0, line.find('(')));
  if (words.empty() || !words.back().starts_with("xhal_") || words.back().ends_with("_negotiate")) return "";
  return words.back().substr(5);
}

void read_unlisted(const TextFile& header, Contract& contract) {
  for (size_t i = 0; i < header.lines.size(); ++i) {
    const std::string name = exported_name(header.lines[i]);
    if (!name.empty() && contract.find_entry(name) == nullptr)
      contract.unlisted.push_back({name, "host", i + 1});
  }
}

}  // namespace

bool Contract::has_feature(const std::string& lower) const {
  return std::any_of(features.begin(), features.end(),
                     [&](const Feature& feature) { return feature.lower == lower; });
}

const Entry* Contract::find_entry(const std::string& name) const {
  for (const std::vector<Entry>* list : {&entries, &unlisted}) {
    const auto found =
        std::find_if(list->begin(), list->end(), [&](const Entry& entry) { return entry.name == name; });
    if (found != list->end()) return &*found;
  }
  return nullptr;
}

Contract read_contract(const std::filesystem::path& root, Findings& findings) {
  Contract contract;
  read_features(root, contract, findings);
  read_entries(root, contract, findings);
  for (const std::string& name : list_files(root, kHeaders, {".h", ".def"})) {
    if (const auto file = read_text(root, name)) {
      read_unlisted(*file, contract);
      for (const std::string& line : file->lines) {
        for (std::string& word : identifiers(line)) contract.names.insert(std::move(word));
      }
    }
  }
  for (const Entry& entry : contract.entries) contract.names.insert("xhal_" + entry.name);
  return contract;
}

}  // namespace xhal::spec
