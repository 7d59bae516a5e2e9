"""`keras.models.load_model` loads our files if `siamese_tf` is imported, before or after Keras."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel

FIRST_OURS = "import siamese_tf, sys; assert 'tensorflow' not in sys.modules; from tensorflow import keras"
FIRST_KERAS = "from tensorflow import keras; import siamese_tf"
WITHOUT_TENSORFLOW = "import siamese_tf; import keras"


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param(FIRST_OURS, marks=pytest.mark.slow),
        FIRST_KERAS,
        pytest.param(WITHOUT_TENSORFLOW, marks=pytest.mark.slow),
    ],
)
def test_keras_loads_our_file(imports: str, tmp_path: Path) -> None:
    model = SiameseModel((8, 8, 1), tower="reference", embedding_dim=32)
    save_model(model, tmp_path / "siamese.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), np.uint8)
    np.save(tmp_path / "images.npy", images)
    program = (
        f"{imports}; import numpy; images = numpy.load('images.npy')\n"
        "print(keras.models.load_model('siamese.keras').score(images[0], images[1]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) == pytest.approx(model.score(images[0], images[1]), abs=1e-6)
