"""Scores a model on its other input: validation in the pipeline, the holdout in the gate."""

import json
import os

import mlflow.pyfunc
import pandas as pd

inputs = json.loads(os.environ["FAIRLEAD_IN"])
model = mlflow.pyfunc.load_model(inputs.pop("model"))
rows = pd.concat([pd.read_parquet(path) for path in inputs.values()])

features = rows[model.metadata.get_input_schema().input_names()].astype("float64")
right = model.predict(features) == rows["cultivar"].to_numpy()
print(f"::metric accuracy={right.mean():.6f}")
