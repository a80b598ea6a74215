// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
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

// Variables whose place only the running item knows. What a kernel declares `local` lies in the memory of the group that runs.
// (Thread-local variables would be simpler, but LLVM 15 keeps AVX-512 registers across the call that finds them, which the C library does
// not.) A global variable of the program lies in memory of the device that the driver gives each load of the image; the module keeps its
// initial value as a constant, and its number among those of the pack is known when the image is linked.
class MovedVariables {
 public:
  struct Variable {
    std::string name;
    std::string place;  // the call that finds it
  };

  // `line` defines a global variable of LLVM's. False when it stays as it is; else `out` is to take its place.
  bool take(const std::string& line, const std::set<std::string>& functions, const Module& module,
            std::string* out) {
    const std::size_t keyword = line.find(" global ");
    if (keyword == std::string::npos) return false;
    const std::string name = line.substr(1, line.find(" = ") - 1);
    const std::string_view value = std::string_view(line).substr(keyword + 8);
    const std::string type(leading_type(value));
    const std::size_t mark = value.rfind(", align ");
    const std::size_t alignment =
        mark == std::string::npos ? 64 : std::stoul(std::string(value.substr(mark + 8)));
    const std::string initial(
        value.substr(type.size(), mark == std::string::npos ? mark : mark - type.size()));
    // clang calls a variable of a function <function>.<variable>.
    const std::string function = name.substr(0, name.find('.'));
    if (function == name) {
      take_global(line.substr(0, keyword), name, type, initial, alignment, module, out);
    } else if (functions.contains(function) && initial == " undef") {
      take_local(name, function, layout_of(type, module).bytes, alignment);
      out->clear();
    } else {
      refuse_static(name);
    }
    return true;
  }

  // Where a constant tells the address of one of them: the image has no such address.
  void check_stays(const std::string& line) const {
    for (const Variable& variable : variables_) {
      if (refers_to(line, variable.name)) refuse_address(line.substr(1, line.find(' ') - 1));
    }
  }

  [[nodiscard]] const std::vector<Variable>& variables() const { return variables_; }
  [[nodiscard]] const std::map<std::string, std::size_t>& local_bytes() const { return local_bytes_; }
  // What `wrap` must know of them, in comments, and what the module calls.
  [[nodiscard]] std::string epilogue() const {
    std::string text;
    if (!local_bytes_.empty()) text += "\ndeclare ptr @xhal_native_local_variable(ptr, i64)\n";
    if (!global_marks_.empty()) text += "\ndeclare ptr @xhal_native_global_variable(ptr, ptr)\n";
    for (const auto& [kernel, bytes] : local_bytes_)
      text += kLocalBytesMark + kernel + " " + std::to_string(bytes) + "\n";
    return text + global_marks_;
  }

 private:
  [[noreturn]] static void refuse_static(const std::string& name) {
    throw Refusal("variable '" + name +
                  "' is static and can be written: declare it outside of functions and without static");
  }
  [[noreturn]] static void refuse_address(const std::string& holder) {
    throw Refusal(
        "the value of '" + holder +
        "' holds an address, and each load of the image has its variables elsewhere: take the address "
        "in a kernel");
  }
  static bool refers_to(const std::string& text, const std::string& name) {
    const std::string symbol = "@" + name;
    for (std::size_t at = text.find(symbol); at != std::string::npos; at = text.find(symbol, at + 1)) {
      const std::size_t end = at + symbol.size();
      if (at != 0 && (end == text.size() || !is_name_character(text[end]))) return true;
    }
    return false;
  }

  void take_local(const std::string& name, const std::string& kernel, std::size_t size,
                  std::size_t alignment) {
    std::size_t& bytes = local_bytes_[kernel];
    const std::size_t offset = (bytes + alignment - 1) / alignment * alignment;
    variables_.push_back(
        {name, "ptr @xhal_native_local_variable(ptr %xhal.item, i64 " + std::to_string(offset) + ")"});
    bytes = offset + size;
  }

  void take_global(const std::string& head, const std::string& name, const std::string& type,
                   const std::string& initial, std::size_t alignment, const Module& module,
                   std::string* out) {
    if (head.find(" internal") != std::string::npos) refuse_static(name);
    if (head.find(" external") != std::string::npos) {
      throw Refusal("variable '" + name +
                    "' is declared and not defined: define it in the source that uses it");
    }
    if (initial.find('@') != std::string::npos) refuse_address(name);
    const bool is_zero = initial == " zeroinitializer" || initial == " undef";
    *out = "@" + name + kIndexSuffix + " = external hidden constant i32";
    if (!is_zero) {
      *out += "\n@" + name + kInitialSuffix + " = hidden constant " + type + initial + ", align " +
              std::to_string(alignment);
    }
    variables_.push_back(
        {name, "ptr @xhal_native_global_variable(ptr %xhal.item, ptr @" + name + kIndexSuffix + ")"});
    global_marks_ += kGlobalMark + name + " " + std::to_string(layout_of(type, module).bytes) + " " +
                     std::to_string(alignment) + (is_zero ? " zero" : " set") + "\n";
  }

  std::vector<Variable> variables_;
  std::map<std::string, std::size_t> local_bytes_;  // by kernel
  std::string global_marks_;
};

// Rewrites the uses of these variables in one function. Constant expressions on them become instructions of the entry block,
// which dominates every use.
class VariableUses {
 public:
  explicit VariableUses(const MovedVariables& moved) : moved_(moved) {}

  std::string rewrite(std::string line) {
    for (const MovedVariables::Variable& variable : moved_.variables()) {
      const std::string symbol = "@" + variable.name;
      for (std::size_t at = find_symbol(line, symbol); at != std::string::npos;
           at = find_symbol(line, symbol)) {
        const std::string value = "%xhal.moved." + variable.name;
        if (defined_.insert(value).second) entry_ += "  " + value + " = call " + variable.place + "\n";
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
    const std::size_t value = line->find("%xhal.moved.");
    for (std::size_t at = value; at != std::string::npos; at = line->find("%xhal.moved.", at + 1)) {
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
      // Named like a variable, so that an expression around it is found in turn.
      const std::string name = "%xhal.moved." + std::to_string(expressions_++);
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

  const MovedVariables& moved_;
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
void refuse_calls_of_kernels_with_local_memory(const Module& module, const MovedVariables& moved) {
  for (const Function& function : module.functions) {
    for (const std::string& line : function.body) {
      std::string name;
      if (find_function_reference(line, 0, &name) == std::string::npos || !moved.local_bytes().contains(name))
        continue;
      throw Refusal("'" + function.name + "' calls the kernel '" + name +
                    "', which declares local memory: make a function of it that takes that memory");
    }
  }
}

// What a kernel calls, be it through functions of its own.
class Calls {
 public:
  explicit Calls(const Module& module) {
    for (const Function& function : module.functions) functions_[function.name] = &function;
  }

  [[nodiscard]] std::set<std::string> of(const Function& kernel) const {
    std::set<std::string> names;
    collect(kernel, &names);
    return names;
  }
  [[nodiscard]] bool defines(const std::string& name) const {
    const auto function = functions_.find(name);
    return function != functions_.end() && function->second->is_definition;
  }

 private:
  void collect(const Function& function, std::set<std::string>* names) const {
    for (const std::string& line : function.body) {
      std::string name;
      for (std::size_t at = 0; (at = find_function_reference(line, at, &name)) != std::string::npos; ++at) {
        if (names->insert(name).second && defines(name)) collect(*functions_.at(name), names);
      }
    }
  }

  std::map<std::string, const Function*> functions_;
};

// Whether a kernel sees the same whatever group of a row an item is in: it asks for nothing but what is listed here, and has no
// memory that belongs to a group.
bool groups_are_alike(const Module& module, const MovedVariables& moved, const Calls& calls,
                      const Function& kernel) {
  static const std::set<std::string_view> kHarmless = {
      "_Z12get_work_dimv",   "_Z13get_global_idj",           "_Z14get_local_sizej",
      "_Z14get_num_groupsj", "_Z15get_global_sizej",         "_Z17get_global_offsetj",
      "_Z9mem_fencej",       "_Z14read_mem_fencej",          "_Z15write_mem_fencej",
      "xhal_native_resolve", "xhal_native_load_acquire_u32", "xhal_native_store_release_u32"};
  const auto spaces = kernel.metadata.find("kernel_arg_addr_space");
  if (spaces == kernel.metadata.end() || !module.nodes.contains(spaces->second)) return false;
  if (module.nodes.at(spaces->second).find("i32 3") != std::string::npos) return false;
  if (moved.local_bytes().contains(kernel.name)) return false;
  return std::ranges::all_of(calls.of(kernel), [&](const std::string& name) {
    return calls.defines(name) || kHarmless.contains(name) || is_intrinsic(name) ||
           name.find("atom") != std::string::npos;
  });
}

// What `wrap` must know of a kernel's calls, in comments.
std::string marks(const Module& module, const MovedVariables& moved, const Calls& calls,
                  const Function& kernel) {
  if (groups_are_alike(module, moved, calls, kernel)) return kGroupsAlikeMark + kernel.name + "\n";
  const std::set<std::string> called = calls.of(kernel);
  const bool waits = called.contains("xhal_native_group_barrier");
  if (!waits && !called.contains("xhal_native_first_item")) return "";
  if (called.contains("_Z7barrierj")) {
    throw Refusal("kernel '" + kernel.name +
                  "' is written in steps (XHAL_EACH_ITEM), but calls barrier(): write XHAL_GROUP_BARRIER() "
                  "between steps, or the whole kernel without steps");
  }
  return kInStepsMark + kernel.name + "\n" + (waits ? kGroupBarrierMark + kernel.name + "\n" : "");
}

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
  MovedVariables moved;
  std::vector<std::string> constants;
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.starts_with("define ")) {
      VariableUses uses(moved);
      std::string variables;
      std::string body;
      // What finds a moved variable branches: variables of the function that were allocated behind it would never become registers.
      for (++i; i < lines.size() && lines[i].find(" = alloca ") != std::string::npos; ++i)
        variables += lines[i] + '\n';
      for (; i < lines.size() && lines[i] != "}"; ++i) body += uses.rewrite(lift_code(lines[i])) + '\n';
      text += lift_code(line) + '\n' + variables + uses.entry() + body + "}\n";
      continue;
    }
    if (line.starts_with("attributes #")) {
      text += lift_attributes(line);
    } else if (line.starts_with("declare ")) {
      text += lift_code(line);
    } else if (std::string replaced;
               line.starts_with("@") && moved.take(line, functions, module, &replaced)) {
      text += replaced;
    } else {
      if (line.starts_with("@")) constants.push_back(line);
      text += line;
    }
    text += '\n';
  }
  for (const std::string& constant : constants) moved.check_stays(constant);
  refuse_calls_of_kernels_with_local_memory(module, moved);
  text += moved.epilogue();
  const Calls calls(module);
  for (const Function& function : module.functions) {
    if (is_kernel(function)) text += marks(module, moved, calls, function);
  }
  return text + loaders;
}

}  // namespace xhal::kernelgen
