"""Detection and alignment of faces in images."""
