// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include "kernels/builtin_images.hpp"
#include "kernels/cpu_level.hpp"
#include "kernels/elf_check.hpp"
#include "kernels/image.hpp"

namespace xhal::sim {
namespace {

std::vector<std::byte> bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::vector<char> chars{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto* data = reinterpret_cast<const std::byte*>(chars.data());
  return {data, data + chars.size()};
}

bool check(const std::vector<std::byte>& bytes, std::string& why) {
  return check_elf(bytes, XHAL_NATIVE_IMAGE_SYMBOL, why);
}

// The good image with one field of its header changed.
template <class T>
std::vector<std::byte> with(size_t offset, T value) {
  auto bytes = bytes_of(XHAL_TEST_IMAGE);
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
  return bytes;
}

std::vector<uint32_t> offsets_of(const KernelCode& code) {
  std::vector<uint32_t> offsets;
  for (const KernelCode::Parameter& parameter : code.parameters) offsets.push_back(parameter.offset);
  return offsets;
}

TEST(ElfCheck, TakesAnImage) {
  std::string why;
  EXPECT_TRUE(check(bytes_of(XHAL_TEST_IMAGE), why)) << why;
}

TEST(ElfCheck, RefusesEachWrongHeaderWithItsReason) {
  struct Case {
    std::vector<std::byte> bytes;
    const char* reason;
  };
  const Case cases[] = {
      {with<unsigned char>(0, 'X'), "does not start as an ELF"},
      {with<unsigned char>(EI_CLASS, ELFCLASS32), "64-bit"},
      {with<unsigned char>(EI_DATA, ELFDATA2MSB), "little-endian"},
      {with<unsigned char>(EI_VERSION, 9), "version"},
      {with<unsigned char>(EI_OSABI, ELFOSABI_SOLARIS), "operating system"},
      {with<uint16_t>(offsetof(Elf64_Ehdr, e_machine), EM_AARCH64), "machine"},
      {with<uint16_t>(offsetof(Elf64_Ehdr, e_type), ET_REL), "shared object"},
      {with<uint16_t>(offsetof(Elf64_Ehdr, e_phentsize), 1), "segments"},
      {with<uint16_t>(offsetof(Elf64_Ehdr, e_phnum), 0), "segments"},
      {with<uint64_t>(offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX), "segments"},
      {with<uint64_t>(offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX), "sections"},
      {{}, "does not start as an ELF"},
  };
  for (const Case& c : cases) {
    std::string why;
    EXPECT_FALSE(check(c.bytes, why)) << c.reason;
    EXPECT_NE(why.find(c.reason), std::string::npos) << why;
  }
}

TEST(ElfCheck, RefusesAnImageThatIsCutShortAnywhere) {
  const auto whole = bytes_of(XHAL_TEST_IMAGE);
  for (size_t size = 0; size < whole.size(); size = size < 8192 ? size + 1 : size + 509) {
    std::string why;
    ASSERT_FALSE(check({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, why)) << size;
    ASSERT_NE(why, "");
  }
  std::string why;
  EXPECT_FALSE(check({whole.begin(), whole.end() - 1}, why));
}

TEST(ElfCheck, RefusesASharedObjectThatIsNoImage) {
  std::string why;
  EXPECT_FALSE(check(bytes_of(XHAL_TEST_IMAGE_NO_SYMBOL), why));
  EXPECT_NE(why.find("no kernel image"), std::string::npos) << why;
}

// Whatever the answer is, it must be one: no read outside of the bytes.
TEST(ElfCheck, SurvivesDamagedBytes) {
  const auto whole = bytes_of(XHAL_TEST_IMAGE);
  std::mt19937_64 random(7);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    auto damaged = whole;
    const size_t range = i % 2 == 0 ? 1024 : damaged.size();
    for (int j = 0; j < 4; ++j) damaged[random() % range] = static_cast<std::byte>(random());
    std::string why;
    if (!check(damaged, why)) ++refused;
  }
  EXPECT_GT(refused, 0);
  std::vector<std::byte> noise(4096);
  for (auto& byte : noise) byte = static_cast<std::byte>(random());
  std::memcpy(noise.data(), ELFMAG, SELFMAG);
  std::string why;
  EXPECT_FALSE(check(noise, why));
}

TEST(Image, LoadsAndKnowsItsKernels) {
  Image::Failure failure;
  const auto image = Image::load(bytes_of(XHAL_TEST_IMAGE), "x86-64-v2", usable_targets(), failure);
  ASSERT_NE(image, nullptr) << failure.text;
  const KernelCode* fill = image->find("fill");
  ASSERT_NE(fill, nullptr);
  EXPECT_EQ(fill->params.size(), 3u);
  EXPECT_EQ(offsets_of(*fill), (std::vector<uint32_t>{0, 8, 16}));
  EXPECT_EQ(fill->argument_bytes, 24u);
  EXPECT_EQ(image->find("no_such"), nullptr);
  const KernelCode* values = image->find("values");
  ASSERT_NE(values, nullptr);
  EXPECT_EQ(offsets_of(*values), (std::vector<uint32_t>{0, 8, 10, 64}));
  EXPECT_EQ(values->argument_alignment, 64u);
}

// The system's loader takes two files of one name for one library.
TEST(Image, LoadedTwiceIsTwoLibraries) {
  Image::Failure failure;
  const auto bytes = bytes_of(XHAL_TEST_IMAGE);
  const auto first = Image::load(bytes, "", usable_targets(), failure);
  const auto second = Image::load(bytes, "", usable_targets(), failure);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(first->find("empty")->run_groups, second->find("empty")->run_groups);
}

TEST(Image, RefusalsNameTheCode) {
  struct Case {
    const char* path;
    const char* target;
    xhal_result_t code;
  };
  const Case cases[] = {
      {XHAL_TEST_IMAGE_V9, "", XHAL_ERROR_UNSUPPORTED_IMAGE},
      {XHAL_TEST_IMAGE, "x86-64-v9", XHAL_ERROR_INVALID_IMAGE},
      {XHAL_TEST_IMAGE_BAD_MAGIC, "x86-64-v2", XHAL_ERROR_INVALID_IMAGE},
      {XHAL_TEST_IMAGE_NO_SYMBOL, "x86-64-v2", XHAL_ERROR_INVALID_IMAGE},
      {XHAL_TEST_IMAGE_FORMER, "x86-64-v2", XHAL_ERROR_UNSUPPORTED_IMAGE},
  };
  for (const Case& c : cases) {
    Image::Failure failure;
    EXPECT_EQ(Image::load(bytes_of(c.path), c.target, usable_targets(), failure), nullptr) << c.path;
    EXPECT_EQ(failure.code, c.code) << c.path << ": " << failure.text;
    EXPECT_NE(failure.text, "");
  }
}

TEST(Image, BuiltInOnesLoadForEveryProcessorThatRunsThem) {
  for (const std::string_view target : usable_targets()) {
    const auto bytes = builtin_image(target);
    ASSERT_EQ(bytes.empty(), !kHasBuiltinImages) << target;
    if (bytes.empty()) continue;
    Image::Failure failure;
    const auto image = Image::load(bytes, target, usable_targets(), failure);
    ASSERT_NE(image, nullptr) << failure.text;
    EXPECT_NE(image->find("xhal_fold_u64"), nullptr);
  }
  EXPECT_TRUE(builtin_image("x86-64-v9").empty());
}

TEST(Image, AFormerVersionIsToldToBeBuiltAnew) {
  Image::Failure failure;
  EXPECT_EQ(Image::load(bytes_of(XHAL_TEST_IMAGE_FORMER), "", usable_targets(), failure), nullptr);
  EXPECT_NE(failure.text.find("version 1"), std::string::npos) << failure.text;
  EXPECT_NE(failure.text.find("build it anew"), std::string::npos) << failure.text;
}

TEST(Image, KnowsItsGlobalVariables) {
  Image::Failure failure;
  const auto image = Image::load(bytes_of(XHAL_TEST_IMAGE), "", usable_targets(), failure);
  ASSERT_NE(image, nullptr) << failure.text;
  ASSERT_EQ(image->globals().size(), 2u);
  const GlobalCode& sums = image->globals()[0];
  EXPECT_EQ(sums.name, "sums");
  EXPECT_EQ(sums.size, 32u);
  uint64_t first = 0;
  std::memcpy(&first, sums.initial, sizeof(first));
  EXPECT_EQ(first, 5u);
  EXPECT_EQ(image->globals()[1].alignment, 4096u);
  EXPECT_EQ(image->globals()[1].initial, nullptr);
  EXPECT_EQ(image->find("bump")->globals, nullptr) << "they have no memory yet";
}

TEST(Image, OneOfVersion2IsLoadedWithoutGlobalVariables) {
  Image::Failure failure;
  const auto image = Image::load(bytes_of(XHAL_TEST_IMAGE_2), "x86-64-v2", usable_targets(), failure);
  ASSERT_NE(image, nullptr) << failure.text;
  EXPECT_TRUE(image->globals().empty());
  xhal_native_frame frame = {};
  image->find("empty")->run_groups(&frame);
}

TEST(Image, ThreadsMayLoadAndUnloadAtOnce) {
  const auto bytes = bytes_of(XHAL_TEST_IMAGE);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        Image::Failure failure;
        const auto image = Image::load(bytes, "", usable_targets(), failure);
        ASSERT_NE(image, nullptr) << failure.text;
        xhal_native_frame frame = {};
        image->find("empty")->run_groups(&frame);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

// Descriptions that lie.
class Describe : public testing::Test {
 protected:
  static void nothing(xhal_native_frame*) {}
  xhal_native_param param = {"p", XHAL_NATIVE_PARAM_VALUE, 0, 4, 4};
  xhal_native_kernel kernels[2] = {{"a", nothing, &param, 1, 64, 0, 0}, {"b", nothing, &param, 1, 64, 0, 0}};
  uint64_t words[2] = {1, 2};
  xhal_native_global first = {"x", 16, 8, words};
  xhal_native_global second = {"y", 4, 4096, nullptr};
  const xhal_native_global* globals[2] = {&first, &second};
  xhal_native_image image = {
      XHAL_NATIVE_IMAGE_MAGIC, sizeof(image), sizeof(kernels[0]), "x86-64-v2", kernels, 2, 2, globals};

  bool describe() {
    std::vector<KernelCode> out;
    described.clear();
    why.clear();
    return Image::describe(image, out, described, why);
  }
  std::vector<GlobalCode> described;
  std::string why;
};

TEST_F(Describe, AGoodOneIsTaken) { EXPECT_TRUE(describe()) << why; }
TEST_F(Describe, Magic) {
  image.magic = 1;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, ShortStruct) {
  image.struct_size -= 8;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, ShortKernelStruct) {
  image.kernel_struct_size -= 8;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, OddKernelStruct) {
  image.kernel_struct_size += 1;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoTarget) {
  image.target = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoKernels) {
  image.kernels = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, TooManyKernels) {
  image.kernel_count = UINT32_MAX;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoName) {
  kernels[1].name = "";
  EXPECT_FALSE(describe());
}
TEST_F(Describe, LongName) {
  const std::string name(128, 'x');
  kernels[1].name = name.c_str();
  EXPECT_FALSE(describe());
}
TEST_F(Describe, TwiceTheSameName) {
  kernels[1].name = "a";
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoFunction) {
  kernels[1].run_groups = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoGroup) {
  kernels[1].max_group_size = 0;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoParams) {
  kernels[1].params = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, TooManyParams) {
  kernels[1].param_count = 65;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, UnknownKind) {
  param.kind = 9;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, ValueOfNoSize) {
  param.size = 0;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, ValueTooLarge) {
  param.size = 4097;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, OddAlignment) {
  param.alignment = 3;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, HugeAlignment) {
  param.alignment = 4096;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, GlobalsAreTold) {
  ASSERT_TRUE(describe()) << why;
  ASSERT_EQ(described.size(), 2u);
  EXPECT_EQ(described[0].name, "x");
  EXPECT_EQ(described[1].size, 4u);
}
TEST_F(Describe, Version2EndsBeforeItsGlobals) {
  image.magic = XHAL_NATIVE_IMAGE_MAGIC_2;
  image.struct_size = offsetof(xhal_native_image, globals);
  ASSERT_TRUE(describe()) << why;
  EXPECT_TRUE(described.empty());
  image.struct_size -= 8;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NoGlobals) {
  image.globals = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, TooManyGlobals) {
  image.global_count = UINT32_MAX;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, NullGlobal) {
  globals[1] = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, GlobalWithoutAName) {
  second.name = nullptr;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, TwiceTheSameGlobal) {
  second.name = "x";
  EXPECT_FALSE(describe());
}
TEST_F(Describe, GlobalOfNoSize) {
  second.size = 0;
  EXPECT_FALSE(describe());
}
TEST_F(Describe, GlobalsOfImpossibleAlignments) {
  for (const uint64_t alignment : {uint64_t{0}, uint64_t{3}, uint64_t{8192}, ~uint64_t{0}}) {
    second.alignment = alignment;
    EXPECT_FALSE(describe()) << alignment;
  }
}

}  // namespace
}  // namespace xhal::sim
