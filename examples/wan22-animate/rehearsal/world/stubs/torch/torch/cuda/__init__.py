"""There is no device, unless REHEARSAL_CUDA says that there is one to pretend."""

import os


def is_available() -> bool:
    return os.environ.get("REHEARSAL_CUDA") == "1"


def device_count() -> int:
    return int(is_available())


def current_device() -> int:
    if not is_available():
        raise RuntimeError(
            "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from"
            " http://www.nvidia.com/Download/index.aspx"
        )
    return 0


def get_device_name(device: object = None) -> str:
    current_device()
    return "a rehearsal's GPU"


def get_device_capability(device: object = None) -> tuple[int, int]:
    current_device()
    return 9, 0


def get_arch_list() -> list[str]:
    return ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"] if is_available() else []


def mem_get_info(device: object = None) -> tuple[int, int]:
    current_device()
    return 80 << 30, 80 << 30


def synchronize(device: object = None) -> None:
    current_device()


def empty_cache() -> None:
    pass


def memory_allocated(device: object = None) -> int:
    current_device()
    return 40 << 30
