"""`siamese-tf recipes`."""


def recipes() -> None:
    """List the recipes of `train`: command, purpose, duration and expected accuracy."""
    from rich.console import Console
    from rich.table import Table

    from siamese_tf.config.recipes import RECIPES

    table = Table(caption="Durations on two processor cores, with the data set of the last column.")
    table.add_column("command", no_wrap=True)
    for name in ("purpose", "duration", "test accuracy, or EER"):
        table.add_column(name)
    for recipe in RECIPES.values():
        table.add_row(recipe.command, recipe.about, recipe.takes, recipe.expect)
    Console().print(table)
