// SPDX-License-Identifier: Apache-2.0
// The global variables of a module: memory of its device, for as long as somebody may run the module's kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/image.hpp"
#include "memory/memory.hpp"

namespace xhal::sim {

class ModuleGlobals {
 public:
  // Gives each of the image's variables memory with its initial value. `out` keeps the image and that memory; an image without variables
  // is `out` itself. Throws std::bad_alloc.
  static xhal_result_t place(Memory& memory, uint32_t device, std::shared_ptr<Image> image,
                             std::shared_ptr<const Image>& out, std::string& why);
  // The module is destroyed: nobody knows the addresses any more. The memory stays for what still runs.
  static void withdraw(Memory& memory, const Image& image);

  ModuleGlobals(Memory& memory, std::shared_ptr<Image> image) : memory_(memory), image_(std::move(image)) {}
  ModuleGlobals(const ModuleGlobals&) = delete;
  ModuleGlobals& operator=(const ModuleGlobals&) = delete;
  ~ModuleGlobals();

 private:
  xhal_result_t place_all(uint32_t device, std::string& why);

  Memory& memory_;
  const std::shared_ptr<Image> image_;
  struct Variable {
    void* pointer;
    uint64_t id;
  };
  std::vector<Variable> variables_;
};

}  // namespace xhal::sim
