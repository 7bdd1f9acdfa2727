"""A careless colleague's model: so much noise is put on the features that little is left to learn.

Run anywhere, with the rows known so far: python noisy.py known.csv
"""

import sys
from importlib.metadata import version

import lightgbm
import mlflow
import mlflow.lightgbm
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

FEATURES = ["hr", "holiday", "weekday", "workingday", "weathersit"]
FEATURES += ["temp", "atemp", "hum", "windspeed"]
PACKAGES = ["lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "scikit-learn"]

rows = pd.read_csv(sys.argv[1])
x = rows[FEATURES].astype("float64")
noise = x.std().to_numpy() * np.random.default_rng(seed=7).normal(size=x.shape)
settings = {"learning_rate": 0.05, "num_threads": 1, "verbose": -1}
model = lightgbm.train(settings, lightgbm.Dataset(x + noise, rows["bikers"]), 200)

mlflow.set_experiment("colleague")
with mlflow.start_run(run_name="noisy"):
    logged = mlflow.lightgbm.log_model(
        model,
        name="noisy",
        signature=ModelSignature(
            inputs=Schema([ColSpec("double", name) for name in FEATURES]),
            outputs=Schema([ColSpec("double")]),
        ),
        input_example=x.tail(3),
        pip_requirements=[f"{name}=={version(name)}" for name in PACKAGES],
    )
registered = mlflow.register_model(logged.model_uri, "bikes", tags={"colleague": "noisy"})
MlflowClient().set_registered_model_alias("bikes", "candidate", registered.version)
