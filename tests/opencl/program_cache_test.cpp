// SPDX-License-Identifier: Apache-2.0
#include "kernels/program_cache.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "device/facts.hpp"

namespace xhal::opencl {
namespace {

namespace fs = std::filesystem;

class Programs : public testing::Test {
 protected:
  Programs() : folder_(fs::temp_directory_path() / ("xhal-programs-" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
  }
  ~Programs() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path only_file() const {
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
    return fs::directory_iterator(folder_)->path();
  }

  const fs::path folder_;
  const ProgramCache cache_{folder_.string() + "/made/here"};
  const std::vector<unsigned char> binary_ = {1, 2, 3, 0, 5};
};

TEST_F(Programs, AreFoundByTheirKeyAlone) {
  EXPECT_TRUE(cache_.find("one").empty());
  cache_.keep("one", binary_);
  EXPECT_EQ(cache_.find("one"), binary_);
  EXPECT_TRUE(cache_.find("other").empty());
  cache_.keep("one", {9});
  EXPECT_EQ(cache_.find("one"), std::vector<unsigned char>{9});
}

TEST_F(Programs, ThatAreDamagedAreNotBelieved) {
  const ProgramCache cache(folder_.string());
  cache.keep("key", binary_);
  const fs::path file = only_file();
  const auto size = fs::file_size(file);
  for (uintmax_t at = 0; at < size; ++at) {
    cache.keep("key", binary_);
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const char flipped = static_cast<char>(stream.get() ^ 0x40);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(flipped);
    stream.close();
    EXPECT_TRUE(cache.find("key").empty()) << "byte " << at;
  }
  for (uintmax_t cut = 0; cut < size; ++cut) {
    cache.keep("key", binary_);
    fs::resize_file(file, cut);
    EXPECT_TRUE(cache.find("key").empty()) << "cut to " << cut;
  }
  // Nothing was left beside it.
  EXPECT_EQ(only_file(), file);
}

TEST_F(Programs, AreNotKeptWhereNothingCanBeWritten) {
  const ProgramCache off("");
  EXPECT_FALSE(off.is_on());
  off.keep("key", binary_);
  EXPECT_TRUE(off.find("key").empty());
  const ProgramCache nowhere("/proc/no/such/folder");
  nowhere.keep("key", binary_);
  EXPECT_TRUE(nowhere.find("key").empty());
}

TEST_F(Programs, OfAnotherDeviceDriverFormatOptionOrImageAreOthers) {
  DeviceFacts facts = {};
  const std::string key = ProgramCache::key_of(facts, "spirv", "-O", "image");
  EXPECT_EQ(ProgramCache::key_of(facts, "spirv", "-O", "image"), key);
  EXPECT_NE(ProgramCache::key_of(facts, "opencl-c", "-O", "image"), key);
  EXPECT_NE(ProgramCache::key_of(facts, "spirv", "", "image"), key);
  EXPECT_NE(ProgramCache::key_of(facts, "spirv", "-O", "imagf"), key);
  EXPECT_NE(ProgramCache::key_of(facts, "spirv", "-O", "image "), key);
  facts.driver_version[0] = '2';
  EXPECT_NE(ProgramCache::key_of(facts, "spirv", "-O", "image"), key);
}

}  // namespace
}  // namespace xhal::opencl
