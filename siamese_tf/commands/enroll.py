"""`siamese-tf enroll`."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from siamese_tf.commands.gallery import count_pictures, load_gallery_model, print_unreadable
from siamese_tf.commands.options import GalleryModel, GalleryPath, Name
from siamese_tf.printable import printable


def enroll(
    gallery: GalleryPath,
    name: Name,
    images: Annotated[list[Path], Argument(help="Image files of the person, one or more.", show_default=False)],
    model: GalleryModel = None,
) -> None:
    """Add images of a person to a gallery, which is created if necessary. Only embeddings are stored.

    Images that cannot be read or compared are skipped, and listed on standard error.
    """
    loaded = load_gallery_model(model)
    from siamese_tf.inference.embed_files import embed_usable_files
    from siamese_tf.inference.gallery import Gallery
    from siamese_tf.inference.gallery_names import parse_name

    name = parse_name(name)
    embeddings, errors = embed_usable_files(loaded, images)  # before the gallery is opened
    with Gallery.open(gallery, loaded, create=True) as people:
        people.enroll(name, embeddings)
        names = people.names()
    where = printable(str(gallery))
    print(f"enrolled {name}, pictures: {len(embeddings):,}. Now in {where}: {count_pictures(names)}")
    print_unreadable(errors, "skipped")
