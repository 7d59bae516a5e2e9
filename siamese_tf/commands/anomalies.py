"""`siamese-tf anomalies`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from siamese_tf.console import start_tensorflow
from siamese_tf.printable import print_lines

MAX_NAMED = 10  # images on standard output; the report has all


def anomalies(
    folder: Annotated[Path, Argument(help="Folder of images, at any depth.", show_default=False)],
    model: Annotated[Path, Option(help="Saved model (.keras).", show_default=False)],
    reference: Annotated[Path, Option(help="Folder of images without anomalies.", show_default=False)],
    out: Annotated[Path, Option(help="Folder for the report.", show_default=False)],
    neighbors: Annotated[int, Option(help="Number of nearest references that count.", min=1)] = 5,
    normal: Annotated[
        list[str] | None,
        Option(help="Subfolder of FOLDER without anomalies, for the area under the ROC curve.", show_default=False),
    ] = None,
) -> None:
    """Sort the images of a folder by how unlike all reference images they are.

    Writes anomalies.csv, anomalies.json and anomalies.html, which shows each image beside its nearest reference.
    """
    start_tensorflow()
    from siamese_tf.inference.anomalies import areas_under_roc, find_anomalies
    from siamese_tf.inference.anomaly_report import PAGE, summary_lines, write_anomaly_report
    from siamese_tf.models.model_file import load_model

    report = find_anomalies(load_model(model), folder, reference, neighbors)
    areas = areas_under_roc(report.images, normal) if normal else {}
    write_anomaly_report(report, folder, reference, out, **({"auroc": areas} if areas else {}))
    print_lines(
        *summary_lines(report),
        *(f"AUROC, {name}: {area:.4f}" for name, area in areas.items()),
        *(f"{one.tail_probability:.4f}  {one.image}  (nearest: {one.reference})" for one in report.images[:MAX_NAMED]),
        *(f"unreadable: {path}: {reason}" for path, reason in report.unreadable.items()),
        f"wrote {out / PAGE}",
    )
