"""Errors caused by the user; the command line reports each as one message with exit code 2."""


class SiameseError(ValueError):
    """Base class. Messages read `X must be A; got B. Hint.`"""


class ConfigError(SiameseError):
    """A setting has an invalid value."""


class DatasetError(SiameseError):
    """A data set cannot be found or is invalid."""


class PairFileError(SiameseError):
    """A pair file is missing, damaged or invalid."""


class ImageError(SiameseError):
    """An image cannot be decoded, or an array does not fit the model."""


class ModelFileError(SiameseError):
    """A model file is missing, damaged, malicious or not written by siamese_tf."""


class GalleryError(SiameseError):
    """A gallery is missing, damaged or from another model, or does not contain a person."""


class MissingPackageError(SiameseError):
    """A package of an extra is not installed."""

    @classmethod
    def of(cls, extra: str, purpose: str) -> "MissingPackageError":
        """Returns the error for a missing extra of `setup.py` and what needs it, with the command that installs it."""
        return cls(f"the extra {extra!r} must be installed for {purpose}. Run: pip install 'siamese_tf[{extra}]'")
