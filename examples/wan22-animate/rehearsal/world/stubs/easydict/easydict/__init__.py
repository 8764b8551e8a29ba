"""Stands in for EasyDict: its keys are attributes."""

__version__ = "@VERSION@"


class EasyDict(dict):
    def __getattr__(self, name: str) -> object:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value
