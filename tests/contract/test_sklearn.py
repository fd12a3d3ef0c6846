"""The image estimators are scikit-learn's: its own checks, and its tools."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from graphvae.data.registry import load_images
from graphvae.estimators.autoencoders import AE, CVAE, VAE
from graphvae.estimators.semi_supervised import SemiSupervisedVAE
from graphvae.variational.observations import GaussianObservation

pandas = pytest.importorskip("pandas")

TINY = {"latent_dim": 2, "hidden_dims": (8,), "epochs": 2}
# Skipped by scikit-learn itself unless the environment asks for arrays of other libraries.
ARRAY_API = "check_array_api_input"


def checks(estimator):
    for one, check in estimator_checks_generator(estimator):
        name = check.func.__name__ if hasattr(check, "func") else check.__name__
        if name != ARRAY_API:
            yield pytest.param(one, check, id=f"{type(one).__name__}-{name}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(("estimator", "check"), [*checks(AE(**TINY)), *checks(VAE(**TINY))])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    images = load_images("digits").flat().select(range(200))
    return images.x.numpy(), images.y.numpy()


@pytest.mark.parametrize("estimator", [AE, VAE, CVAE, SemiSupervisedVAE])
def test_clone_and_parameters(estimator, digits):
    x, y = digits
    model = estimator(**TINY, likelihood=GaussianObservation(0.3), seed=3)
    again = clone(model)
    assert type(again) is estimator
    assert again.likelihood is not model.likelihood
    assert again.likelihood.settings() == {"scale": 0.3}
    assert {k: v for k, v in again.get_params().items() if k != "likelihood"} == {
        k: v for k, v in model.get_params().items() if k != "likelihood"
    }
    assert estimator.__name__ in repr(model)
    # A semi-supervised model embeds by the classes it predicts, unless told others.
    given = None if estimator is SemiSupervisedVAE else y
    z = model.fit(x, y).transform(x, given)
    # A clone of a fitted model is not fitted, and fits to the same.
    assert not hasattr(clone(model), "module_")
    np.testing.assert_array_equal(clone(model).fit(x, y).transform(x, given), z)
    np.testing.assert_array_equal(clone(model).fit_transform(x, y), z)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(x, given), z)


@pytest.mark.parametrize("estimator", [AE, VAE, SemiSupervisedVAE])
def test_inside_a_pipeline(estimator, digits):
    x, y = digits
    pipeline = make_pipeline(MinMaxScaler(), estimator(**TINY), LogisticRegression(max_iter=1000)).fit(16 * x, y)
    assert pipeline.predict(16 * x).shape == (200,)
    assert pipeline.score(16 * x, y) > 0.15
    names = pipeline[:-1].get_feature_names_out()
    assert list(names) == [f"{estimator.__name__.lower()}{i}" for i in range(2)]


@pytest.mark.parametrize("estimator", [AE, VAE, CVAE, SemiSupervisedVAE])
def test_at_the_end_of_a_pipeline(estimator, digits):
    x, y = digits
    pipeline = Pipeline([("pca", PCA(5)), ("model", estimator(**TINY))]).fit(x, y)
    assert np.isfinite(pipeline.score(x, y))
    assert list(pipeline["model"].get_feature_names_out()) == [f"{estimator.__name__.lower()}{i}" for i in range(2)]


@pytest.mark.parametrize("estimator", [AE, VAE, CVAE, SemiSupervisedVAE])
def test_grid_search_chooses_by_the_score(estimator, digits):
    x, y = digits
    search = GridSearchCV(estimator(**TINY), {"epochs": [1, 10], "latent_dim": [2]}, cv=2).fit(x, y)
    assert search.best_params_ == {"epochs": 10, "latent_dim": 2}
    assert search.best_estimator_.transform(x, y).shape == (200, 2)
    by_hand = clone(search.best_estimator_)
    np.testing.assert_allclose(
        cross_val_score(by_hand, x, y, cv=2).mean(), search.cv_results_["mean_test_score"].max(), rtol=1e-9
    )


@pytest.mark.parametrize("estimator", [AE, VAE, CVAE, SemiSupervisedVAE])
def test_tables_in_and_tables_out(estimator, digits):
    x, y = digits
    table = pandas.DataFrame(x, columns=[f"pixel{i}" for i in range(64)], index=np.arange(200) + 1000)
    model = estimator(**TINY).set_output(transform="pandas").fit(table, pandas.Series(y))
    z = model.transform(table, pandas.Series(y))
    assert isinstance(z, pandas.DataFrame)
    assert list(z.columns) == list(model.get_feature_names_out())
    assert list(z.index) == list(table.index)
    assert list(model.feature_names_in_) == list(table.columns)
    np.testing.assert_array_equal(z.to_numpy(), estimator(**TINY).fit(x, y).transform(x, y))
    assert type(model.inverse_transform(z, y)) is np.ndarray
    assert model.reconstruct(table, y).shape == (200, 64)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(table.rename(columns={"pixel3": "other"}), y)
