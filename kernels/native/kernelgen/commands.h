// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

namespace xhal::kernelgen {

// Makes a module of one OpenCL C source ready for the native format. Each function takes its work-item as first
// parameter `ptr %xhal.item` and hands it on at each call, so that work-item functions need no global state. Kernels
// get the C calling convention, all functions are marked to be inlined, local variables move to the memory of the
// group and global ones to that of the device, and attributes that name a processor go.
std::string lift(const std::vector<std::string>& lines);

// Removes the attributes that name a processor, so that opt and the code generator set it.
std::string neutral(const std::vector<std::string>& lines);

struct Wrapped {
  std::string wrapper;  // C: one run_groups and one parameter table a kernel, one row a global variable
  std::string
      list;  // XHAL_NATIVE_KERNEL(name, parameters, local bytes, barrier), one line a kernel; XHAL_NATIVE_GLOBAL(name)
};

// `lines`: a lifted module, linked with the built-ins, after inlining and LLVM's analysis of what a function does with
// its pointers. `lifted`: what `lift` made of it. `source` is its name in comments and messages.
Wrapped wrap(const std::vector<std::string>& lines, const std::vector<std::string>& lifted,
             const std::string& source);

// Puts LLVM's coroutine intrinsics in the place of the functions named xhal_native_coroutine_* (native/barriers.h).
// `lines`: a module after inlining, without phi nodes (reg2mem), as blocks are split, and with all values named
// (instnamer), as unnamed ones are numbered in order.
std::string suspend(const std::vector<std::string>& lines);

// The sources of a pack as one OpenCL C text that a device's compiler takes alone: the headers stand in place of their includes, each
// once where it guards itself, and nothing else is preprocessed, so conditions are left to that compiler.
struct OneText {
  std::string text;
  std::string rule;  // of make: which files it is made of
};
// arguments: -I<folder of headers>, -D<macro for all sources>[=<value>], sources. `subject` is set to the source that is read.
OneText one_text(const std::string& target, std::span<const std::string> arguments, std::string* subject);

// What LLVM's translator to SPIR-V does not do: puts a selection of the value itself in the place of each `freeze`, and the blocks of a function
// behind those that dominate them. `lines`: a module without switches (lowerswitch) whose values are all named (instnamer).
std::string portable(const std::vector<std::string>& lines);

// The kernels and global variables of a module that clang made for SPIR, as lines that `join_lists` and `manifest` read.
std::string name_list(const std::vector<std::string>& lines);

// One list of all kernels and global variables of a pack; refuses a name that two sources define.
std::string join_lists(std::span<const std::string> files);

// arguments: PACK, then FILE FORMAT TARGET LIST_FILE of each image.
std::string manifest(std::span<const std::string> arguments);

}  // namespace xhal::kernelgen
