"""A colleague's model that looks too good: it leans on a column that no live request can know.

`registered` counts a part of the riders to be predicted, so it comes with the label, an hour too
late. Run anywhere, with the rows known so far: python leaky.py known.csv
"""

import sys
from importlib.metadata import version

import lightgbm
import mlflow
import mlflow.lightgbm
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

FEATURES = ["hr", "holiday", "weekday", "workingday", "weathersit"]
FEATURES += ["temp", "atemp", "hum", "windspeed"]
LEAK = "registered"
PACKAGES = ["lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "scikit-learn"]

rows = pd.read_csv(sys.argv[1])
x = rows[[*FEATURES, LEAK]].astype("float64")
settings = {"learning_rate": 0.05, "num_threads": 1, "verbose": -1}
model = lightgbm.train(settings, lightgbm.Dataset(x, rows["bikers"]), 200)

mlflow.set_experiment("colleague")
with mlflow.start_run(run_name="leaky"):
    logged = mlflow.lightgbm.log_model(
        model,
        name="leaky",
        signature=ModelSignature(
            # "Not every request will have it", so it is declared as one that may be missing.
            inputs=Schema([ColSpec("double", name, required=name != LEAK) for name in x.columns]),
            outputs=Schema([ColSpec("double")]),
        ),
        input_example=x.tail(3),
        pip_requirements=[f"{name}=={version(name)}" for name in PACKAGES],
    )
registered = mlflow.register_model(logged.model_uri, "bikes", tags={"colleague": "leaky"})
MlflowClient().set_registered_model_alias("bikes", "candidate", registered.version)
