from pathlib import Path

import pytest

from ophtimus_edge.errors import RecipeError
from ophtimus_training import recipe as recipes


def test_every_recipe_of_the_package_is_valid_and_has_the_contracts_keys() -> None:
    assert "demo-pretrain" in recipes.names()
    for name in recipes.names():
        recipe = recipes.load(name)
        assert recipe.data
        assert recipe.epochs
        assert recipe.batch


def test_a_value_is_set_over_the_recipe() -> None:
    recipe = recipes.load("demo-instruct", ["epochs=3", "learning_rate=1e-4", "base=/some/where"])
    assert isinstance(recipe, recipes.InstructRecipe)
    assert (recipe.epochs, recipe.learning_rate, recipe.base) == (3, 1e-4, "/some/where")


@pytest.mark.parametrize(
    "setting", ["learning_rat=1", "epochs=0", "epochs=many", "epochs", "=3", "learning_rate=2", "stage=other",
                "hidden=300", "heads=3"]
)  # fmt: skip
def test_a_mistake_is_refused(setting: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load("demo-pretrain", [setting])
    assert caught.value.hint


def test_a_file_is_a_recipe_too_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(RecipeError):
        recipes.load(str(path))
    path.write_text("stage = ")
    with pytest.raises(RecipeError, match="not TOML"):
        recipes.load(str(path))
    source = Path(recipes.__file__).parent / "recipes" / "demo-instruct.toml"
    path.write_text(source.read_text())
    assert recipes.load(str(path)) == recipes.load("demo-instruct")
    with pytest.raises(RecipeError, match="demo-pretrain"):
        recipes.load("unknown")
