"""The errors a user can cause and cure; the command line turns each into one message and exit code 2."""


class SiameseError(ValueError):
    """Base of them all. The message names what came, what was expected, and the cure."""


class ConfigError(SiameseError):
    """A setting outside what it can be."""


class DatasetError(SiameseError):
    """A data set that cannot be found, or is not what it should be."""


class PairFileError(SiameseError):
    """A pair file that is missing, damaged, or does not hold what its format asks."""


class ImageError(SiameseError):
    """An image that cannot be decoded, or an array that does not fit the model."""


class ModelFileError(SiameseError):
    """A `.keras` file that is missing, damaged, hostile, or not one of ours."""


class GalleryError(SiameseError):
    """A gallery that is missing, damaged, foreign or another model's, or a person it does not hold."""
