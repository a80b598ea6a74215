// SPDX-License-Identifier: Apache-2.0
#include "kernels/program_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "device/facts.hpp"

namespace xhal::opencl {
namespace {

constexpr uint64_t kMagic = 0x31434f4c41485801;  // \1XHALOC1
constexpr uint64_t kMostBytes = uint64_t{1} << 30;

// Two of them, with different seeds, are 128 bits.
uint64_t hash(std::string_view bytes, uint64_t seed) {
  uint64_t out = 0xcbf29ce484222325u ^ seed;
  for (const char c : bytes) {
    out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    out ^= out >> 29;
  }
  return out;
}

std::string hex(std::string_view bytes) {
  char out[33];
  std::snprintf(out, sizeof(out), "%016llx%016llx", static_cast<unsigned long long>(hash(bytes, 0)),
                static_cast<unsigned long long>(hash(bytes, 0x9e3779b97f4a7c15u)));
  return out;
}

struct Header {
  uint64_t magic;
  uint64_t key_size;
  uint64_t binary_size;
  uint64_t checksum;  // of the binary
};

std::string_view text_of(const std::vector<unsigned char>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A file of our own making, which goes away unless it gets its name.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string pattern) : path_(std::move(pattern)) {
    fd_ = mkostemp(path_.data(), O_CLOEXEC);
  }
  ~TemporaryFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    if (!is_named_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  bool write(const void* bytes, size_t size) const {
    const auto* at = static_cast<const char*>(bytes);
    while (fd_ >= 0 && size > 0) {
      const ssize_t written = ::write(fd_, at, size);
      if (written <= 0) return false;
      at += written;
      size -= static_cast<size_t>(written);
    }
    return fd_ >= 0;
  }
  void name(const std::string& path) { is_named_ = ::rename(path_.c_str(), path.c_str()) == 0; }

 private:
  std::string path_;
  int fd_ = -1;
  bool is_named_ = false;
};

}  // namespace

std::string ProgramCache::default_folder() {
  if (const char* const cache = secure_getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return std::string(cache) + "/xhal/opencl";
  if (const char* const home = secure_getenv("HOME"); home != nullptr && *home == '/')
    return std::string(home) + "/.cache/xhal/opencl";
  return {};
}

std::string ProgramCache::key_of(const DeviceFacts& device, std::string_view format, std::string_view options,
                                 std::string_view image) {
  std::string out;
  for (const std::string_view part :
       {std::string_view(device.platform_name), std::string_view(device.platform_version),
        std::string_view(device.name), std::string_view(device.driver_version), format, options})
    out += std::string(part) + '\n';
  return out + std::to_string(image.size()) + ' ' + hex(image);
}

std::string ProgramCache::path_of(const std::string& key) const {
  return folder_ + '/' + hex(key) + ".program";
}

std::vector<unsigned char> ProgramCache::find(const std::string& key) const {
  if (!is_on()) return {};
  std::ifstream in(path_of(key), std::ios::binary);
  Header header = {};
  if (!in.read(reinterpret_cast<char*>(&header), sizeof(header)) || header.magic != kMagic ||
      header.key_size != key.size() || header.binary_size == 0 || header.binary_size > kMostBytes)
    return {};
  std::string kept(key.size(), '\0');
  std::vector<unsigned char> binary(header.binary_size);
  in.read(kept.data(), static_cast<std::streamsize>(kept.size()));
  in.read(reinterpret_cast<char*>(binary.data()), static_cast<std::streamsize>(binary.size()));
  if (!in || kept != key || hash(text_of(binary), 0) != header.checksum) return {};
  return binary;
}

void ProgramCache::keep(const std::string& key, const std::vector<unsigned char>& binary) const noexcept {
  if (!is_on() || binary.empty() || binary.size() > kMostBytes) return;
  try {
    std::error_code ignored;
    std::filesystem::create_directories(folder_, ignored);
    TemporaryFile file(folder_ + "/.new-XXXXXX");
    const Header header = {kMagic, key.size(), binary.size(), hash(text_of(binary), 0)};
    if (file.write(&header, sizeof(header)) && file.write(key.data(), key.size()) &&
        file.write(binary.data(), binary.size()))
      file.name(path_of(key));
  } catch (const std::exception&) {
    // The program is there all the same, and is built again the next time.
  }
}

}  // namespace xhal::opencl
