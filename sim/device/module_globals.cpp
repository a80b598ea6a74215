// SPDX-License-Identifier: Apache-2.0
#include "device/module_globals.hpp"

#include <cstring>
#include <utility>

#include "xhal/kit/driver.hpp"

namespace xhal::sim {

xhal_result_t ModuleGlobals::place(Memory& memory, uint32_t device, std::shared_ptr<Image> image,
                                   std::shared_ptr<const Image>& out, std::string& why) {
  if (image->globals().empty()) {
    out = std::move(image);
    return XHAL_SUCCESS;
  }
  Image& placed = *image;
  const auto globals = std::make_shared<ModuleGlobals>(memory, std::move(image));
  if (const xhal_result_t result = globals->place_all(device, why); result < 0) return result;
  std::vector<uint64_t> addresses;
  addresses.reserve(globals->variables_.size());
  for (const Variable& variable : globals->variables_)
    addresses.push_back(reinterpret_cast<uint64_t>(variable.pointer));
  placed.place_globals(std::move(addresses), globals);
  out = std::shared_ptr<const Image>(globals, &placed);
  return XHAL_SUCCESS;
}

xhal_result_t ModuleGlobals::place_all(uint32_t device, std::string& why) {
  variables_.reserve(image_->globals().size());
  for (const GlobalCode& code : image_->globals()) {
    Variable variable = {nullptr, kit::services().next_id()};
    xhal_result_t result =
        memory_.allocate_global(device, code.size, code.alignment, variable.id, &variable.pointer, why);
    if (result < 0) {
      why = "global variable '" + code.name + "': " + why;
      return result;
    }
    variables_.push_back(variable);
    Resolved bytes;
    result = memory_.resolve(variable.pointer, code.size, {device, XHAL_ACCESS_WRITE}, bytes);
    if (result < 0) {
      why = "global variable '" + code.name + "' " + bytes.problem;
      return result;
    }
    // It is zero, and no work knows it: what its former owner had submitted is done.
    if (code.initial != nullptr) std::memcpy(bytes.host, code.initial, code.size);
  }
  return XHAL_SUCCESS;
}

void ModuleGlobals::withdraw(Memory& memory, const Image& image) {
  for (const uint64_t address : image.global_addresses())
    memory.withdraw_global(reinterpret_cast<const void*>(address));
}

ModuleGlobals::~ModuleGlobals() {
  for (const Variable& variable : variables_) memory_.end_graph_memory(variable.pointer, variable.id);
}

}  // namespace xhal::sim
