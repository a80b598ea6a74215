// SPDX-License-Identifier: Apache-2.0
#include "compare.hpp"

#include <gtest/gtest.h>

namespace xhal::abi {
namespace {

const std::string kBase =
    "# a comment\n"
    "abi 0.1 revision 3\n"
    "pointer-bytes 8\n"
    "entry 0 offset 8 stream_query since 0 feature CORE (H, stream, stream)\n"
    "entry 1 offset 16 stream_destroy since 3 feature CORE (H, stream, stream)\n"
    "host-entry get_version (OUTO, uint32_t*, out_major)\n"
    "handle stream 4\n"
    "feature core 0 since 0 needs CORE\n"
    "result XHAL_SUCCESS 0\n"
    "constant XHAL_LOG_ERROR 0\n"
    "function xhal_get_version xhal_result_t (uint32_t *)\n"
    "typedef xhal_log_fn void (*)(void *)\n"
    "macro XHAL_MAX_LAYERS 16\n"
    "struct xhal_argument sizeof 16 align 8\n"
    "  field 0 offset 0 uint64_t size\n"
    "  field 1 offset 8 const void * data\n"
    "struct xhal_desc sizeof 8 align 4\n"
    "  field 0 offset 0 uint32_t struct_size\n"
    "  field 1 offset 4 uint32_t flags\n"
    "struct xhal_functions sizeof 24 align 8\n"
    "  field 0 offset 0 uint32_t struct_size\n"
    "  field 1 offset 4 uint32_t abi_revision\n"
    "  field 2 offset 8 int (*)(int) stream_query\n"
    "struct xhal_table sizeof 32 align 8\n"
    "  field 0 offset 0 void * host_context\n"
    "  field 1 offset 8 struct xhal_functions functions\n";

std::string changed(const std::string& from, const std::string& to, std::string text = kBase) {
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("not in the dump: " + from);
  return text.replace(at, from.size(), to);
}
// What growth needs beside the thing that grew.
std::string next_revision(const std::string& text) { return changed("revision 3", "revision 4", text); }

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(AbiCompare, equal_dumps_do_not_differ) {
  const Comparison result = compare(kBase, changed("# a comment", "# another", kBase));
  EXPECT_EQ(joined(result.diff), "");
  EXPECT_EQ(joined(result.breaks), "");
  EXPECT_FALSE(result.grew);
}

struct Change {
  const char* name;
  const char* from;
  const char* to;
};
void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }
std::string name_of(const testing::TestParamInfo<Change>& change) { return change.param.name; }

class Growth : public testing::TestWithParam<Change> {};
TEST_P(Growth, is_allowed_with_a_new_revision) {
  const std::string grown = changed(GetParam().from, GetParam().to);
  const Comparison with_revision = compare(kBase, next_revision(grown));
  EXPECT_EQ(joined(with_revision.breaks), "");
  EXPECT_TRUE(with_revision.grew);
  EXPECT_FALSE(with_revision.revision_stayed);
  EXPECT_NE(joined(with_revision.diff), "");
  const Comparison without = compare(kBase, grown);
  EXPECT_TRUE(without.revision_stayed);
}
INSTANTIATE_TEST_SUITE_P(
    Abi, Growth,
    testing::Values(
        Change{"entry_at_the_end", "host-entry",
               "entry 2 offset 24 event_query since 4 feature CORE (H, event, event)\nhost-entry"},
        Change{"constant", "function", "constant XHAL_LOG_TRACE 4\nfunction"},
        Change{"result", "constant", "result XHAL_ERROR_NEW -60\nconstant"},
        Change{"function", "typedef", "function xhal_new int (void)\ntypedef"},
        Change{"handle", "feature core", "handle comm 14\nfeature core"},
        Change{"feature", "result", "feature comm 26 since 4 needs CORE\nresult"},
        Change{"struct_of_its_own", "struct xhal_table",
               "struct xhal_new sizeof 4 align 4\n  field 0 offset 0 int a\nstruct xhal_table"},
        Change{
            "field_at_the_end",
            "sizeof 8 align 4\n  field 0 offset 0 uint32_t struct_size\n  field 1 offset 4 uint32_t flags\n",
            "sizeof 16 align 4\n  field 0 offset 0 uint32_t struct_size\n  field 1 offset 4 uint32_t flags\n "
            " field 2 offset 8 uint64_t more\n"},
        Change{"table_by_its_functions",
               "sizeof 24 align 8\n  field 0 offset 0 uint32_t struct_size\n  field 1 offset 4 uint32_t "
               "abi_revision\n  field 2 offset 8 int (*)(int) stream_query\nstruct xhal_table sizeof 32",
               "sizeof 32 align 8\n  field 0 offset 0 uint32_t struct_size\n  field 1 offset 4 uint32_t "
               "abi_revision\n  field 2 offset 8 int (*)(int) stream_query\n  field 3 offset 24 int (*)(int) "
               "event_query\nstruct xhal_table sizeof 40"}),
    name_of);

class Break : public testing::TestWithParam<Change> {};
TEST_P(Break, is_refused_with_any_revision) {
  const std::string broken = changed(GetParam().from, GetParam().to);
  EXPECT_NE(joined(compare(kBase, next_revision(broken)).breaks), "");
  EXPECT_NE(joined(compare(kBase, broken).diff), "");
}
INSTANTIATE_TEST_SUITE_P(
    Abi, Break,
    testing::Values(
        Change{"entry_gone", "entry 1 offset 16 stream_destroy since 3 feature CORE (H, stream, stream)\n",
               ""},
        Change{"entry_in_the_middle", "entry 1",
               "entry 1 offset 16 event_query since 4 feature CORE (H, event, event)\nentry 2"},
        Change{"entry_renamed", "stream_query since", "stream_poll since"},
        Change{"entry_with_another_parameter", "(H, stream, stream)\nentry",
               "(H, stream, stream), (V, uint32_t, flags)\nentry"},
        Change{"entry_of_another_feature", "feature CORE (H", "feature KERNEL (H"},
        Change{"entry_with_an_old_since", "host-entry",
               "entry 2 offset 24 event_query since 3 feature CORE (H, event, event)\nhost-entry"},
        Change{"constant_changed", "XHAL_LOG_ERROR 0", "XHAL_LOG_ERROR 1"},
        Change{"constant_gone", "constant XHAL_LOG_ERROR 0\n", ""},
        Change{"result_changed", "XHAL_SUCCESS 0", "XHAL_SUCCESS 1"},
        Change{"macro_changed", "XHAL_MAX_LAYERS 16", "XHAL_MAX_LAYERS 32"},
        Change{"callback_changed", "void (*)(void *)", "int (*)(void *)"},
        Change{"function_changed", "xhal_result_t (uint32_t *)", "xhal_result_t (uint64_t *)"},
        Change{"handle_tag_changed", "handle stream 4", "handle stream 5"},
        Change{"feature_bit_changed", "feature core 0", "feature core 1"},
        Change{"pointer_size", "pointer-bytes 8", "pointer-bytes 4"}, Change{"minor", "abi 0.1", "abi 0.2"},
        Change{"field_gone", "  field 1 offset 4 uint32_t flags\n", ""},
        Change{"field_type", "uint32_t flags", "int32_t flags"},
        Change{"field_renamed", "uint32_t flags", "uint32_t bits"},
        Change{"field_moved", "offset 4 uint32_t flags", "offset 8 uint32_t flags"},
        Change{"frozen_struct_grew", "  field 1 offset 8 const void * data\n",
               "  field 1 offset 8 const void * data\n  field 2 offset 16 uint64_t more\n"},
        Change{"size_without_field", "xhal_desc sizeof 8", "xhal_desc sizeof 16"},
        Change{"alignment", "xhal_desc sizeof 8 align 4", "xhal_desc sizeof 8 align 8"},
        Change{"struct_gone",
               "struct xhal_argument sizeof 16 align 8\n  field 0 offset 0 uint64_t size\n  field 1 offset 8 "
               "const void * data\n",
               ""},
        Change{"table_without_its_functions", "struct xhal_table sizeof 32", "struct xhal_table sizeof 40"},
        Change{"unknown_line", "macro", "riddle of the sphinx\nmacro"}),
    name_of);

TEST(AbiCompare, revision_may_not_fall) {
  EXPECT_NE(joined(compare(kBase, changed("revision 3", "revision 2")).breaks), "");
  EXPECT_EQ(joined(compare(kBase, next_revision(kBase)).breaks), "");
}

TEST(AbiCompare, diff_names_the_struct_of_a_field) {
  const Comparison result = compare(kBase, changed("uint32_t flags", "int32_t flags"));
  ASSERT_EQ(result.diff.size(), 2U);
  EXPECT_EQ(result.diff[0], "-   field 1 offset 4 uint32_t flags   (struct xhal_desc)");
  EXPECT_EQ(result.diff[1], "+   field 1 offset 4 int32_t flags   (struct xhal_desc)");
}

}  // namespace
}  // namespace xhal::abi
