// SPDX-License-Identifier: Apache-2.0
#include "compiler/compiled_pack.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "compiler/compiler_command.h"
#include "compiler/kernel_cache.h"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"
#include "run/task_process.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;
using Fault = CompilerError::Fault;

namespace {

constexpr const char* kLanguage = "opencl-c";

struct ImageKind {
  std::string format;
  std::string target;
  bool operator==(const ImageKind&) const = default;
};

std::string name_of(const ImageKind& kind) {
  return kind.target.empty() ? kind.format : kind.format + " " + kind.target;
}

// One of the texts of a pack.
struct KernelText {
  std::string file;
  std::string version;
  std::string hash;
  nlohmann::json kernels;
  nlohmann::json globals;
};

struct KernelTexts {
  std::string pack;
  std::vector<KernelText> texts;  // the latest version first
};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

KernelTexts texts_of(const fs::path& folder) {
  KernelTexts out;
  const auto manifest = nlohmann::json::parse(read_file(folder / "manifest.json"), nullptr, false);
  if (!manifest.is_object()) return out;
  out.pack = manifest.value("pack", "xhal");
  for (const auto& image : manifest.value("images", nlohmann::json::array())) {
    if (image.value("format", "") != kLanguage) continue;
    const std::string file = (folder / image.value("file", "")).string();
    out.texts.push_back({file, image.value("target", ""), sha256_of_file(file),
                         image.value("kernels", nlohmann::json::array()),
                         image.value("globals", nlohmann::json::array())});
    if (out.texts.back().hash.empty())
      throw CompilerError(Fault::kUser, fmt::format("cannot read {}, which the pack's manifest names", file));
  }
  std::ranges::sort(out.texts, std::greater(), &KernelText::version);
  return out;
}

// What each device loads, the best first; nothing when the driver did not tell.
struct Formats {
  std::vector<std::vector<ImageKind>> devices;
  bool interrupted = false;
  std::string why_not;
};

Formats formats_of(const Target& target, double deadline_s, int interrupt_fd) {
  Formats out;
  TaskProcess worker(target, RunSettings(), deadline_s, interrupt_fd);
  const auto ending =
      worker.ask({{"do", "image_formats"}}, "image_formats", [&](const nlohmann::json& message) {
        out.why_not = message.value("error", "");
        for (const auto& device : message.value("devices", nlohmann::json::array())) {
          auto& kinds = out.devices.emplace_back();
          for (const auto& kind : device)
            kinds.push_back({kind.at("format").get<std::string>(), kind.at("target").get<std::string>()});
        }
      });
  out.interrupted = ending.end == TaskProcess::End::kInterrupted;
  if (ending.end != TaskProcess::End::kDone) out.why_not = ending.text;
  return out;
}

class CompiledPack {
 public:
  CompiledPack(const KernelCompiler& compiler, KernelTexts texts, int interrupt_fd)
      : compiler_(compiler),
        texts_(std::move(texts)),
        interrupt_fd_(interrupt_fd),
        cache_(compiler.cache_directory) {
    for (const std::string& command : compiler.commands) commands_.emplace_back(command);
  }

  // Makes the best of these kinds that can be made. False: none.
  bool provide(const std::vector<ImageKind>& kinds) {
    for (const ImageKind& kind : kinds) {
      // The text itself is no image of a compiler's, and nothing is built in to be compiled.
      if (kind.format == kLanguage || kind.format == "builtin") continue;
      for (const CompilerCommand& command : commands_) {
        for (const KernelText& text : texts_.texts) {
          if (provide(kind, command, text)) return true;
        }
      }
    }
    return false;
  }

  // The folder of all that was made.
  std::string folder() {
    if (keys_.size() == 1) return *cache_.find(*keys_.begin());
    std::string all;
    std::vector<PackImage> images;
    for (const std::string& key : keys_) {
      all += key + "\n";
      const fs::path folder = *cache_.find(key);
      for (auto& entry : nlohmann::json::parse(read_file(folder / "manifest.json")).at("images")) {
        std::string bytes = read_file(folder / entry.at("file").get<std::string>());
        images.push_back({std::move(entry), std::move(bytes)});
      }
    }
    const std::string key = sha256(all);
    const auto found = cache_.find(key);
    return found ? *found : cache_.publish(key, texts_.pack, images);
  }

 private:
  bool provide(const ImageKind& kind, const CompilerCommand& command, const KernelText& text) {
    CompileRequest request{text.file, kLanguage, kind.format, kind.target, {}};
    if (!text.version.empty()) request.options.push_back("-cl-std=CL" + text.version);
    const std::string key =
        sha256(nlohmann::json({1, command.identity(), request.language, request.options, text.hash,
                               kind.format, kind.target, texts_.pack, text.kernels, text.globals})
                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    const bool is_cached = cache_.find(key).has_value();
    if (!is_cached) {
      const KernelCache::Scratch scratch = cache_.scratch();
      const std::string image = scratch.file("image");
      if (!command.make(request, image, compiler_.deadline_s, interrupt_fd_)) return false;
      static_cast<void>(cache_.publish(key, texts_.pack,
                                       {{{{"format", kind.format},
                                          {"target", kind.target},
                                          {"kernels", text.kernels},
                                          {"globals", text.globals}},
                                         read_file(image)}}));
    }
    if (keys_.insert(key).second)
      tell(fmt::format("kernels: {} {} {}", command.text(), is_cached ? "has made" : "makes", name_of(kind)));
    return true;
  }

  const KernelCompiler& compiler_;
  const KernelTexts texts_;
  const int interrupt_fd_;
  const KernelCache cache_;
  std::vector<CompilerCommand> commands_;
  std::set<std::string> keys_;
};

void compile(const KernelCompiler& compiler, Target& target, const std::string& own_kernels,
             double entry_deadline_s, int interrupt_fd) {
  KernelTexts texts = texts_of(target.kernel_directory);
  if (texts.texts.empty()) texts = texts_of(own_kernels);
  if (texts.texts.empty()) {
    throw CompilerError(
        Fault::kUser,
        fmt::format("--kernel-compiler: neither {} nor {} has a text (format {}) to be compiled",
                    target.kernel_directory, own_kernels, kLanguage));
  }
  CompiledPack pack(compiler, std::move(texts), interrupt_fd);
  const Formats formats = formats_of(target, entry_deadline_s, interrupt_fd);
  if (formats.interrupted) return;
  if (formats.devices.empty()) {
    // Whoever opens it finds the same and says it better; where that goes well, the driver has hung or crashed on this question.
    if (probed(target, entry_deadline_s, interrupt_fd).ending == Probe::Ending::kInterrupted) return;
    throw CompilerError(Fault::kCompiler,
                        fmt::format("driver {}: its image formats could not be asked for: {}",
                                    driver_of(target), formats.why_not));
  }
  if (!pack.provide(formats.devices.front())) {
    std::string listed;
    for (const ImageKind& kind : formats.devices.front())
      listed += (listed.empty() ? "" : ", ") + name_of(kind);
    throw CompilerError(Fault::kUser,
                        fmt::format("--kernel-compiler: it makes nothing that the device loads ({})",
                                    listed.empty() ? "no image format" : listed));
  }
  // Tests of several devices load the pack on each; most are alike.
  for (auto device = formats.devices.begin() + 1; device != formats.devices.end(); ++device) {
    if (std::find(formats.devices.begin(), device, *device) == device) pack.provide(*device);
  }
  target.kernel_directory = pack.folder();
  tell(fmt::format("kernels: in {}", target.kernel_directory));
}

}  // namespace

void use_kernel_compiler(const KernelCompiler& compiler, Target& target, const std::string& own_kernels,
                         double entry_deadline_s, int interrupt_fd) {
  if (compiler.commands.empty()) return;
  try {
    compile(compiler, target, own_kernels, entry_deadline_s, interrupt_fd);
  } catch (const CompilerError& error) {
    if (error.fault() == Fault::kInterrupted) return;
    stop(error.fault() == Fault::kUser ? kExitUsage : kExitMisbehaved, error.what());
  }
}

}  // namespace xhal::conformance
