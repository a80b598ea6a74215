/* SPDX-License-Identifier: Apache-2.0 */
/* first_kernel KERNEL_FOLDER [DRIVER]: runs a kernel of the pack on the first device and checks what it wrote */
#include <stdio.h>
#include <stdlib.h>
#include <xhal/xhal.h>

#define CHECK(call) check(#call, (call))
static void check(const char* call, xhal_result_t result) {
  xhal_error_t error = {.struct_size = sizeof(error)};
  if (result >= 0 || xhal_error_get_last(&error) < 0) return;
  fprintf(stderr, "%s\n  %s: %s\n", call, xhal_result_name(result), error.text);
  exit(1);
}

int main(int argc, char** argv) {
  xhal_instance_desc_t wanted = {.struct_size = sizeof(wanted), .abi_minor = XHAL_ABI_MINOR};
  wanted.drivers = argc > 2 ? argv[2] : NULL; /* NULL: all that are found */
  xhal_instance_t instance;
  xhal_device_t device;
  uint32_t devices = 0, formats = 0;
  CHECK(xhal_instance_create(&wanted, &instance));
  CHECK(xhal_instance_get_devices(instance, 1, &device, &devices));
  if (devices == 0) return fprintf(stderr, "no device; see xhal-info --why\n"), 1;
  static unsigned char image[1 << 22]; /* of the target that the device likes best */
  xhal_image_format_t format = {.struct_size = sizeof(format)};
  CHECK(xhal_device_get_image_formats(device, 1, sizeof(format), &format, &formats));
  char path[4096];
  const char* suffix = format.format[0] == 'n' ? "so" : format.format[0] == 's' ? "spv" : "cl";
  snprintf(path, sizeof(path), "%s/xhal_pack.%s.%s.%s", argc > 1 ? argv[1] : ".", format.format,
           format.target, suffix);
  FILE* file = fopen(path, "rb");
  if (file == NULL) return perror(path), 1;
  xhal_module_desc_t code = {.struct_size = sizeof(code), .format = format.format, .target = format.target};
  code.image = image;
  code.image_size = fread(image, 1, sizeof(image), file);
  xhal_module_t module;
  xhal_kernel_t fill;
  CHECK(xhal_module_load(device, &code, &module));
  CHECK(xhal_module_get_kernel(module, "xhal_fill_u32", &fill));
  uint32_t host[1000] = {0}, value = 42;
  uint64_t n = 1000;
  xhal_memory_desc_t bytes = {.struct_size = sizeof(bytes), .kind = XHAL_MEMORY_DEVICE, .size = sizeof(host)};
  void* memory;
  xhal_stream_t stream;
  CHECK(xhal_memory_allocate(device, &bytes, &memory));
  CHECK(xhal_stream_create(device, NULL, &stream));
  const xhal_argument_t arguments[] = {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_WRITE, sizeof(host), memory},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(value), &value},
                                       {XHAL_ARGUMENT_VALUE, 0, sizeof(n), &n}};
  xhal_launch_t launch = {.struct_size = sizeof(launch), .group_count = {8, 1, 1}, .group_size = {128, 1, 1}};
  launch.arguments = arguments;
  launch.argument_count = 3;
  CHECK(xhal_kernel_launch(stream, fill, &launch));
  CHECK(xhal_memory_copy(stream, host, memory, sizeof(host)));
  CHECK(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER));
  for (uint32_t i = 0; i < n; ++i)
    if (host[i] != value) return fprintf(stderr, "element %u is wrong\n", i), 1;
  printf("1000 elements right, computed by %s %s\n", format.format, format.target);
  return CHECK(xhal_instance_destroy(instance)), 0;
}
