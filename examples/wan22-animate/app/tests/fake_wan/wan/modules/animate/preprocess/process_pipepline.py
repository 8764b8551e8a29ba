"""Imported by preprocess_data.py by its folder, and named as in Wan."""

import os
import time

FACE = """Traceback (most recent call last):
  File "/opt/Wan2.2/wan/modules/animate/preprocess/process_pipepline.py", line 85, in __call__
    face_image = cv2.resize(face_image, (512, 512))
cv2.error: OpenCV(4.11.0) /io/opencv/modules/imgproc/src/resize.cpp:4208: error: (-215:Assertion failed) !ssize.empty() in function 'resize'"""


def behave(how):
    """Go wrong as told."""
    if how == "no-face":
        raise SystemExit(FACE)
    if how == "hang":
        print("loading", flush=True)
        time.sleep(60)
    if how == "full":
        with open("/dev/full", "wb") as file:
            file.write(b"x" * 100_000)
    if how == "unreadable":
        raise TypeError("'NoneType' object is not subscriptable")


def write(folder, names):
    """Leave what the real one leaves."""
    os.makedirs(folder, exist_ok=True)
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"made of " + name.encode())
