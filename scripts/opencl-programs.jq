# jq -n -f scripts/opencl-programs.jq LANE.SEED.json...: of reports of `xhal-conform fuzz` over OpenCL drivers the text of
# docs/results/opencl/programs.json. The files' names say the lane, as scripts/opencl-lanes.sh has them.
def sum(f): map(f) | add;
{ driver: {"pocl": "pocl", "pocl-2": "pocl --devices 2", "pocl-basic": "pocl-basic", "intel": "intel", "rusticl": "rusticl"} } as $opencl
| [inputs | . + {lane: (input_filename | split("/") | last | split(".") | first)}]
| group_by(.lane)
| map(sort_by(.seed) | {
    lane: .[0].lane,
    platform: .[0].driver.native_driver_version,
    runtime: .[0].driver.native_runtime_version,
    device: .[0].device.name,
    suite: ([.[].suite.commit] | unique),
    programs: sum(.totals.programs),
    operations: sum(.totals.operations),
    gate_rotations: sum(.totals.rotations),
    failed: sum(.totals.failed),
    seconds: (sum(.seconds) | round),
    graphs: (.[0].device.features | index("graph") != null),
    runs: map({programs: .totals.programs, seed, ops: .options.ops, threads: .options.threads, failed: .totals.failed}),
    again: ("scripts/opencl.sh \($opencl.driver[.[0].lane]) -- build/release/bin/xhal-conform fuzz --backend opencl --programs \(.[0].totals.programs)"
      + " --seed \(.[0].seed) --ops \(.[0].options.ops) --threads \(.[0].options.threads)")
  })
