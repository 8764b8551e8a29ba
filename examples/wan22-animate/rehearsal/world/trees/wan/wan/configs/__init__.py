"""What the tasks are set to."""

from .wan_animate_14B import animate_14B

WAN_CONFIGS = {"animate-14B": animate_14B, "t2v-A14B": animate_14B, "i2v-A14B": animate_14B}
SIZE_CONFIGS = {"720*1280": (720, 1280), "1280*720": (1280, 720), "480*832": (480, 832), "832*480": (832, 480)}
SUPPORTED_SIZES = {"animate-14B": ("720*1280", "1280*720")}
MAX_AREA_CONFIGS = {name: width * height for name, (width, height) in SIZE_CONFIGS.items()}
