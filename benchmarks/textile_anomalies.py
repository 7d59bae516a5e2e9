"""Anomalies among simulated textiles, with the pretrained model for photographs and 200 references.

    pip install conformal-clip-data
    python benchmarks/textile_anomalies.py

The package contains 1,000 nominal pictures, 500 with global and 500 with local defects. The references are the first
nominal pictures; all others are scored.
"""

import tempfile
from importlib.util import find_spec
from pathlib import Path

from rows import Row, show

from siamese_tf.inference.anomalies import areas_under_roc, find_anomalies
from siamese_tf.models.pretrained.packages import pretrained_model

REFERENCES = 200
NOMINAL = "nominal"
TARGETS = {"global": 0.95, "local": 0.85}  # areas under the ROC curve


def main() -> None:
    spec = find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("textile_anomalies: run pip install conformal-clip-data first")
    textiles = Path(spec.origin).parent / "data" / "textile_images" / "simulated"
    with tempfile.TemporaryDirectory() as folder:
        images, references = Path(folder) / "images", Path(folder) / "references"
        nominal = sorted((textiles / NOMINAL).glob("*.jpg"))[:REFERENCES]
        for path in textiles.glob("*/*.jpg"):
            target = references / path.name if path in nominal else images / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        report = find_anomalies(pretrained_model("photos"), images, references)
    areas = areas_under_roc(report.images, [NOMINAL])
    show(
        [
            Row(f"AUROC of {name} defects", f"{areas[name]:.4f}", target=f"at least {least}", met=areas[name] >= least)
            for name, least in TARGETS.items()
        ]
    )


if __name__ == "__main__":
    main()
