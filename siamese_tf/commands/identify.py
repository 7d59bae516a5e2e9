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
    "among {:,} people this model can call nobody known: not even an enrolled picture beside itself reaches the"
    " threshold, which rises with the people. Take a better or calibrated model, or fewer people"
)


def identify(
    gallery: GalleryPath,
    images: Annotated[list[Path], Argument(help="Pictures, one or more.", show_default=False)],
    model: GalleryModel = None,
    top: Annotated[int, Option(help="How many people to name for each.", min=1)] = 5,
    match: MatchBy = "mean",
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whom of a gallery each picture shows, or that it is somebody unknown.

    Pictures that cannot be read or compared are listed on standard error, and in JSON with an "error".
    """
    loaded = load_gallery_model(model)
    from siamese_tf.inference.embed_files import embed_usable_files
    from siamese_tf.inference.gallery import Gallery

    embeddings, errors = embed_usable_files(loaded, images)
    with Gallery.open(gallery, loaded) as opened:
        found = opened.identify(embeddings, top, match)
        people = len(opened.names())
        can_match_anyone = any(_name(rank_people) for rank_people in found) or opened.can_match_anyone(match)
    readable = iter(found)
    answers = [next(readable) if error is None else [] for error in errors]
    if as_json:
        entries = [_as_plain(*answer) for answer in zip(images, answers, errors, strict=True)]
        about = {"match": match, "can_know_anybody": can_match_anyone, "presentation_attack_detection": False}
        print(json.dumps({"images": entries, **about}, indent=2))
    else:
        for image, rank_people, error in zip(images, answers, errors, strict=True):
            if error is None:
                print("\n".join(_lines(printable(str(image)), rank_people)))
    print_unreadable(errors, "unreadable")
    if people and not can_match_anyone:
        print(CANNOT_MATCH.format(people), file=sys.stderr)
    print(NO_DETECTION, file=sys.stderr)


def _name(rank_people: "list[Match]") -> str | None:
    """Whom a picture shows; None for somebody unknown."""
    return rank_people[0].name if rank_people and rank_people[0].same else None


def _as_plain(image: Path, rank_people: "list[Match]", error: str | None) -> dict:
    answer = {
        "image": str(image),
        "name": _name(rank_people),
        "threshold": rank_people[0].threshold if rank_people else None,
        "people": [{"name": match.name, "probability": match.score} for match in rank_people],
    }
    return answer if error is None else {**answer, "error": error}


def _lines(image: str, rank_people: "list[Match]") -> list[str]:
    if not rank_people:
        return [f"{image}: unknown; the gallery is empty"]
    head = f"{image}: {_name(rank_people) or 'unknown'}  (threshold {rank_people[0].threshold:.6f})"
    return [head, *(f"  {match.score:.6f}  {match.name}" for match in rank_people)]
