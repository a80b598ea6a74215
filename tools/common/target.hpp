// SPDX-License-Identifier: Apache-2.0
// The options by which a tool is told which driver and device it is about.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "compiler/compiled_pack.h"
#include "frame/session.h"

namespace xhal::tools {

// --backend, or as `backend_flags` says, --driver, --device, --kernels.
void add_target_options(CLI::App& app, conformance::Target& target,
                        const std::string& backend_flags = "--backend");
// --kernel-compiler, --kernel-compiler-timeout, --kernel-cache.
void add_compiler_options(CLI::App& app, conformance::KernelCompiler& compiler);
// Finds the one driver that is meant, and without a name the one that is there; else prints why not. The exit code. Nothing is loaded: what is
// wrong here is the user's.
int choose_driver(std::string_view tool, conformance::Target& target);

}  // namespace xhal::tools
