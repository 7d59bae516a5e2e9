"""Registration of SiameseModel for `keras.models.load_model` without importing Keras.

Keras finds a class by name only after its module has run. Where Keras is there already, that happens at once; where it
comes later, a finder waits for it and lets the module run as soon as Keras is whole.
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

HOME = "siamese_tf.models.siamese_model"


def register_with_keras() -> None:
    """Registers SiameseModel now, or when Keras is imported."""
    if "keras" in sys.modules:
        import_module(HOME)
    elif not any(isinstance(finder, _WaitForKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WaitForKeras())


class _WaitForKeras(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "keras":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_then_register(module: ModuleType) -> None:
                sys.meta_path.remove(self)  # not before: to look for a module is not yet to import it
                run(module)
                if module.backend.backend() == "tensorflow":  # with another, Keras 3 cannot build our models
                    import_module(HOME)

            spec.loader.exec_module = run_then_register  # type: ignore[method-assign]
        return spec
