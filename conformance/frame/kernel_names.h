// SPDX-License-Identifier: Apache-2.0
// The kernel pack under names that are made of a key, so that no driver knows its kernels by what they are called.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::conformance {

// A name of the same length for the kernel: a letter, then letters, digits and underscores.
std::string kernel_name_of(std::string_view key, std::string_view name);

// Why the kernels of an image of this format must keep their names; "" where they can be renamed.
std::string why_names_are_kept(std::string_view format);

// Puts the derived names in the place of the kernels' in an image of a format whose kernels can be renamed. Throws std::runtime_error where a
// name is not in the image as a whole, or two become one. A text begins with lines that define each name as its derived one: it is longer
// then, and still tells the names to whoever reads it.
void rename_kernels(std::span<const std::string> names, std::string_view key, std::string_view format,
                    std::vector<unsigned char>& bytes);

}  // namespace xhal::conformance
