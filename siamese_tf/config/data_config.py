"""Settings of the data: images, classes and pairs."""

from dataclasses import dataclass
from functools import partial

from siamese_tf.config.checks import check_choice, check_text
from siamese_tf.config.settings import IMAGES, Settings, setting
from siamese_tf.errors import ConfigError

IMAGE_FORMAT = ("image_size", "color", "resize", "invert", "center")
_optional_text = partial(check_text, optional=True)


@dataclass(frozen=True)
class DataConfig(Settings):
    """Images, classes and pairs of a run."""

    dataset: str = setting(
        "auto",
        "Data set: mnist, fashion-mnist, digits, a folder of IDX files, a folder with one folder of images per class,"
        " or auto (mnist if it is there, else digits).",
        check_text,
    )
    data_dir: str | None = setting(
        None, "Folder with one folder per data set.", _optional_text, show_default="$SIAMESE_TF_DATA"
    )
    pairs: str | None = setting(
        None,
        "Pairs: a pair file (.npz), a list of pairs (.csv: img1,img2,similarity), or an LFW-style pairs.txt.",
        _optional_text,
        show_default="dataset/<name>/train_pairs.npz, made if missing",
    )
    test_pairs: str | None = setting(
        None,
        "Test pairs: a pair file, or a list of pairs.",
        _optional_text,
        show_default="test rows of --pairs, else test_pairs.npz beside it",
    )
    images: str | None = setting(
        None, "Image root of an LFW-style pairs.txt.", _optional_text, panel=IMAGES, show_default="folder of pairs.txt"
    )
    image_size: str | None = setting(
        None,
        "Size that image files are resized to: HEIGHTxWIDTH such as 112x92, or one number for a square.",
        _optional_text,
        panel=IMAGES,
        show_default="common size of all images, else 112x112",
    )
    color: str | None = setting(
        None,
        "Color mode of image files: grey (or gray) or rgb.",
        _optional_text,
        panel=IMAGES,
        show_default="grey if all images are grey, else rgb",
        synonyms={"gray": "grey"},
    )
    resize: str = setting(
        "pad", "Resizing of image files to a new aspect ratio: pad, crop or stretch.", check_text, panel=IMAGES
    )
    invert: bool = setting(
        False,
        "Invert image files: for dark strokes on white paper.",
        partial(check_choice, choices=(False, True)),
        panel=IMAGES,
        keyword_only=True,
    )
    center: str | None = setting(
        None,
        "Centering of image files: strokes, which crops to what is lighter than half of white (after --invert) and"
        " scales it to 80% of the size.",
        _optional_text,
        panel=IMAGES,
        show_default="none",
        keyword_only=True,
    )
    one_vs_rest: str | None = setting(
        None,
        "Class, by name or number, to recognize against all other classes taken together.",
        _optional_text,
        panel=IMAGES,
        metavar="CLASS",
    )
    rest_is_a_class: bool = setting(
        False,
        "Count two images of the rest as similar, whatever their classes (with --one-vs-rest).",
        partial(check_choice, choices=(False, True)),
        panel=IMAGES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rest_is_a_class and self.one_vs_rest is None:
            raise ConfigError(
                "rest_is_a_class (--rest-is-a-class) needs one_vs_rest (--one-vs-rest CLASS); name that class as well"
            )
