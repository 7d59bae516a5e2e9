"""`siamese-tf recipes`."""


def recipes() -> None:
    """List the named settings of `train`: the command, the time it takes, the accuracy to expect."""
    from rich.console import Console
    from rich.table import Table

    from siamese_tf.recipes import RECIPES

    table = Table("command", "what for", "takes", "test accuracy", caption="Times: MNIST on two processor cores.")
    for recipe in RECIPES.values():
        table.add_row(recipe.command, recipe.about, recipe.takes, recipe.expect)
    Console().print(table)
