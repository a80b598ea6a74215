// SPDX-License-Identifier: Apache-2.0
// From the bytes of a manifest to a checked Manifest, or to the reason why not. Touches no file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "discovery.hpp"

namespace xhal::discovery {

constexpr int64_t kManifestFormat = 1;

struct ManifestReading {
  xhal_result_t result = XHAL_ERROR_BAD_MANIFEST;
  std::optional<Manifest> manifest;  // also there when only its version is not ours
  std::string reason;                // of a refusal; else what was ignored, or ""
};

// `folder`: the one that really holds the file, absolute and without links; `library` is resolved against it.
ManifestReading read_manifest(std::string_view text, Kind wanted, const std::string& folder);

// "driver" or "layer".
const char* name_of(Kind kind);
// "drivers.d" or "layers.d".
const char* folder_of(Kind kind);

struct ResolvedLibrary {
  std::string path;     // absolute, without "." and ".."
  std::string problem;  // "" when path is set
};
// [XHAL-LOADER-13] [XHAL-LOADER-14]
ResolvedLibrary resolve_library(std::string_view library, const std::string& folder, Kind kind);

}  // namespace xhal::discovery
