/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest out-of-tree driver: another driver, of which it overrides one entry and passes everything else on. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "xhal/driver.h"

static const xhal_host_services_t* services;
static xhal_functions_t base_calls; /* of the driver behind this one */

/* The one entry: who the driver is, since options and reports go by that name. Add others in the same way. */
static xhal_result_t get_properties(xhal_driver_t driver, xhal_driver_properties_t* out) {
  const xhal_result_t result = base_calls.driver_get_properties(driver, out);
  if (result == XHAL_SUCCESS && out->struct_size >= offsetof(xhal_driver_properties_t, version))
    snprintf(out->name, sizeof(out->name), "forwarding");
  return result;
}

static xhal_result_t refuse(xhal_result_t result, const char* text) {
  const xhal_error_report_t report = {
      .struct_size = sizeof(report), .code = result, .source = "forwarding", .text = text};
  services->report_error(&report);
  return result;
}

xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* out) {
  services = host->services;
  const char* path = getenv("FORWARD_TO");
  if (path == NULL) return refuse(XHAL_ERROR_NOT_FOUND, "FORWARD_TO names no driver's library");
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return refuse(XHAL_ERROR_NOT_FOUND, dlerror());
  xhal_driver_negotiate_fn negotiate = NULL;
  *(void**)&negotiate = dlsym(library, XHAL_DRIVER_NEGOTIATE_SYMBOL);
  if (negotiate == NULL) return refuse(XHAL_ERROR_NOT_FOUND, dlerror());
  const xhal_result_t result = negotiate(host, out);
  if (result != XHAL_SUCCESS) return result;
  base_calls = *out->functions;
  out->functions->driver_get_properties = get_properties;
  out->name = "forwarding"; /* the manifest's */
  return XHAL_SUCCESS;
}
