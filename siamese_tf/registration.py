"""Registration of SiameseModel for `keras.models.load_model` without importing Keras.

Keras finds a class by name only after the module of the class was imported. If Keras is already imported, the module is
imported immediately; otherwise an import hook imports it directly after Keras.
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

MODULE = "siamese_tf.models.siamese_model"


def register_with_keras() -> None:
    """Registers SiameseModel immediately, or when Keras is imported."""
    if "keras" in sys.modules:
        import_module(MODULE)
    elif not any(isinstance(finder, _KerasImportHook) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasImportHook())


class _KerasImportHook(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "keras":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_then_register(module: ModuleType) -> None:
                sys.meta_path.remove(self)  # not in find_spec, which may be called without an import
                run(module)
                if module.backend.backend() == "tensorflow":  # our models need this backend
                    import_module(MODULE)

            spec.loader.exec_module = run_then_register  # type: ignore[method-assign]
        return spec
