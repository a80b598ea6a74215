// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "compare.hpp"
#include "dump.hpp"

namespace {

constexpr const char* kUsage = R"(usage: abi-dump dump AST.json LAYOUTS.txt MACROS.txt OUTPUT
       abi-dump same GOLDEN DUMP     is the ABI what the golden file says?
       abi-dump grew FORMER DUMP     did it change in no other way than by growth at its tails, with a new revision?
       abi-dump holds FORMER DUMP    the same, whatever the revision: is all of FORMER still there?

exit codes: 0 yes; 1 no, with the differences; 2 wrong usage or a file that cannot be read or written
)";

constexpr const char* kHowToAccept =
    "If the change is meant: within a 0.minor only growth at the tail is allowed (new calls at the end of "
    "entry_points.def with since =\n"
    "the new XHAL_ABI_REVISION, new fields at the end of structs that have struct_size, new constants and "
    "types). Run\n"
    "  scripts/accept-abi.sh\n"
    "which checks this and writes the golden file anew. Anything else needs a higher XHAL_ABI_MINOR and a "
    "record in docs/decisions/.\n";

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

enum class Question { kSame, kGrew, kHolds };

int compare_files(Question question, const std::string& former, const std::string& current) {
  const std::string former_text = read(former);
  xhal::abi::Comparison result = xhal::abi::compare(former_text, read(current));
  if (question == Question::kGrew && result.revision_stayed)
    result.breaks.emplace_back("something was added: raise XHAL_ABI_REVISION");
  for (const std::string& line : result.diff) std::cout << line << "\n";
  for (const std::string& reason : result.breaks) std::cout << "not compatible: " << reason << "\n";
  if (question != Question::kSame) {
    if (result.breaks.empty())
      std::cout << "abi-dump: " << (result.grew ? "grew at its tails only\n" : "nothing was added\n");
    return result.breaks.empty() ? 0 : 1;
  }
  if (result.diff.empty()) {
    std::cout << "abi-dump: as in " << former << "\n";
    return 0;
  }
  std::cout << "abi-dump: the headers say other things than " << former << "\n" << kHowToAccept;
  return 1;
}

int make_dump(char** paths) {
  const std::string text = xhal::abi::dump({read(paths[0]), read(paths[1]), read(paths[2])});
  std::ofstream out(paths[3], std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  if (!out) throw std::runtime_error(std::string("cannot write ") + paths[3]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  try {
    if (mode == "dump" && argc == 6) return make_dump(argv + 2);
    if (mode == "same" && argc == 4) return compare_files(Question::kSame, argv[2], argv[3]);
    if (mode == "grew" && argc == 4) return compare_files(Question::kGrew, argv[2], argv[3]);
    if (mode == "holds" && argc == 4) return compare_files(Question::kHolds, argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::cerr << "abi-dump: " << error.what() << "\n";
    return 2;
  }
  std::cerr << kUsage;
  return 2;
}
