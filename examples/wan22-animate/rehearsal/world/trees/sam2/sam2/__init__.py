from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
