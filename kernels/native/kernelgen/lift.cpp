// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>
#include <string_view>

#include "commands.h"
#include "ir_text.h"

namespace xhal::kernelgen {
namespace {

void remove_all(std::string* text, std::string_view word) {
  for (std::size_t at = text->find(word); at != std::string::npos; at = text->find(word, at)) {
    text->erase(at, word.size());
  }
}

// ` "key"="value"` with any value.
void remove_attribute(std::string* text, std::string_view key) {
  const std::string start = " \"" + std::string(key) + "\"=\"";
  const std::size_t at = text->find(start);
  if (at == std::string::npos) return;
  const std::size_t end = text->find('"', at + start.size());
  text->erase(at, end + 1 - at);
}

std::string neutral_attributes(std::string line) {
  for (const std::string_view key : {"target-cpu", "target-features", "tune-cpu"})
    remove_attribute(&line, key);
  // LLVM's parser refuses a group without any attribute.
  const std::size_t open = line.find('{');
  if (line.find_first_not_of(' ', open + 1) == line.find('}', open)) line.insert(open + 1, " nounwind");
  return line;
}

std::string lift_attributes(std::string line) {
  line = neutral_attributes(std::move(line));
  for (const std::string_view word : {" noinline", " optnone", " convergent"}) remove_all(&line, word);
  if (line.find_first_not_of(' ', line.find('{') + 1) == line.find('}'))
    line.insert(line.find('{') + 1, " nounwind");
  return line;
}

// What a kernel declares `local` has its place in the memory of the group that runs. Thread-local variables would be simpler, but LLVM
// 15 keeps AVX-512 registers across the call that finds them, which the C library does not.
struct LocalVariables {
  struct Variable {
    std::string name;
    std::size_t offset;
  };
  std::vector<Variable> variables;
  std::map<std::string, std::size_t> kernel_bytes;

  // `line` defines a global variable. Returns whether it was taken, so that its definition goes.
  bool take(const std::string& line, const std::set<std::string>& functions, const Module& module) {
    const std::size_t keyword = line.find(" global ");
    if (keyword == std::string::npos) return false;
    const std::string name = line.substr(1, line.find(" = ") - 1);
    // clang calls the variable <kernel>.<variable>.
    const std::string kernel = name.substr(0, name.find('.'));
    if (kernel == name || !functions.contains(kernel) || line.find(" internal ") == std::string::npos) {
      throw Refusal("program-scope variable '" + name +
                    "' can be written: all groups and launches would share it; pass it as an argument");
    }
    const std::size_t mark = line.rfind(", align ");
    const std::size_t alignment = mark == std::string::npos ? 64 : std::stoul(line.substr(mark + 8));
    std::size_t& bytes = kernel_bytes[kernel];
    const std::size_t offset = (bytes + alignment - 1) / alignment * alignment;
    variables.push_back({name, offset});
    bytes = offset + layout_of(leading_type(std::string_view(line).substr(keyword + 8)), module).bytes;
    return true;
  }
};

// Rewrites the uses of local variables in one function. Constant expressions on them become instructions of the entry block,
// which dominates every use.
class LocalUses {
 public:
  explicit LocalUses(const LocalVariables& local) : local_(local) {}

  std::string rewrite(std::string line) {
    for (const LocalVariables::Variable& variable : local_.variables) {
      const std::string symbol = "@" + variable.name;
      for (std::size_t at = find_symbol(line, symbol); at != std::string::npos;
           at = find_symbol(line, symbol)) {
        const std::string value = "%xhal.local." + variable.name;
        if (defined_.insert(value).second) {
          entry_ += "  " + value + " = call ptr @xhal_native_local_variable(ptr %xhal.item, i64 " +
                    std::to_string(variable.offset) + ")\n";
        }
        line.replace(at, symbol.size(), value);
      }
    }
    while (hoist_constant_expression(&line)) {
    }
    return line;
  }
  [[nodiscard]] const std::string& entry() const { return entry_; }

 private:
  static std::size_t find_symbol(const std::string& line, const std::string& symbol) {
    for (std::size_t at = line.find(symbol); at != std::string::npos; at = line.find(symbol, at + 1)) {
      const std::size_t end = at + symbol.size();
      if (end == line.size() || !(is_name_character(line[end]))) return at;
    }
    return std::string::npos;
  }

  // The innermost `getelementptr inbounds (T, ptr %x, ...)` or `ptrtoint (ptr %x to i64)`: as an instruction it has no brackets.
  bool hoist_constant_expression(std::string* line) {
    const std::size_t value = line->find("%xhal.local.");
    for (std::size_t at = value; at != std::string::npos; at = line->find("%xhal.local.", at + 1)) {
      const std::size_t open = enclosing_bracket(*line, at);
      if (open == std::string::npos) continue;
      std::size_t start = std::string::npos;
      for (const std::string_view operation : {"getelementptr inbounds (", "getelementptr (", "ptrtoint ("}) {
        const std::size_t length = operation.size() - 1;
        if (open >= length && std::string_view(*line).substr(open - length, operation.size()) == operation) {
          start = open - length;
          break;
        }
      }
      if (start == std::string::npos) continue;
      const std::size_t close = matching_bracket(*line, open);
      // Named like a local variable, so that an expression around it is found in turn.
      const std::string name = "%xhal.local." + std::to_string(expressions_++);
      entry_ += "  " + name + " = " + line->substr(start, open - start) +
                line->substr(open + 1, close - open - 1) + "\n";
      line->replace(start, close + 1 - start, name);
      return true;
    }
    return false;
  }

  static std::size_t enclosing_bracket(const std::string& line, std::size_t at) {
    int depth = 0;
    for (std::size_t i = at; i-- > 0;) {
      if (line[i] == ')') ++depth;
      if (line[i] == '(' && depth-- == 0) return i;
    }
    return std::string::npos;
  }

  const LocalVariables& local_;
  std::set<std::string> defined_;
  std::string entry_;
  int expressions_ = 0;
};

std::string lift_code(std::string line) {
  remove_all(&line, " spir_kernel");
  remove_all(&line, " spir_func");
  const bool is_header = line.starts_with("define ") || line.starts_with("declare ");
  std::string name;
  std::size_t from = 0;
  while ((from = find_function_reference(line, from, &name)) != std::string::npos) {
    const std::size_t open = from + 1 + name.size();
    from = open;
    if (is_intrinsic(name)) continue;
    const bool has_parameters = line[open + 1] != ')';
    const bool needs_no_name = line.starts_with("declare ");
    line.insert(open + 1,
                std::string(needs_no_name ? "ptr" : "ptr %xhal.item") + (has_parameters ? ", " : ""));
    if (is_header) break;
  }
  if (line.starts_with("define ")) {
    const std::size_t close = matching_bracket(line, line.find('(', line.find('@')));
    std::size_t attributes = line.find(" #", close);
    if (attributes == std::string::npos) attributes = close + 1;
    line.insert(attributes, " alwaysinline");
  }
  return line;
}

// Each kernel's local memory starts at offset 0, so that of a called one would lie over its caller's.
void refuse_calls_of_kernels_with_local_memory(const Module& module, const LocalVariables& local) {
  for (const Function& function : module.functions) {
    for (const std::string& line : function.body) {
      std::string name;
      if (find_function_reference(line, 0, &name) == std::string::npos || !local.kernel_bytes.contains(name))
        continue;
      throw Refusal("'" + function.name + "' calls the kernel '" + name +
                    "', which declares local memory: make a function of it that takes that memory");
    }
  }
}

// Whether a kernel sees the same whatever group of a row an item is in: it asks for nothing but what is listed here, and has no
// memory that belongs to a group.
class GroupsAlike {
 public:
  GroupsAlike(const Module& module, const LocalVariables& local) : local_(local) {
    for (const Function& function : module.functions) functions_[function.name] = &function;
  }

  [[nodiscard]] bool holds(const Module& module, const Function& kernel) {
    const auto spaces = kernel.metadata.find("kernel_arg_addr_space");
    if (spaces == kernel.metadata.end() || !module.nodes.contains(spaces->second)) return false;
    if (module.nodes.at(spaces->second).find("i32 3") != std::string::npos) return false;
    seen_.clear();
    return asks_alike(kernel);
  }

 private:
  static bool is_harmless(std::string_view name) {
    static const std::set<std::string_view> kHarmless = {
        "_Z12get_work_dimv",   "_Z13get_global_idj",           "_Z14get_local_sizej",
        "_Z14get_num_groupsj", "_Z15get_global_sizej",         "_Z17get_global_offsetj",
        "_Z9mem_fencej",       "_Z14read_mem_fencej",          "_Z15write_mem_fencej",
        "xhal_native_resolve", "xhal_native_load_acquire_u32", "xhal_native_store_release_u32"};
    return kHarmless.contains(name) || is_intrinsic(name) || name.find("atom") != std::string_view::npos;
  }

  bool asks_alike(const Function& function) {
    if (!seen_.insert(function.name).second) return true;
    if (local_.kernel_bytes.contains(function.name)) return false;
    for (const std::string& line : function.body) {
      std::string name;
      for (std::size_t at = 0; (at = find_function_reference(line, at, &name)) != std::string::npos; ++at) {
        const auto called = functions_.find(name);
        const bool is_own = called != functions_.end() && called->second->is_definition;
        if (is_own ? !asks_alike(*called->second) : !is_harmless(name)) return false;
      }
    }
    return true;
  }

  const LocalVariables& local_;
  std::map<std::string, const Function*> functions_;
  std::set<std::string> seen_;
};

// clang passes values to OpenCL kernels by rules that no C function has. A wrapper in C calls this instead, which takes a
// pointer to each value; a structure's has its alignment.
std::string value_loader(const Function& kernel) {
  std::string parameters = "ptr %xhal.item";
  std::string loads;
  std::string values = "ptr %xhal.item";
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const std::string number = std::to_string(i);
    const std::string& text = kernel.parameters[i];
    const std::string type(leading_type(text));
    parameters += ", ptr %argument" + number;
    if (const std::string_view structure = structure_of(text); !structure.empty()) {
      const std::size_t name = text.rfind(' ');
      values += ", ptr" + text.substr(type.size(), name - type.size()) + " %argument" + number;
    } else if (type == "ptr") {
      values += ", ptr %argument" + number;
    } else {
      loads += "  %value" + number + " = load " + type + ", ptr %argument" + number + ", align 1\n";
      values += ", " + type + " %value" + number;
    }
  }
  return "\ndefine void @" + kernel.name + kCallSuffix + "(" + parameters + ") alwaysinline nounwind {\n" +
         loads + "  call void @" + kernel.name + "(" + values + ")\n  ret void\n}\n";
}

}  // namespace

std::string neutral(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line.starts_with("attributes #") ? neutral_attributes(line) : line;
    text += '\n';
  }
  return text;
}

std::string lift(const std::vector<std::string>& lines) {
  std::set<std::string> functions;
  std::string loaders;
  const Module module = parse_module(lines);
  for (const Function& function : module.functions) {
    if (function.is_definition) functions.insert(function.name);
    if (is_kernel(function)) loaders += value_loader(function);
  }
  LocalVariables local;
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.starts_with("define ")) {
      LocalUses uses(local);
      std::string body;
      for (++i; i < lines.size() && lines[i] != "}"; ++i) body += uses.rewrite(lift_code(lines[i])) + '\n';
      text += lift_code(line) + '\n' + uses.entry() + body + "}\n";
      continue;
    }
    if (line.starts_with("attributes #")) {
      text += lift_attributes(line);
    } else if (line.starts_with("declare ")) {
      text += lift_code(line);
    } else if (!line.starts_with("@") || !local.take(line, functions, module)) {
      text += line;
    }
    text += '\n';
  }
  refuse_calls_of_kernels_with_local_memory(module, local);
  if (!local.variables.empty()) text += "\ndeclare ptr @xhal_native_local_variable(ptr, i64)\n";
  for (const auto& [kernel, bytes] : local.kernel_bytes) {
    text += kLocalBytesMark + kernel + " " + std::to_string(bytes) + "\n";
  }
  GroupsAlike groups_alike(module, local);
  for (const Function& function : module.functions) {
    if (is_kernel(function) && groups_alike.holds(module, function))
      text += kGroupsAlikeMark + function.name + "\n";
  }
  return text + loaders;
}

}  // namespace xhal::kernelgen
