"""`siamese-tf recipes`."""


def recipes() -> None:
    """List the named settings of `train`: the command, the time it takes, the accuracy to expect."""
    from rich.console import Console
    from rich.table import Table

    from siamese_tf.config.recipes import RECIPES

    table = Table(caption="Times: two processor cores, the data of the last column.")
    table.add_column("command", no_wrap=True)
    for name in ("what for", "takes", "test accuracy, or EER"):
        table.add_column(name)
    for recipe in RECIPES.values():
        table.add_row(recipe.command, recipe.about, recipe.takes, recipe.expect)
    Console().print(table)
