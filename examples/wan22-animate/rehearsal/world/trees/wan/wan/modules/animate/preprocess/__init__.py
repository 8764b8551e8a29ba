from .process_pipepline import ProcessPipeline
from .video_predictor import SAM2VideoPredictor
