// SPDX-License-Identifier: Apache-2.0
// Runs the harness on files, and on each of them cut off at every byte and with every byte changed: works with any compiler.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::size_t inputs = 0;

void run(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  ++inputs;
}

void run_around(const std::string& text) {
  run(text);
  for (std::size_t length = 0; length < text.size(); ++length) run(text.substr(0, length));
  std::string changed = text;
  for (char& c : changed) {
    const char before = c;
    for (const char other : {'"', '\\', '}', ',', '\n', '0', '\0', '\xff'}) {
      c = other;
      run(changed);
    }
    c = before;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s <folder of inputs>\n", argv[0]);
    return 2;
  }
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    run_around(std::string(std::istreambuf_iterator<char>(file), {}));
  }
  if (inputs == 0) {
    std::fprintf(stderr, "%s holds no inputs\n", argv[1]);
    return 1;
  }
  std::printf("%zu inputs, no complaint\n", inputs);
  return 0;
}
