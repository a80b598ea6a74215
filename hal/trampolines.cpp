// SPDX-License-Identifier: Apache-2.0
// The exported calls of the table, made from the list. Each is two functions: the path that all calls take, and, out of line, the
// exact check for the calls that the quick one does not let pass.
#include "call_path.hpp"

namespace xhal::host {

xhal_result_t exact_check(NamedHandle first, NamedHandle second) {
  const auto is_forked = [](NamedHandle handle) {
    return handle.header != nullptr && table_of(handle.header)->state == XHAL_TABLE_FORKED;
  };
  if (is_forked(second)) return check_handle(second.header, second.type);
  for (const NamedHandle handle : {first, second}) {
    if (const xhal_result_t checked = check_handle(handle.header, handle.type); checked != XHAL_SUCCESS)
      return checked;
  }
  if (host_table(table_of(first.header))->siblings[second.type] != table_of(second.header)) {
    return fail(XHAL_ERROR_FOREIGN_HANDLE, "the %s and the %s belong to different instances or drivers",
                type_name(first.type), type_name(second.type));
  }
  return XHAL_SUCCESS;
}

}  // namespace xhal::host

#define XHAL_ENTRY(feature, since, name, ...)                                                              \
  [[gnu::cold, gnu::noinline]] static xhal_result_t exactly_checked_##name(XHAL_PARAMS(__VA_ARGS__)) {     \
    using namespace xhal::host;                                                                            \
    return exactly_checked_call<&xhal_functions_t::name, kEntry_##name>(XHAL_PATH_ARGUMENTS(__VA_ARGS__)); \
  }                                                                                                        \
  extern "C" xhal_result_t xhal_##name(XHAL_PARAMS(__VA_ARGS__)) {                                         \
    using namespace xhal::host;                                                                            \
    const HostTable* table = quick_check(XHAL_PATH_ARGUMENTS(__VA_ARGS__));                                \
    if (__builtin_expect(table == nullptr, 0)) return exactly_checked_##name(XHAL_ARGUMENTS(__VA_ARGS__)); \
    return call<&xhal_functions_t::name, kEntry_##name>(table, XHAL_PATH_ARGUMENTS(__VA_ARGS__));          \
  }
#include "xhal/entry_points.def"
