// SPDX-License-Identifier: Apache-2.0
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

#include "commands.h"
#include "ir_text.h"

namespace xhal::kernelgen {
namespace {

enum class Kind { kValue, kGlobal, kLocal };

struct Parameter {
  std::string name;
  Kind kind = Kind::kValue;
  bool reads = false;
  bool writes = false;
  std::string value_type;  // C spelling, declared by value_typedef
  std::string value_typedef;
};

struct Kernel {
  std::string name;
  std::vector<Parameter> parameters;
  std::size_t local_bytes = 0;
  bool uses_barrier = false;  // its items are coroutines
  bool groups_are_alike = false;
  bool is_in_steps = false;
};

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool starts = at == 0 || text[at - 1] == ' ';
    const bool ends = end == text.size() || text[end] == ' ';
    if (starts && ends) return true;
  }
  return false;
}

// The elements of a kernel_arg_* node: integers and strings alike without their dressing.
std::vector<std::string> argument_facts(const Module& module, const Function& function,
                                        const std::string& key) {
  const auto reference = function.metadata.find(key);
  if (reference == function.metadata.end() || !module.nodes.contains(reference->second)) {
    throw Refusal("kernel '" + function.name + "' carries no metadata " + key +
                  ": compile it with -cl-kernel-arg-info");
  }
  const std::string& node = module.nodes.at(reference->second);
  const std::size_t open = node.find('{');
  std::vector<std::string> facts =
      split_list(std::string_view(node).substr(open + 1, node.rfind('}') - open - 1));
  for (std::string& fact : facts) {
    if (fact.starts_with("!\"")) fact = fact.substr(2, fact.size() - 3);
    if (fact.starts_with("i32 ")) fact = fact.substr(4);
  }
  return facts;
}

// A C type of the same size and alignment as clang's name of an OpenCL type: `uint`, `float __attribute__((ext_vector_type(4)))`.
void set_value_type(Parameter* parameter, const std::string& opencl_type, const std::string& alias) {
  static const std::map<std::string, std::string> kScalars = {
      {"char", "int8_t"}, {"uchar", "uint8_t"}, {"short", "int16_t"}, {"ushort", "uint16_t"},
      {"int", "int32_t"}, {"uint", "uint32_t"}, {"long", "int64_t"},  {"ulong", "uint64_t"},
      {"float", "float"}, {"double", "double"}};
  const std::size_t space = opencl_type.find(' ');
  const std::string scalar = opencl_type.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : opencl_type.substr(space);
  if (!kScalars.contains(scalar) || !(rest.empty() || rest.starts_with(" __attribute__((ext_vector_type("))) {
    throw Refusal("parameter '" + parameter->name + "' has the type '" + opencl_type +
                  "': pass scalars, vectors, structures and pointers only");
  }
  parameter->value_type = alias;
  parameter->value_typedef = "typedef " + kScalars.at(scalar) + " " + alias + rest + ";\n";
}

// The bytes of a structure, which the kernel alone knows how to read.
void set_structure(Parameter* parameter, const Module& module, const std::string& text,
                   const std::string& alias) {
  const std::size_t bytes = layout_of(structure_of(text), module).bytes;
  static constexpr std::string_view kAlign = " align ";
  const std::size_t at = text.find(kAlign);
  if (at == std::string::npos || bytes == 0) {
    throw Refusal("parameter '" + parameter->name +
                  "' is a structure of no size or alignment: give it a member");
  }
  parameter->value_type = alias;
  parameter->value_typedef = "typedef struct {\n  _Alignas(" +
                             std::to_string(std::stoul(text.substr(at + kAlign.size()))) +
                             ") unsigned char bytes[" + std::to_string(bytes) + "];\n} " + alias + ";\n";
}

// What is declared const is read. Of the rest LLVM's analysis tells what is certainly never read; anything that it cannot
// tell counts as read and written, which is safe for every use that a driver or a checker makes of it.
void set_access(Parameter* parameter, const std::string& qualifiers, const std::string& analysed) {
  const bool never_read = has_word(analysed, "writeonly");
  if (!has_word(qualifiers, "const")) {
    parameter->writes = true;
    parameter->reads = !never_read;
    return;
  }
  parameter->reads = true;
  const bool never_written = has_word(analysed, "readonly") || has_word(analysed, "readnone");
  if (!never_written && !has_word(qualifiers, "volatile")) {
    throw Refusal("parameter '" + parameter->name +
                  "' is declared const, but the compiler cannot show that nothing is written through it");
  }
}

Kernel describe(const Module& module, const Function& function) {
  Kernel kernel;
  kernel.name = function.name;
  const auto names = argument_facts(module, function, "kernel_arg_name");
  const auto spaces = argument_facts(module, function, "kernel_arg_addr_space");
  const auto accesses = argument_facts(module, function, "kernel_arg_access_qual");
  const auto types = argument_facts(module, function, "kernel_arg_base_type");
  const auto qualifiers = argument_facts(module, function, "kernel_arg_type_qual");
  // The item comes first in the lifted function.
  if (function.parameters.size() != names.size() + 1) {
    throw Refusal(
        "kernel '" + kernel.name +
        "': its metadata and its code disagree on the number of parameters: another compiler than clang " +
        "15 does that");
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    Parameter parameter;
    parameter.name = names[i];
    if (accesses[i] != "none") {
      throw Refusal("kernel '" + kernel.name + "', parameter '" + names[i] + "': images are not supported");
    }
    if (spaces[i] == "1" || spaces[i] == "2") {
      parameter.kind = Kind::kGlobal;
      set_access(&parameter, spaces[i] == "2" ? "const" : qualifiers[i], function.parameters[i + 1]);
    } else if (spaces[i] == "3") {
      parameter.kind = Kind::kLocal;
    } else if (!structure_of(function.parameters[i + 1]).empty()) {
      set_structure(&parameter, module, function.parameters[i + 1],
                    kernel.name + "_type" + std::to_string(i));
    } else {
      set_value_type(&parameter, types[i], kernel.name + "_type" + std::to_string(i));
    }
    kernel.parameters.push_back(parameter);
  }
  for (const std::string& line : function.body) {
    // What the built-in barrier calls; in the kernel's own body, as all is inlined.
    if (line.find("@xhal_native_coroutine_suspend(") != std::string::npos) kernel.uses_barrier = true;
  }
  return kernel;
}

std::string readable_name(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0) return symbol;
  return text.get();
}

// What native_math.h takes from the C library, which every image is linked with.
bool is_of_the_c_library(std::string_view name) {
  static const std::set<std::string, std::less<>> kNames = {
      "acos",  "acosh", "asin",      "asinh", "atan",  "atan2", "atanh", "cbrt",   "cos",   "cosh",
      "erf",   "erfc",  "exp",       "exp2",  "expm1", "fmod",  "hypot", "lgamma", "log",   "log10",
      "log1p", "log2",  "nextafter", "pow",   "sin",   "sinh",  "tan",   "tanh",   "tgamma"};
  return kNames.contains(name) || (name.ends_with('f') && kNames.contains(name.substr(0, name.size() - 1)));
}

void check_all_supplied(const Module& module) {
  std::set<std::string> missing;
  std::set<std::string> declared;
  for (const Function& function : module.functions) {
    if (!function.is_definition && !is_intrinsic(function.name) && !is_coroutine_marker(function.name) &&
        function.name != kIdOutsideOfSteps && !is_of_the_c_library(function.name)) {
      declared.insert(function.name);
    }
  }
  for (const Function& function : module.functions) {
    for (const std::string& line : function.body) {
      std::string name;
      std::size_t from = 0;
      while ((from = find_function_reference(line, from, &name)) != std::string::npos) {
        if (declared.contains(name)) missing.insert(readable_name(name));
        ++from;
      }
    }
  }
  if (missing.empty()) return;
  std::string list;
  for (const std::string& name : missing) list += (list.empty() ? "" : ", ") + name;
  throw Refusal("calls what the native format does not supply (see native/builtins.c): " + list);
}

std::string member(const Parameter& parameter) { return "argument_" + parameter.name; }

std::string c_type(const Parameter& parameter) {
  return parameter.kind == Kind::kValue ? parameter.value_type + " " : "void* ";
}

std::string parameter_table(const Kernel& kernel) {
  std::string text = "XHAL_NATIVE_HIDDEN const xhal_native_param " + kernel.name + "_params[] = {\n";
  for (const Parameter& parameter : kernel.parameters) {
    text += "    {\"" + parameter.name + "\", ";
    if (parameter.kind == Kind::kValue) {
      text += "XHAL_NATIVE_PARAM_VALUE, 0, sizeof(" + parameter.value_type + "), _Alignof(" +
              parameter.value_type + ")";
    } else if (parameter.kind == Kind::kGlobal) {
      text += "XHAL_NATIVE_PARAM_GLOBAL, ";
      text += parameter.reads ? "XHAL_NATIVE_ACCESS_READ" : "0";
      text += parameter.writes ? " | XHAL_NATIVE_ACCESS_WRITE" : "";
      text += ", sizeof(void*), _Alignof(void*)";
    } else {
      text += "XHAL_NATIVE_PARAM_LOCAL, 0, 0, 128";
    }
    text += "},\n";
  }
  // C knows no array of no elements.
  if (kernel.parameters.empty()) text += "    {0}\n";
  return text + "};\n\n";
}

std::string wrapper_of(const Kernel& kernel) {
  std::string typedefs;
  const std::string callee = kernel.name + kCallSuffix;
  std::string prototype = "void " + callee + "(xhal_native_item*";
  std::string members;
  std::string loads;
  std::string call = callee + "(&item";
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const Parameter& parameter = kernel.parameters[i];
    const std::string target = "arguments." + member(parameter);
    const std::string argument = "frame->arguments[" + std::to_string(i) + "]";
    typedefs += parameter.value_typedef;
    prototype += ", void*";
    members += "  " + c_type(parameter) + member(parameter) + ";\n";
    if (parameter.kind == Kind::kValue) {
      loads += "  __builtin_memcpy(&" + target + ", " + argument + ", sizeof " + target + ");\n";
    } else if (parameter.kind == Kind::kGlobal) {
      loads += "  " + target + " = xhal_native_global_argument(&group, " + argument + ");\n";
    } else {
      loads += "  " + target + " = (void*)" + argument + ";\n";
    }
    call += (parameter.kind == Kind::kValue ? ", (void*)&" : ", ") + target;
  }
  call += ");\n";
  prototype += ");\n";
  if (members.empty()) members = "  char none;\n";
  const std::string arguments_type = kernel.name + "_arguments";

  std::string text = "/* ---- " + kernel.name + " ---- */\n\n" + typedefs + parameter_table(kernel) +
                     prototype + "\ntypedef struct {\n" + members + "} " + arguments_type + ";\n\n";
  if (kernel.uses_barrier) {
    const std::string parameters =
        "(xhal_native_items** items, const xhal_native_item* started, const void* shared";
    text += "XHAL_NATIVE_INLINE void " + kernel.name + "_start" + parameters + ", int is_row) {\n" +
            "  xhal_native_item item = *started;\n  if (is_row) xhal_native_assume_row(&item);\n  const " +
            arguments_type + " arguments = *(const " + arguments_type + "*)shared;\n  (void)arguments;\n" +
            "  void* const memory = xhal_native_frame_memory(items, xhal_native_coroutine_bytes());\n" +
            "  if (!memory) return;\n  xhal_native_started(items, xhal_native_coroutine_begin(memory));\n  " +
            call + "  xhal_native_coroutine_end();\n}\n\n";
    text += "static void " + kernel.name + "_start_item" + parameters + ") {\n  " + kernel.name +
            "_start(items, started, shared, 0);\n}\n\n";
    text += "static void " + kernel.name + "_start_row_item" + parameters + ") {\n  " + kernel.name +
            "_start(items, started, shared, 1);\n}\n\n";
  }
  // Only a kernel that has such memory pays for it.
  const std::string local_memory = kernel.local_bytes == 0
                                       ? ""
                                       : "  group.static_local = xhal_native_static_local(frame, " +
                                             std::to_string(kernel.local_bytes) +
                                             ");\n  if (!group.static_local) return;\n";
  const auto function = [&](const std::string& head, const std::string& enter, const std::string& body) {
    return head + "(xhal_native_frame* frame) {\n" + enter + local_memory + "  " + arguments_type +
           " arguments;\n  (void)arguments;\n" + loads + body + "}\n\n";
  };
  const auto entry = [](const std::string& function_name) {
    return "  xhal_native_item group;\n  if (!" + function_name + "(&group, frame)) return;\n";
  };
  const std::string run_groups = "XHAL_NATIVE_HIDDEN void " + kernel.name + "_run_groups";
  const std::string for_each_group = "  XHAL_NATIVE_FOR_EACH_GROUP(group, frame) {\n";
  const std::string end_of_group = "    if (xhal_native_trapped(&group, frame)) return;\n  }\n";
  if (kernel.uses_barrier) {
    return text +
           function(run_groups, entry("xhal_native_enter"),
                    for_each_group +
                        "    xhal_native_run_items(&group, &arguments, xhal_native_is_row(frame) ? " +
                        kernel.name + "_start_row_item : " + kernel.name + "_start_item);\n" + end_of_group);
  }
  const std::string item = "{\n      xhal_native_item item = group;\n      " + call + "    }\n";
  const auto loop = [&](const std::string& start) {
    if (kernel.is_in_steps) {
      return for_each_group +
             "    xhal_native_item item = group;\n    xhal_native_outside_of_steps(&item);\n    " + call +
             end_of_group;
    }
    if (kernel.groups_are_alike) return "  " + start + "group.row_items) " + item;
    return for_each_group + "    " + start + "group.group_size[0]) " + item + end_of_group;
  };
  text += function("static __attribute__((noinline)) void " + kernel.name + "_run_blocks",
                   entry("xhal_native_enter"), loop("XHAL_NATIVE_FOR_EACH_ITEM(group, "));
  text += function(run_groups,
                   "  if (!xhal_native_is_row(frame)) {\n    " + kernel.name +
                       "_run_blocks(frame);\n    return;\n  }\n" + entry("xhal_native_enter_row"),
                   loop("XHAL_NATIVE_FOR_EACH_ID(group, 0, "));
  return text;
}

// From the comments of the lifted module.
std::size_t local_bytes_of(const std::string& kernel, const std::vector<std::string>& lifted) {
  const std::string start = kLocalBytesMark + kernel + " ";
  for (const std::string& line : lifted) {
    if (line.starts_with(start)) return std::stoul(line.substr(start.size()));
  }
  return 0;
}

bool is_marked(const char* mark, const std::string& kernel, const std::vector<std::string>& lifted) {
  return std::ranges::find(lifted, mark + kernel) != lifted.end();
}

// The row of each global variable in the image's table, and in the list.
void add_globals(const std::vector<std::string>& lifted, Wrapped* out) {
  for (const std::string& line : lifted) {
    if (!line.starts_with(kGlobalMark)) continue;
    std::istringstream words(line.substr(std::string_view(kGlobalMark).size()));
    std::string name;
    std::string bytes;
    std::string alignment;
    std::string value;
    words >> name >> bytes >> alignment >> value;
    const bool is_zero = value == "zero";
    const std::string initial = name + kInitialSuffix;
    if (!is_zero) out->wrapper += "XHAL_NATIVE_HIDDEN extern const char " + initial + "[];\n";
    out->wrapper += "XHAL_NATIVE_HIDDEN const xhal_native_global " + name + "_global = {\"" + name + "\", " +
                    bytes + ", " + alignment + ", " + (is_zero ? "0" : initial) + "};\n\n";
    out->list += "XHAL_NATIVE_GLOBAL(" + name + ")\n";
  }
}

}  // namespace

Wrapped wrap(const std::vector<std::string>& lines, const std::vector<std::string>& lifted,
             const std::string& source) {
  const Module module = parse_module(lines);
  check_all_supplied(module);
  Wrapped result;
  result.wrapper =
      "/* Made by xhal-kernelgen from " + source + "; do not edit. */\n#include \"work_group.h\"\n\n";
  for (const Function& function : module.functions) {
    if (!is_kernel(function)) continue;
    Kernel kernel = describe(module, function);
    kernel.local_bytes = local_bytes_of(kernel.name, lifted);
    kernel.groups_are_alike = is_marked(kGroupsAlikeMark, kernel.name, lifted);
    kernel.is_in_steps = is_marked(kInStepsMark, kernel.name, lifted);
    const bool items_wait = kernel.uses_barrier || is_marked(kGroupBarrierMark, kernel.name, lifted);
    result.wrapper += wrapper_of(kernel);
    result.list += "XHAL_NATIVE_KERNEL(" + kernel.name + ", " + std::to_string(kernel.parameters.size()) +
                   ", " + std::to_string(kernel.local_bytes) + ", " + (items_wait ? "1" : "0") + ")\n";
  }
  if (result.list.empty()) throw Refusal("defines no kernel");
  add_globals(lifted, &result);
  return result;
}

}  // namespace xhal::kernelgen
