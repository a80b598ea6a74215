/* SPDX-License-Identifier: Apache-2.0 */
/* What a call must not be: the counting has to see its locked instruction. */
int xhal_stream_query(int* word) { return __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST); }
