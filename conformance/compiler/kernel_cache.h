// SPDX-License-Identifier: Apache-2.0
// Folders of kernel packs that compilers have made, each under a key of all that it was made of. Several processes may use one at once: an entry
// appears whole, and one that was damaged since is noticed by its hashes.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace xhal::conformance {

// An image of a pack to be written, and what the manifest says of it beside its file.
struct PackImage {
  nlohmann::json entry;
  std::string bytes;
};

class KernelCache {
 public:
  // "": $XDG_CACHE_HOME/xhal/kernels, or that below ~/.cache. Throws CompilerError where the folder cannot be made.
  explicit KernelCache(const std::string& directory);

  // A new folder on the same disk, for a compiler to write to.
  class Scratch {
   public:
    explicit Scratch(const std::string& cache);  // throws CompilerError
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] const std::string& path() const { return path_; }

   private:
    std::string path_;
  };
  [[nodiscard]] Scratch scratch() const { return Scratch(directory_); }

  // The pack under that key, unless there is none or it was damaged.
  [[nodiscard]] std::optional<std::string> find(const std::string& key) const;
  // Writes a pack, in the place of a damaged one too; the folder. Whoever comes second uses what the first has written. Throws CompilerError.
  [[nodiscard]] std::string publish(const std::string& key, const std::string& pack,
                                    const std::vector<PackImage>& images) const;

 private:
  std::string directory_;
};

}  // namespace xhal::conformance
