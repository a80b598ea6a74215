// SPDX-License-Identifier: Apache-2.0
#include "search.hpp"

#include <algorithm>
#include <optional>

namespace xhal::host {
namespace {

using discovery::Candidate;
using discovery::Found;
using discovery::Kind;
using discovery::Manifest;

std::optional<std::vector<std::string>> split_if_given(const char* list) {
  if (list == nullptr) return std::nullopt;
  return discovery::split_names(list);
}

bool is_same(const Candidate& candidate, const Manifest& manifest) {
  return candidate.decision == XHAL_CANDIDATE_SELECTED && candidate.manifest.has_value() &&
         candidate.manifest->manifest_path == manifest.manifest_path &&
         candidate.manifest->library == manifest.library;
}

void tell_one(const Candidate& candidate, bool is_layer, xhal_candidate_fn callback, void* user) {
  const Manifest none;
  const Manifest& manifest = candidate.manifest.has_value() ? *candidate.manifest : none;
  xhal_candidate_t told{};
  told.struct_size = sizeof(told);
  told.decision = candidate.decision;
  told.result = candidate.result;
  told.is_layer = is_layer ? 1 : 0;
  told.emulated = manifest.emulated ? 1 : 0;
  told.origin = candidate.origin.c_str();
  told.manifest_path = candidate.place.c_str();
  told.library_path = manifest.library.c_str();
  told.name = manifest.name.c_str();
  told.description = manifest.description.c_str();
  told.reason = candidate.reason.c_str();
  callback(user, &told);
}

}  // namespace

Search::Search(const xhal_instance_desc_t& desc, const discovery::Environment& environment) {
  discovery::Request request;
  request.kind = Kind::kDriver;
  for (uint32_t i = 0; i < desc.driver_path_count; ++i)
    request.explicit_paths.emplace_back(desc.driver_paths[i]);
  request.selection = split_if_given(desc.drivers);
  drivers_ = discovery::find(request, environment);

  if (request.selection.has_value()) {
    asked_names_ = *request.selection;
  } else if (const auto variable = environment.variable("XHAL_DRIVERS"); variable.has_value()) {
    asked_names_ = discovery::split_names(*variable);
  }

  request = {};
  request.kind = Kind::kLayer;
  request.selection = split_if_given(desc.layers);
  layers_ = discovery::find(request, environment);
}

Problem Search::problem() const {
  const Found& found = drivers_.result < 0 ? drivers_ : layers_;
  return {found.result, found.text};
}

bool Search::is_asked_for(const Manifest& driver) const {
  if (std::find(asked_names_.begin(), asked_names_.end(), driver.name) != asked_names_.end()) return true;
  return is_explicit(driver);
}

bool Search::is_explicit(const Manifest& driver) const {
  return std::any_of(drivers_.candidates.begin(), drivers_.candidates.end(), [&](const Candidate& candidate) {
    return candidate.origin == "explicit" && is_same(candidate, driver);
  });
}

std::vector<std::string> Search::names() const {
  std::vector<std::string> names;
  for (const Found* found : {&drivers_, &layers_}) {
    for (const Candidate& candidate : found->candidates) {
      if (candidate.manifest.has_value() && !candidate.manifest->name.empty()) {
        names.push_back(candidate.manifest->name);
      }
    }
  }
  return names;
}

size_t Search::nameless() const {
  const auto is_nameless = [](const Manifest& manifest) { return manifest.name.empty(); };
  return static_cast<size_t>(std::count_if(drivers().begin(), drivers().end(), is_nameless) +
                             std::count_if(layers().begin(), layers().end(), is_nameless));
}

bool Search::knows(std::string_view name) const {
  const std::vector<std::string> all = names();
  return std::find(all.begin(), all.end(), name) != all.end();
}

void Search::refuse(const Manifest& manifest, uint32_t decision, const Problem& problem) {
  Found& found = manifest.kind == Kind::kLayer ? layers_ : drivers_;
  for (Candidate& candidate : found.candidates) {
    if (!is_same(candidate, manifest)) continue;
    candidate.decision = decision;
    candidate.result = problem.result;
    candidate.reason = problem.text;
  }
}

void Search::tell(xhal_candidate_fn callback, void* user) const {
  if (callback == nullptr) return;
  for (const Candidate& candidate : drivers_.candidates) tell_one(candidate, false, callback, user);
  for (const Candidate& candidate : layers_.candidates) tell_one(candidate, true, callback, user);
}

std::vector<std::string> Search::warnings() const {
  std::vector<std::string> all = drivers_.warnings;
  all.insert(all.end(), layers_.warnings.begin(), layers_.warnings.end());
  return all;
}

}  // namespace xhal::host
