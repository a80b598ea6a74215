// SPDX-License-Identifier: Apache-2.0
#include "common/search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <utility>

#include "common/elf_export.hpp"
#include "xhal/driver.h"

namespace xhal::tools {
namespace {

std::string text_of(const char* text) { return text == nullptr ? std::string() : std::string(text); }

void collect(void* user, const xhal_candidate_t* candidate) {
  FoundCandidate found;
  found.decision = candidate->decision;
  found.result = candidate->result;
  found.is_layer = candidate->is_layer != 0;
  found.emulated = candidate->emulated != 0;
  found.origin = text_of(candidate->origin);
  found.manifest_path = text_of(candidate->manifest_path);
  found.library_path = text_of(candidate->library_path);
  found.name = text_of(candidate->name);
  found.description = text_of(candidate->description);
  found.reason = text_of(candidate->reason);
  static_cast<std::vector<FoundCandidate>*>(user)->push_back(std::move(found));
}

// What was asked for and is a library, but no driver: the caller's mistake, not the driver's.
void refuse_what_is_no_driver(SearchResult& search, bool by_name) {
  for (const FoundCandidate& candidate : search.selected_drivers()) {
    if (!by_name && candidate.origin != "explicit") continue;
    search.text = why_no_driver(candidate);
    if (search.text.empty()) continue;
    search.result = XHAL_ERROR_DRIVER_FAILED;
    return;
  }
}

// libxhal says that a folder is no file; a person also wants to know what to name instead. Of several paths only the one whose refusal is the
// error's text.
void tell_what_to_name(SearchResult& search) {
  for (const FoundCandidate& candidate : search.candidates) {
    if (candidate.origin != "explicit" || candidate.reason.empty()) continue;
    if (search.text.find(candidate.reason) == std::string::npos) continue;
    const std::string& path = candidate.load_path();
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) continue;
    search.text = fmt::format("driver '{}' is {}; name a driver's manifest (.json) or library (.so)", path,
                              S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
    return;
  }
}

}  // namespace

std::vector<FoundCandidate> SearchResult::selected_drivers() const {
  std::vector<FoundCandidate> drivers;
  for (const FoundCandidate& candidate : candidates) {
    if (!candidate.is_layer && candidate.decision == XHAL_CANDIDATE_SELECTED) drivers.push_back(candidate);
  }
  return drivers;
}

SearchResult search_drivers(const Selection& selection) {
  SearchResult search;
  std::vector<const char*> paths;
  paths.reserve(selection.driver_paths.size());
  for (const std::string& path : selection.driver_paths) paths.push_back(path.c_str());
  const std::string names = fmt::format("{}", fmt::join(selection.backends, ","));

  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = XHAL_INSTANCE_DISCOVER_ONLY;
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.driver_paths = paths.data();
  desc.driver_path_count = static_cast<uint32_t>(paths.size());
  // A driver given by path is the only one meant, unless names ask for more.
  if (!selection.backends.empty() || !selection.driver_paths.empty()) desc.drivers = names.c_str();
  desc.on_candidate = collect;
  desc.candidate_user = &search.candidates;

  xhal_instance_t instance = nullptr;
  search.result = xhal_instance_create(&desc, &instance);
  if (search.result < 0) {
    search.text = last_error_text(search.result);
    tell_what_to_name(search);
  }
  if (instance != nullptr) xhal_instance_destroy(instance);
  if (search.result >= 0) refuse_what_is_no_driver(search, !selection.backends.empty());
  return search;
}

std::string why_no_driver(const FoundCandidate& candidate) {
  const std::string& library =
      candidate.library_path.empty() ? candidate.manifest_path : candidate.library_path;
  if (exports_symbol(library, XHAL_DRIVER_NEGOTIATE_SYMBOL) != Export::kNo) return {};
  const bool by_manifest = library != candidate.manifest_path && !candidate.manifest_path.empty();
  return fmt::format("library '{}' is no xhal driver: it does not export {}; {}", library,
                     XHAL_DRIVER_NEGOTIATE_SYMBOL,
                     by_manifest ? fmt::format("correct 'library' in '{}'", candidate.manifest_path)
                                 : "name a driver's library or manifest, see xhal-info --why");
}

const char* decision_name(uint32_t decision) {
  switch (decision) {
    case XHAL_CANDIDATE_SELECTED:
      return "selected";
    case XHAL_CANDIDATE_NOT_ASKED:
      return "not asked for";
    case XHAL_CANDIDATE_SHADOWED:
      return "shadowed";
    case XHAL_CANDIDATE_REFUSED:
      return "refused";
    case XHAL_CANDIDATE_ABSENT:
      return "absent";
    default:
      return "unknown";
  }
}

std::string last_error_text(xhal_result_t result) {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  if (xhal_error_get_last(&error) == XHAL_SUCCESS && error.code == result && error.text[0] != '\0')
    return error.text;
  return fmt::format("{} ({})", xhal_result_text(result), xhal_result_name(result));
}

}  // namespace xhal::tools
