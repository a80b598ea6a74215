// SPDX-License-Identifier: Apache-2.0
// The search for drivers as a tool sees it: every decision, without loading anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "xhal/xhal.h"

namespace xhal::tools {

struct FoundCandidate {
  uint32_t decision = 0;
  xhal_result_t result = XHAL_SUCCESS;
  bool is_layer = false;
  bool emulated = false;
  std::string origin;
  std::string manifest_path;
  std::string library_path;
  std::string name;
  std::string description;
  std::string reason;

  // What names this driver to xhal_instance_create: its manifest, or the library given without one.
  [[nodiscard]] const std::string& load_path() const {
    return manifest_path.empty() ? library_path : manifest_path;
  }
};

struct Selection {
  std::vector<std::string> driver_paths;  // --driver
  std::vector<std::string> backends;      // --backend
};

struct SearchResult {
  xhal_result_t result = XHAL_SUCCESS;
  std::string text;  // of the error
  std::vector<FoundCandidate> candidates;

  [[nodiscard]] std::vector<FoundCandidate> selected_drivers() const;
};

SearchResult search_drivers(const Selection& selection);

// Empty, or one line that tells that the candidate's library lacks a driver's entry, and what to do. Loads nothing.
std::string why_no_driver(const FoundCandidate& candidate);

const char* decision_name(uint32_t decision);

// Last error of this thread as one line, or the result's own text.
std::string last_error_text(xhal_result_t result);

}  // namespace xhal::tools
