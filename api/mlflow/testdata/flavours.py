"""What users of one framework do, with mlflow's client and that framework itself:
train under autolog, log the model by hand too, register it, load it by alias, and get
the predictions that the model in memory gives.

    python flavours.py TRACKING_URI FLAVOUR
"""
import sys
import warnings

import mlflow
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)
X = pd.DataFrame(rng.normal(size=(200, 3)).astype(np.float32), columns=["a", "b", "c"])
y = (X["a"] * 2 - X["b"] + 0.1 * rng.normal(size=200).astype(np.float32)).rename("y")
TENSORS = X.to_numpy()  # what the frameworks of networks are fed with
REQUIREMENTS = ["mlflow"]  # given, so that no client spends minutes on finding them


def sklearn():
    from sklearn.linear_model import Ridge

    mlflow.sklearn.autolog(extra_tags={"by": "autolog"})
    model = Ridge(alpha=0.5).fit(X, y)
    mlflow.sklearn.autolog(disable=True)
    return mlflow.sklearn, {"sk_model": model}, model.predict, {"alpha": "0.5"}, "training_mean_squared_error"


def lightgbm():
    import lightgbm as lgb

    mlflow.lightgbm.autolog()
    rows = lgb.Dataset(X, y)
    model = lgb.train({"num_leaves": 5, "verbose": -1, "metric": "l2"}, rows, 8, valid_sets=[rows])
    mlflow.lightgbm.autolog(disable=True)
    return mlflow.lightgbm, {"lgb_model": model}, model.predict, {"num_leaves": "5"}, "training-l2"


def xgboost():
    import xgboost as xgb

    mlflow.xgboost.autolog()
    rows = xgb.DMatrix(X, y)
    model = xgb.train({"max_depth": 3}, rows, 8, evals=[(rows, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True)
    return (mlflow.xgboost, {"xgb_model": model}, lambda x: model.predict(xgb.DMatrix(x)),
            {"max_depth": "3"}, "train-rmse")


def tensorflow():
    import keras

    mlflow.tensorflow.autolog()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    model.fit(TENSORS, y.to_numpy(), epochs=3, verbose=0)
    mlflow.tensorflow.autolog(disable=True)
    return (mlflow.tensorflow, {"model": model}, lambda x: model.predict(x, verbose=0),
            {"epochs": "3"}, "loss")


def pytorch():
    import lightning
    import torch

    class Line(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.line = torch.nn.Linear(3, 1)

        def forward(self, x):
            return self.line(x)

        def training_step(self, batch, _):
            loss = torch.nn.functional.mse_loss(self(batch[0]).ravel(), batch[1])
            self.log("loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.05)

    rows = torch.utils.data.TensorDataset(torch.tensor(TENSORS), torch.tensor(y.to_numpy()))
    mlflow.pytorch.autolog()
    model = Line()
    lightning.Trainer(max_epochs=3, logger=False, enable_checkpointing=False, accelerator="cpu",
                      enable_progress_bar=False, enable_model_summary=False).fit(
        model, torch.utils.data.DataLoader(rows, batch_size=50))
    mlflow.pytorch.autolog(disable=True)

    def predict(x):
        with torch.no_grad():
            return model(torch.tensor(x)).numpy()

    return mlflow.pytorch, {"pytorch_model": model.eval()}, predict, {"epochs": "3"}, "loss"


def values(predictions):
    return np.asarray(predictions, dtype=np.float64).ravel()


def main(uri, flavour):
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(f"with {flavour}")
    with mlflow.start_run() as run:
        module, args, predict, params, metric = globals()[flavour]()
        rows = TENSORS if flavour in ("tensorflow", "pytorch") else X
        info = module.log_model(**args, name="mine", input_example=rows[:3],
                                pip_requirements=REQUIREMENTS)
    got = mlflow.get_run(run.info.run_id).data
    for key, value in params.items():
        assert got.params[key] == value, (key, got.params)
    assert metric in got.metrics, (metric, got.metrics)
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, metric)
    assert history and history[-1].value == got.metrics[metric]

    name = f"a {flavour}"
    version = mlflow.register_model(info.model_uri, name)
    mlflow.MlflowClient().set_registered_model_alias(name, "best", version.version)
    want = values(predict(rows))
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@best")
    np.testing.assert_allclose(values(loaded.predict(rows)), want, rtol=1e-5, atol=1e-6)
    native = module.load_model(f"models:/{name}/{version.version}")
    assert type(native).__name__ in (type(list(args.values())[0]).__name__, "GraphModule"), native

    models = mlflow.search_logged_models(output_format="list")
    assert any(m.model_id == info.model_id for m in models), models
    autologged = [m for m in models if m.model_id != info.model_id]
    assert autologged, "autolog logged no model"
    again = mlflow.pyfunc.load_model(autologged[0].model_uri)
    np.testing.assert_allclose(values(again.predict(rows)), want, rtol=1e-5, atol=1e-6)
    print(f"{flavour}: {len(got.params)} params, {len(got.metrics)} metrics, {len(models)} models")


main(*sys.argv[1:])
