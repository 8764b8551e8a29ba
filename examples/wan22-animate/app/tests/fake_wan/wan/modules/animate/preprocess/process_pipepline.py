"""Imported by preprocess_data.py by its directory, and named as in Wan."""

import os
import signal
import time

FACE = """Traceback (most recent call last):
  File "/opt/Wan2.2/wan/modules/animate/preprocess/process_pipepline.py", line 85, in __call__
    face_image = cv2.resize(face_image, (512, 512))
cv2.error: OpenCV(4.11.0) /io/opencv/modules/imgproc/src/resize.cpp:4208: error: (-215:Assertion failed) !ssize.empty() in function 'resize'"""


class ProcessPipeline:
    """Isn't used: preprocess_data.py writes files of text."""


def behave(how):
    """Go wrong as told."""
    if how == "no-face":
        raise SystemExit(FACE)
    if how == "no-person":
        raise SystemExit("no person was found in the film")
    if how == "hang":
        with open(os.environ["FAKE_PIDS"] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(os.environ["FAKE_PIDS"] + ".new", os.environ["FAKE_PIDS"])
        time.sleep(60)
    if how == "full":
        with open("/dev/full", "wb") as file:
            file.write(b"x" * 100_000)
    if how == "unreadable":
        raise TypeError("'NoneType' object is not subscriptable")
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])


def write(video, directory, names):
    """Leave what the real one leaves: as many frames as it was given, in another size."""
    with open(video, "rb") as file:
        line = next(line for line in file if line.startswith(b"about ")).decode().split()
    about = dict(pair.split("=") for pair in line[1:]) | {"width": "1264", "height": "704", "sound": "0"}
    os.makedirs(directory, exist_ok=True)
    for name in names:
        with open(os.path.join(directory, name), "w") as file:
            file.write("about " + " ".join(f"{name}={value}" for name, value in about.items()) + "\n")
