"""Stands in for tqdm: draws its bar on standard error."""

import sys
import time
from collections.abc import Iterable, Iterator

__version__ = "@VERSION@"


class tqdm:
    def __init__(self, iterable: Iterable, **options: object) -> None:
        self.items = list(iterable)

    def __iter__(self) -> Iterator:
        start = time.monotonic()
        for n, item in enumerate(self.items):
            self.draw(n, start)
            yield item
        self.draw(len(self.items), start)
        print(file=sys.stderr)

    def draw(self, n: int, start: float) -> None:
        done = n / len(self.items)
        spent = time.monotonic() - start
        print(f"\r{done:4.0%}|{'#' * int(10 * done):10}| {n}/{len(self.items)} [00:{int(spent):02}<00:00,  9.99it/s]", end="", file=sys.stderr, flush=True)


def trange(count: int, **options: object) -> tqdm:
    return tqdm(range(count), **options)
