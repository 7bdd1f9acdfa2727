"""Fits one model of hourly riders on all of its inputs, and saves it in MLflow's format."""

import json
import os

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

FEATURES = ["hr", "holiday", "weekday", "workingday", "weathersit"]
FEATURES += ["temp", "atemp", "hum", "windspeed"]

inputs = json.loads(os.environ["FAIRLEAD_IN"])
outputs = json.loads(os.environ["FAIRLEAD_OUT"])
params = json.loads(os.environ["FAIRLEAD_PARAMS"])

rows = pd.concat([pd.read_parquet(path) for path in inputs.values()])
x, y = rows[FEATURES].astype("float64"), rows["bikers"]
about = {
    "signature": ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in FEATURES]),
        outputs=Schema([ColSpec("double")]),
    ),
    "input_example": x.head(3),
    "pip_requirements": "requirements.txt",
}

with mlflow.start_run():
    mlflow.log_params(params)
    mlflow.log_metric("train_rows", len(rows))

    if params["algorithm"] == "lightgbm":
        import lightgbm
        import mlflow.lightgbm

        settings = {
            "num_leaves": params["num_leaves"],
            "learning_rate": params["learning_rate"],
            "min_data_in_leaf": params["min_leaf"],
            "num_threads": 1,  # faster than two on tables of this size, and always the same sums
            "verbose": -1,
        }
        model = lightgbm.train(settings, lightgbm.Dataset(x, y), num_boost_round=params["trees"])
        mlflow.lightgbm.save_model(model, outputs["model"], **about)

    elif params["algorithm"] == "forest":
        import mlflow.sklearn
        from sklearn.ensemble import RandomForestRegressor

        model = RandomForestRegressor(
            params["trees"], min_samples_leaf=params["min_leaf"], random_state=0
        ).fit(x, y)
        trusted = ["sklearn.tree._tree.Tree"]
        mlflow.sklearn.save_model(model, outputs["model"], skops_trusted_types=trusted, **about)
