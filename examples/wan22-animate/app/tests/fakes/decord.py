"""Stands in for decord: reads what the stand-in for preprocessing wrote."""


class Batch:
    """Frames with nothing but a shape."""

    def __init__(self, shape):
        self.shape = shape

    def asnumpy(self):
        return self

    def __getitem__(self, _):
        return Batch(self.shape[:3])


class VideoReader:
    def __init__(self, path):
        with open(path, "rb") as file:
            line = next(line for line in file if line.startswith(b"about "))
        self.about = {name: float(value) for name, value in (pair.split("=") for pair in line.decode().split()[1:])}

    def __len__(self):
        return round(self.about["duration"] * self.about["fps"])

    def get_batch(self, wanted):
        return Batch((len(wanted), int(self.about["height"]), int(self.about["width"]), 3))
