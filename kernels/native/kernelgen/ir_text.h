// SPDX-License-Identifier: Apache-2.0
#pragma once

// The little that is read of LLVM 15's textual form: top-level lines, function headers, metadata nodes. Text,
// because it needs no LLVM development package and the recipe pins one LLVM version.

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::kernelgen {

// One line that says what is wrong and what to do; main() puts the file's name in front.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Function {
  std::string name;
  std::vector<std::string> parameters;          // "ptr nocapture noundef readonly align 4 %0", ...
  std::map<std::string, std::string> metadata;  // "kernel_arg_name" -> "!9"
  std::vector<std::string> body;                // empty for a declaration
  bool is_definition = false;
};

struct Module {
  std::vector<Function> functions;
  std::map<std::string, std::string> nodes;  // "!9" -> "!{!\"y\", !\"x\"}"
  std::map<std::string, std::string> types;  // "%struct.Pair" -> "{ i32, float }"
};

Module parse_module(const std::vector<std::string>& lines);

// Splits at commas outside of brackets and strings; elements are trimmed.
std::vector<std::string> split_list(std::string_view text);

// Position of the bracket that closes the one at `open`.
std::size_t matching_bracket(std::string_view text, std::size_t open);

// Position of the first `@name(` at or behind `from` in a line of code, npos if none. `name` receives the name.
std::size_t find_function_reference(std::string_view line, std::size_t from, std::string* name);

bool is_kernel(const Function& function);

// <kernel>_call takes what <kernel> takes, with a pointer in the place of each value.
inline constexpr const char* kCallSuffix = "_call";

bool is_intrinsic(std::string_view function_name);

// The functions of native/barriers.h that `suspend` replaces.
inline constexpr std::string_view kCoroutineMarker = "xhal_native_coroutine_";
bool is_coroutine_marker(std::string_view function_name);

// A lifted module says how much memory a kernel's local variables take, in comments of this form: "; local bytes: <kernel> <n>".
inline constexpr const char* kLocalBytesMark = "; local bytes: ";

// And which global variables the source defines: "; global: <name> <bytes> <alignment> <set or zero>". <name>_initial is a constant with the
// initial value, if it is not all zero; <name>_index is the variable's number in the image, <name>_global its row of the image's table.
inline constexpr const char* kGlobalMark = "; global: ";
inline constexpr const char* kInitialSuffix = "_initial";
inline constexpr const char* kIndexSuffix = "_index";

// And which kernels cannot tell one group of a row from the next, so that all items of the row are one loop: "; groups alike: <kernel>".
inline constexpr const char* kGroupsAlikeMark = "; groups alike: ";

// Which kernels are called once a group, as steps of theirs loop over its items, and which of these wait between steps.
inline constexpr const char* kInStepsMark = "; in steps: ";
inline constexpr const char* kGroupBarrierMark = "; group barrier: ";

// Of native/native_item.h: it does not exist, and the linker refuses a call of it.
inline constexpr std::string_view kIdOutsideOfSteps = "xhal_item_id_asked_for_outside_of_XHAL_EACH_ITEM";

bool is_name_character(char c);

// The type that `text` begins with.
std::string_view leading_type(std::string_view text);

// How a type lies in memory on x86-64; `module` defines its structures.
struct Layout {
  std::size_t bytes;
  std::size_t alignment;
};
Layout layout_of(std::string_view type, const Module& module);

// The type T of a parameter `ptr byval(T) ...`, which is how clang passes a structure to a kernel; empty for other parameters.
std::string_view structure_of(std::string_view parameter);

std::vector<std::string> read_lines(const std::string& path);
void write_file(const std::string& path, const std::string& text);

}  // namespace xhal::kernelgen
