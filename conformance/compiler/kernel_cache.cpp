// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernel_cache.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "compiler/compiler_command.h"
#include "report/sha256.h"

namespace xhal::conformance {

namespace fs = std::filesystem;

namespace {

// Hashes of the other files of a pack, in the form that sha256sum -c reads.
constexpr const char* kSums = "SHA256SUMS";

[[noreturn]] void cannot_write(const std::string& path, const std::string& why) {
  throw CompilerError(CompilerError::Fault::kUser,
                      fmt::format("the cache of kernels {} cannot be written: {}; name another folder with "
                                  "--kernel-cache",
                                  path, why));
}

std::string default_directory() {
  const auto variable = [](const char* name) {
    const char* const text = std::getenv(name);
    return fs::path(text != nullptr ? text : "");
  };
  // A relative one counts as not set, by the rules of that variable.
  if (const fs::path base = variable("XDG_CACHE_HOME"); base.is_absolute()) return base / "xhal/kernels";
  if (const fs::path base = variable("HOME"); base.is_absolute()) return base / ".cache/xhal/kernels";
  throw CompilerError(
      CompilerError::Fault::kUser,
      "neither XDG_CACHE_HOME nor HOME names a folder for kernels that were compiled; name one "
      "with --kernel-cache");
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  if (!out) cannot_write(path, "the disk may be full");
}

bool is_whole(const fs::path& folder) {
  std::ifstream sums(folder / kSums);
  size_t count = 0;
  bool has_manifest = false;
  for (std::string line; std::getline(sums, line); ++count) {
    constexpr size_t kHash = 64;
    if (line.size() < kHash + 3 || line.compare(kHash, 2, "  ") != 0) return false;
    const std::string name = line.substr(kHash + 2);
    if (sha256_of_file(folder / name) != line.substr(0, kHash)) return false;
    has_manifest |= name == "manifest.json";
  }
  return count > 1 && has_manifest;
}

}  // namespace

KernelCache::Scratch::Scratch(const std::string& cache) : path_(cache + "/.new-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) cannot_write(cache, std::generic_category().message(errno));
}

KernelCache::Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

KernelCache::KernelCache(const std::string& directory)
    : directory_(directory.empty() ? default_directory() : directory) {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) cannot_write(directory_, error.message());
  directory_ = fs::absolute(directory_, error).string();
}

std::optional<std::string> KernelCache::find(const std::string& key) const {
  const fs::path folder = fs::path(directory_) / key;
  if (!is_whole(folder)) return std::nullopt;
  return folder.string();
}

std::string KernelCache::publish(const std::string& key, const std::string& pack,
                                 const std::vector<PackImage>& images) const {
  const Scratch made(directory_);
  std::string sums;
  const auto add = [&](const std::string& name, const std::string& bytes) {
    write_file(made.file(name), bytes);
    sums += fmt::format("{}  {}\n", sha256(bytes), name);
  };
  nlohmann::json manifest = {{"schema", 1}, {"pack", pack}, {"images", nlohmann::json::array()}};
  for (const PackImage& image : images) {
    // The name tells the content, so that the manifest's hash, which reports give, is one of the images too.
    const std::string name = sha256(image.bytes).substr(0, 32) + ".image";
    nlohmann::json entry = image.entry;
    entry["file"] = name;
    manifest["images"].push_back(std::move(entry));
    add(name, image.bytes);
  }
  add("manifest.json", manifest.dump(2) + "\n");
  write_file(made.file(kSums), sums);

  const fs::path folder = fs::path(directory_) / key;
  std::error_code error;
  // Each turn either puts ours in place, finds another's, or takes a damaged one away.
  constexpr int kTurns = 100;
  for (int turn = 0; turn < kTurns; ++turn) {
    fs::rename(made.path(), folder, error);
    if (!error) return folder.string();
    if (auto found = find(key)) return *found;
    const Scratch away(directory_);
    std::error_code ignored;
    fs::rename(folder, away.file("old"), ignored);
  }
  cannot_write(folder.string(), error.message());
}

}  // namespace xhal::conformance
