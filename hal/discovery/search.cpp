// SPDX-License-Identifier: Apache-2.0
// The places in order, and the candidates in each.
#include <algorithm>
#include <set>
#include <utility>

#include "discovery.hpp"
#include "files.hpp"
#include "json.hpp"
#include "load.hpp"
#include "manifest.hpp"
#include "path.hpp"
#include "selection.hpp"
#include "text.hpp"

namespace xhal::discovery {

namespace {

constexpr std::size_t kMostManifests = 256;
constexpr std::size_t kMostEntries = 4096;
constexpr const char* kSuffix = ".json";

bool is_manifest_path(std::string_view path) { return path.ends_with(kSuffix); }

class Search {
 public:
  Search(const Request& request, const Environment& environment)
      : request_(request), environment_(environment) {}

  Found run() {
    for (const std::string& path : request_.explicit_paths) look_at_explicit(path);
    const std::size_t explicit_end = found_.candidates.size();
    look_at_path_variable();
    look_at_user_folder();
    for (const std::string& root : environment_.system_roots)
      look_at_folder(below(root, folder_of(kind())), "system", false);
    look_at_installation();
    select(request_, environment_, explicit_end, found_);
    return std::move(found_);
  }

 private:
  Kind kind() const { return request_.kind; }
  const char* path_variable() const {
    return kind() == Kind::kDriver ? "XHAL_DRIVER_PATH" : "XHAL_LAYER_PATH";
  }
  xhal_result_t not_found() const { return not_found_result(kind()); }
  Trust trust(bool named) const {
    return Trust::of_process(environment_.elevated, named && !environment_.elevated);
  }

  // ---- Places ----

  Candidate& add(uint32_t decision, xhal_result_t result, std::string origin, std::string place,
                 std::string reason) {
    Candidate& candidate = found_.candidates.emplace_back();
    candidate.decision = decision;
    candidate.result = result;
    candidate.origin = std::move(origin);
    candidate.place = std::move(place);
    candidate.reason = std::move(reason);
    return candidate;
  }

  void look_at_explicit(const std::string& path) {
    const std::size_t before = found_.candidates.size();
    if (path.empty()) {
      add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_INVALID_ARGUMENT, "explicit", path,
          "the path is empty; name a manifest or a library");
    } else if (is_manifest_path(path)) {
      look_at_manifest(full_path(path), "explicit", true, false);
    } else {
      look_at_library(full_path(path));
    }
    if (found_.candidates.size() == before) return;  // the same file as an earlier one
    Candidate& candidate = found_.candidates.back();
    if (candidate.decision == XHAL_CANDIDATE_ABSENT) candidate.result = not_found();
    if (candidate.decision == XHAL_CANDIDATE_SHADOWED) refuse_second_of_a_name(candidate);
    if (candidate.result != XHAL_SUCCESS)
      fail(candidate.result, std::string(name_of(kind())) + " " + quoted(path) + ": " + candidate.reason);
  }

  // An elevated process refuses relative paths, so it must see them as they are.
  std::string full_path(const std::string& path) const {
    if (environment_.elevated) return path;
    std::string full = absolute(path);
    return full.empty() ? path : full;
  }

  // [XHAL-LOADER-29]
  void refuse_second_of_a_name(Candidate& candidate) {
    candidate.decision = XHAL_CANDIDATE_REFUSED;
    candidate.result = XHAL_ERROR_INVALID_ARGUMENT;
    candidate.reason = "two " + std::string(name_of(kind())) + "s named " + quoted(plain_name(candidate)) +
                       " were asked for; leave one out: " + candidate.reason;
  }

  void look_at_library(const std::string& path) {
    OpenedFile file = examine_library(path, trust(true));
    if (file.outcome == Outcome::kOpened && !seen_.insert({file.status.st_dev, file.status.st_ino}).second)
      return;
    if (file.outcome == Outcome::kAbsent) {
      add(XHAL_CANDIDATE_ABSENT, not_found(), "explicit", path, file.problem + "; check the path");
      return;
    }
    if (file.outcome == Outcome::kRefused) {
      add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_DRIVER_FAILED, "explicit", path, std::move(file.problem));
      return;
    }
    Manifest manifest;  // its name comes from the negotiation
    manifest.kind = kind();
    manifest.library = file.path;
    manifest.manifest_path = path;
    manifest.abi_major = XHAL_ABI_MAJOR;
    manifest.abi_minor = XHAL_ABI_MINOR;
    manifest.named = true;
    add(XHAL_CANDIDATE_SELECTED, XHAL_SUCCESS, "explicit", path, "").manifest = std::move(manifest);
  }

  void look_at_path_variable() {
    const auto list = environment_.variable(path_variable());
    if (!list) return;
    std::string_view rest = *list;
    for (;;) {
      const std::size_t colon = rest.find(':');
      const std::string item(rest.substr(0, colon));
      if (!item.empty()) {
        if (is_manifest_path(item)) {
          look_at_manifest(full_path(item), path_variable(), true, false);
        } else {
          look_at_folder(full_path(item), path_variable(), true);
        }
      }
      if (colon == std::string_view::npos) return;
      rest.remove_prefix(colon + 1);
    }
  }

  // [XHAL-LOADER-22]
  void look_at_user_folder() {
    const auto data = environment_.variable("XDG_DATA_HOME");
    const auto home = environment_.variable("HOME");
    std::string folder;
    if (data && is_absolute(*data)) {
      folder = *data;
    } else if (home && is_absolute(*home)) {
      folder = below(*home, ".local/share");
    }
    if (!folder.empty())
      return look_at_folder(below(folder, std::string("xhal/") + folder_of(kind())), "user", false);
    const char* reason =
        environment_.elevated ? "skipped: an elevated process reads no variable, HOME neither"
        : !environment_.get   ? "skipped: this instance ignores the environment"
                              : "skipped: neither XDG_DATA_HOME nor HOME holds an absolute path";
    add(XHAL_CANDIDATE_ABSENT, XHAL_SUCCESS, "user", "", reason);
  }

  void look_at_installation() {
    if (environment_.installation.empty()) {
      add(XHAL_CANDIDATE_ABSENT, XHAL_SUCCESS, "installation", "",
          "skipped: libxhal does not lie in a lib, lib64 or lib32 folder, so where it belongs is unknown");
      return;
    }
    look_at_folder(below(environment_.installation, std::string("share/xhal/") + folder_of(kind())),
                   "installation", false);
  }

  void look_at_folder(const std::string& path, const char* origin, bool named) {
    OpenedFile folder = open_folder(path, trust(named));
    if (folder.outcome == Outcome::kAbsent) {
      if (absent_.insert(path).second)
        add(XHAL_CANDIDATE_ABSENT, XHAL_SUCCESS, origin, path, "no such folder");
      return;
    }
    if (folder.outcome == Outcome::kRefused) {
      const bool is_library = named && path.ends_with(".so");
      add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_BAD_MANIFEST, origin, path,
          folder.problem +
              (is_library ? std::string("; ") + path_variable() + " takes folders and manifests (*.json) only"
                          : ""));
      return;
    }
    if (!seen_.insert({folder.status.st_dev, folder.status.st_ino}).second) return;
    const Listing listing = list_folder(folder, kSuffix, kMostManifests, kMostEntries);
    for (const std::string& name : listing.names) look_at_manifest(below(path, name), origin, named, true);
    if (!listing.problem.empty()) {
      add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_BAD_MANIFEST, origin, path, listing.problem);
    } else if (listing.names.empty()) {
      add(XHAL_CANDIDATE_ABSENT, XHAL_SUCCESS, origin, path, "the folder holds no manifest (*.json)");
    }
  }

  // ---- Manifests ----

  // `listed`: its folder was just seen to hold it.
  void look_at_manifest(const std::string& path, const char* origin, bool named, bool listed) {
    OpenedFile file = open_file(path, json::Limits().bytes, trust(named));
    if (file.outcome == Outcome::kOpened && !seen_.insert({file.status.st_dev, file.status.st_ino}).second)
      return;
    if (file.outcome == Outcome::kAbsent) {
      if (!absent_.insert(path).second) return;
      if (listed) {
        add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_BAD_MANIFEST, origin, path,
            file.problem + ": it vanished, or is a link to nothing; remove it");
      } else {
        add(XHAL_CANDIDATE_ABSENT, XHAL_SUCCESS, origin, path, file.problem + "; check the path");
      }
      return;
    }
    if (file.outcome == Outcome::kRefused) {
      add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_BAD_MANIFEST, origin, path, std::move(file.problem));
      return;
    }
    const Bytes bytes = read_all(file, json::Limits().bytes);
    if (!bytes.complete) {
      add(XHAL_CANDIDATE_REFUSED, XHAL_ERROR_BAD_MANIFEST, origin, path, bytes.problem);
      return;
    }
    ManifestReading reading = read_manifest(bytes.text, kind(), parent_of(file.path));
    const bool usable = reading.result == XHAL_SUCCESS;
    Candidate& candidate = add(usable ? XHAL_CANDIDATE_SELECTED : XHAL_CANDIDATE_REFUSED, reading.result,
                               origin, path, std::move(reading.reason));
    candidate.manifest = std::move(reading.manifest);
    if (candidate.manifest) {
      candidate.manifest->manifest_path = path;
      candidate.manifest->named = named;
      if (usable) judge_manifest(candidate, *candidate.manifest);
    }
  }

  void judge_manifest(Candidate& candidate, const Manifest& manifest) {
    for (const Candidate& earlier : found_.candidates) {
      if (&earlier == &candidate || earlier.decision != XHAL_CANDIDATE_SELECTED) continue;
      if (plain_name(earlier) != manifest.name) continue;
      candidate.decision = XHAL_CANDIDATE_SHADOWED;
      candidate.reason = quoted(manifest.name) + " was found earlier: " + quoted(earlier.place);
      return;
    }
    // Judged here and again when it is loaded, so that an installation in pieces steps aside for a whole one of the same name.
    const OpenedFile library = examine_library(manifest.library, trust(manifest.named));
    if (library.outcome == Outcome::kOpened) return;
    candidate.decision = XHAL_CANDIDATE_REFUSED;
    candidate.result = XHAL_ERROR_DRIVER_FAILED;
    candidate.reason = library.problem;
    if (library.outcome == Outcome::kAbsent) {
      candidate.reason = "its library " + library.problem + "; install it, or correct 'library'";
    }
  }

  // The first failure is told; the rest are among the candidates.
  void fail(xhal_result_t result, std::string text) {
    if (found_.result != XHAL_SUCCESS) return;
    found_.result = result;
    found_.text = std::move(text);
  }

  const Request& request_;
  const Environment& environment_;
  Found found_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  std::set<std::string> absent_;
};

}  // namespace

Found find(const Request& request, const Environment& environment) {
  return Search(request, environment).run();
}

}  // namespace xhal::discovery
