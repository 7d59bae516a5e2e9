"""`siamese-tf identify`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from siamese_tf.commands.gallery import NO_DETECTION, load_gallery_model, print_unreadable
from siamese_tf.commands.options import GalleryModel, GalleryPath, MatchBy
from siamese_tf.printable import printable

if TYPE_CHECKING:
    from siamese_tf.inference.matching import Match

CANNOT_MATCH = (
    "among {:,} people this model cannot identify anyone: not even an enrolled image compared with itself reaches the"
    " threshold, which rises with the number of people. Use a better or calibrated model, or fewer people"
)


def identify(
    gallery: GalleryPath,
    images: Annotated[list[Path], Argument(help="Image files, one or more.", show_default=False)],
    model: GalleryModel = None,
    top: Annotated[int, Option(help="Maximum number of people to list per image.", min=1)] = 5,
    match: MatchBy = "mean",
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Identify the person in each image, or report that the person is unknown.

    Images that cannot be read or compared are listed on standard error, and in JSON with an "error".
    """
    loaded = load_gallery_model(model)
    from siamese_tf.inference.embed_files import embed_usable_files
    from siamese_tf.inference.gallery import Gallery

    embeddings, errors = embed_usable_files(loaded, images)
    with Gallery.open(gallery, loaded) as enrolled:
        found = enrolled.identify(embeddings, top, match)
        people = len(enrolled.names())
        can_match_anyone = any(_name(matches) for matches in found) or enrolled.can_match_anyone(match)
    readable = iter(found)
    answers = [next(readable) if error is None else [] for error in errors]
    if as_json:
        entries = [_as_dict(*answer) for answer in zip(images, answers, errors, strict=True)]
        about = {"match": match, "can_know_anybody": can_match_anyone, "presentation_attack_detection": False}
        print(json.dumps({"images": entries, **about}, indent=2))
    else:
        for image, matches, error in zip(images, answers, errors, strict=True):
            if error is None:
                print("\n".join(_lines(printable(str(image)), matches)))
    print_unreadable(errors, "unreadable")
    if people and not can_match_anyone:
        print(CANNOT_MATCH.format(people), file=sys.stderr)
    print(NO_DETECTION, file=sys.stderr)


def _name(matches: "list[Match]") -> str | None:
    """Returns the name of the person in an image, or None if the person is unknown."""
    return matches[0].name if matches and matches[0].same else None


def _as_dict(image: Path, matches: "list[Match]", error: str | None) -> dict:
    answer = {
        "image": str(image),
        "name": _name(matches),
        "threshold": matches[0].threshold if matches else None,
        "people": [{"name": match.name, "probability": match.score} for match in matches],
    }
    return answer if error is None else {**answer, "error": error}


def _lines(image: str, matches: "list[Match]") -> list[str]:
    if not matches:
        return [f"{image}: unknown; the gallery is empty"]
    head = f"{image}: {_name(matches) or 'unknown'}  (threshold {matches[0].threshold:.6f})"
    return [head, *(f"  {match.score:.6f}  {match.name}" for match in matches)]
