/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what was found, driver by driver, and the number of devices. */
#include <stdio.h>
#include <xhal/xhal.h>

static void on_candidate(void* user, const xhal_candidate_t* candidate) {
  (void)user;
  if (candidate->decision == XHAL_CANDIDATE_SELECTED || candidate->decision == XHAL_CANDIDATE_REFUSED) {
    printf("%s: %s%s\n", candidate->name,
           candidate->decision == XHAL_CANDIDATE_SELECTED ? "selected" : "refused: ", candidate->reason);
  }
}

int main(void) {
  xhal_instance_desc_t desc = {
      .struct_size = sizeof(desc), .abi_minor = XHAL_ABI_MINOR, .on_candidate = on_candidate};
  xhal_instance_t instance = NULL;
  uint32_t count = 0;
  xhal_result_t result = xhal_instance_create(&desc, &instance);
  if (result == XHAL_SUCCESS) {
    result = xhal_instance_get_devices(instance, 0, NULL, &count);
  }
  printf("%s, %u devices\n", xhal_result_name(result), (unsigned)count);
  xhal_instance_destroy(instance);
  return result == XHAL_SUCCESS ? 0 : 1;
}
