"""`siamese-tf enroll`."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from siamese_tf.commands.gallery import load_gallery_model, people_and_pictures
from siamese_tf.commands.options import GalleryModel, GalleryPath, Name


def enroll(
    gallery: GalleryPath,
    name: Name,
    images: Annotated[list[Path], Argument(help="Pictures of the person, one or more.", show_default=False)],
    model: GalleryModel = None,
) -> None:
    """Add pictures of a person to a gallery, which is made if it is not there: embeddings only, no images."""
    loaded = load_gallery_model(model)
    from siamese_tf.inference.gallery import Gallery
    from siamese_tf.inference.gallery_schema import as_name

    name = as_name(name)
    embeddings = loaded.embed(images)  # of all or none: before the gallery is touched
    with Gallery.open(gallery, loaded, create=True) as opened:
        opened.enroll(name, embeddings)
        names = opened.names()
    print(f"enrolled {name}, pictures: {len(images):,}. Now in {gallery}: {people_and_pictures(names)}")
