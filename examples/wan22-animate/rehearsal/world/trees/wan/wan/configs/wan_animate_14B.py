"""What the task animate-14B is set to, and the names of its files."""

from easydict import EasyDict

animate_14B = EasyDict(
    t5_checkpoint="models_t5_umt5-xxl-enc-bf16.pth",
    t5_tokenizer="google/umt5-xxl",
    clip_checkpoint="models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth",
    clip_tokenizer="xlm-roberta-large",
    lora_checkpoint="relighting_lora.ckpt",
    vae_checkpoint="Wan2.1_VAE.pth",
    frame_num=77,
    sample_fps=30,
    sample_steps=20,
    sample_shift=5.0,
    sample_guide_scale=1.0,
)
