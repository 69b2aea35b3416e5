"""Devices as their makers publish them: what a compiler needs to know, and what a roofline divides by.

Sources. NVIDIA GPUs: XLA's own descriptions (openxla/xla, `xla/backends/gpu/target_config/specs`: `h100_sxm`,
`a100_sxm_80`) and NVIDIA's data sheets of the H100, A100 and L4; there is no description of the L4 in XLA, so its
numbers are those of the data sheet and of compute capability 8.9 in the CUDA C++ Programming Guide. TPUs: the pages
"TPU v5e", "TPU v6e", "TPU v5p" and "TPU v4" of Google Cloud's documentation; a clock is the published peak divided by
the products that the matrix units make in a cycle.
"""

from typing import NamedTuple

from genjax.system.messages import nearest_name


class Device(NamedTuple):
    """A device as it is published.

    Attributes:
      name: as the command writes it.
      title: the maker's name of it.
      platform: `gpu` or `tpu`.
      memory: bytes.
      bandwidth: of the memory, bytes a second.
      peak: products and sums of matrix units a second, at JAX's default precision for float32: TF32 on a GPU without
        sparsity, bfloat16 on a TPU.
      link: bytes a second that leave a device for the others, over all of its links.
      clock: cycles a second of a TPU; 0 for a GPU, whose description has it.
      description: fields of XLA's description of a GPU.
    """

    name: str
    title: str
    platform: str
    memory: int
    bandwidth: float
    peak: float
    link: float
    clock: float = 0.0
    description: dict[str, float] = {}  # noqa: RUF012 (no code writes into it)


# What all three GPUs have alike.
_CUDA = {
    "threads_per_block_limit": 1024,
    "threads_per_warp": 32,
    "shared_memory_per_block": 49152,
    "threads_per_core_limit": 2048,
    "block_dim_limit_x": 2147483647,
    "block_dim_limit_y": 65535,
    "block_dim_limit_z": 65535,
    "registers_per_core_limit": 65536,
    "registers_per_block_limit": 65536,
}
_H100 = {
    **_CUDA,
    "major": 9,
    "minor": 0,
    "core_count": 132,
    "fpus_per_core": 128,
    "shared_memory_per_core": 233472,
    "shared_memory_per_block_optin": 232448,
    "l2_cache_size": 52428800,
    "clock_rate_ghz": 1.98,
}
_A100 = {
    **_CUDA,
    "major": 8,
    "minor": 0,
    "core_count": 108,
    "fpus_per_core": 64,
    "shared_memory_per_core": 167936,
    "shared_memory_per_block_optin": 166912,
    "l2_cache_size": 41943040,
    "clock_rate_ghz": 1.41,
}
_L4 = {
    **_CUDA,
    "major": 8,
    "minor": 9,
    "threads_per_core_limit": 1536,
    "core_count": 58,
    "fpus_per_core": 128,
    "shared_memory_per_core": 102400,
    "shared_memory_per_block_optin": 101376,
    "l2_cache_size": 50331648,
    "clock_rate_ghz": 2.04,
}

_TABLE = (
    Device("h100", "NVIDIA H100 80GB HBM3", "gpu", 84942979072, 3.35232e12, 494.7e12, 450e9, description=_H100),
    Device("a100", "NVIDIA A100-SXM4-80GB", "gpu", 85100068864, 2.03904e12, 156e12, 300e9, description=_A100),
    Device("l4", "NVIDIA L4", "gpu", 24 * 10**9, 300e9, 60e12, 32e9, description=_L4),
    Device("v5e", "TPU v5e", "tpu", 16 * 2**30, 819e9, 197e12, 200e9, clock=1.5e9),
    Device("v6e", "TPU v6e", "tpu", 32 * 2**30, 1.64e12, 918e12, 400e9, clock=1.75e9),
    Device("v5p", "TPU v5p", "tpu", 95 * 2**30, 2.765e12, 459e12, 600e9, clock=1.75e9),
    Device("v4", "TPU v4", "tpu", 32 * 2**30, 1.2e12, 275e12, 300e9, clock=1.05e9),
)
DEVICES: dict[str, Device] = {device.name: device for device in _TABLE}


def find_device(name: str) -> Device:
    """Returns the device of a name.

    Raises:
      InputError: there is none; the line names the nearest.

    Example:
      >>> find_device("h100").description["core_count"]
      132
    """
    return DEVICES[nearest_name("device", name, DEVICES)]


def describe_gpu(device: Device) -> str:
    """XLA's description of a GPU, a `GpuTargetConfigProto` in text form.

    Example:
      >>> print(*describe_gpu(find_device("a100")).splitlines()[-5:], sep=chr(10))
        cuda_compute_capability { major: 8 minor: 0 }
      }
      platform_name: "CUDA"
      dnn_version_info { major: 9 minor: 10 }
      device_description_str: "NVIDIA A100-SXM4-80GB"
    """
    own = {name: value for name, value in device.description.items() if name not in ("major", "minor")}
    fields = {**own, "memory_bandwidth": int(device.bandwidth), "device_memory_size": device.memory}
    major, minor = (device.description[name] for name in ("major", "minor"))
    return "\n".join(
        [
            "gpu_device_info {",
            *(f"  {name}: {value}" for name, value in fields.items()),
            f"  cuda_compute_capability {{ major: {major} minor: {minor} }}",
            "}",
            'platform_name: "CUDA"',
            "dnn_version_info { major: 9 minor: 10 }",
            f'device_description_str: "{device.title}"',
        ]
    )
