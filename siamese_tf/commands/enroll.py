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
    images: Annotated[list[Path], Argument(help="Pictures of the person, one or more.", show_default=False)],
    model: GalleryModel = None,
) -> None:
    """Add pictures of a person to a gallery, which is made if it is not there: embeddings only, no images.

    Pictures that cannot be read or compared are left out, and listed on standard error.
    """
    loaded = load_gallery_model(model)
    from siamese_tf.inference.embed_files import embed_usable_files
    from siamese_tf.inference.gallery import Gallery
    from siamese_tf.inference.gallery_names import parse_name

    name = parse_name(name)
    embeddings, errors = embed_usable_files(loaded, images)  # before the gallery is touched
    with Gallery.open(gallery, loaded, create=True) as opened:
        opened.enroll(name, embeddings)
        names = opened.names()
    where = printable(str(gallery))
    print(f"enrolled {name}, pictures: {len(embeddings):,}. Now in {where}: {count_pictures(names)}")
    print_unreadable(errors, "left out")
